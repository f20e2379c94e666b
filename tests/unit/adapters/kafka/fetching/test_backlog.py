from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from service.adapters.kafka.fetching.backlog import PATIENCE, Backlog
from service.application.ports import Partition
from service.wire.record import Record

A, B, C = PARTITIONS = [("in", number) for number in range(3)]


def records(partition: Partition, *times: int, first: int = 0) -> list[Record]:
    return [Record(*partition, first + at, time, None, b"") for at, time in enumerate(times)]


def times(taken: list[Record]) -> list[int]:
    return sorted(record.timestamp for record in taken)


def test_all_is_given_where_all_has_room() -> None:
    backlog = Backlog()
    backlog.add(A, records(A, 5, 6))
    backlog.add(B, records(B, 1))

    assert times(backlog.take(PARTITIONS, 10)) == [1, 5, 6]
    assert len(backlog) == 0


def test_the_oldest_of_all_partitions_are_given_first() -> None:
    backlog = Backlog()
    backlog.add(A, records(A, 10, 20, 30, 40))
    backlog.add(B, records(B, 11, 12, 35, 36))

    assert times(backlog.take(PARTITIONS, 4)) == [10, 11, 12, 20]
    assert times(backlog.take(PARTITIONS, 4)) == [30, 35, 36, 40]


def test_what_is_younger_than_the_horizon_waits() -> None:
    backlog = Backlog()
    backlog.add(A, records(A, 10, 20))
    backlog.add(B, records(B, 11))

    assert times(backlog.take(PARTITIONS, 9, horizon=backlog.newest(B))) == [10, 11]
    assert backlog.newest(C) == -inf
    assert backlog.take(PARTITIONS, 9, horizon=backlog.newest(C)) == []
    assert (backlog.size(A), backlog.next_offset(A), backlog.next_offset(B)) == (1, 1, None)


def test_a_partition_that_is_not_asked_for_gives_nothing() -> None:
    backlog = Backlog()
    backlog.add(A, records(A, 1))
    backlog.add(B, records(B, 2))

    assert times(backlog.take([B], 9)) == [2]
    assert backlog.size(A) == 1


def test_what_is_forgotten_is_not_given_and_has_no_time() -> None:
    backlog = Backlog()
    backlog.add(A, records(A, 1, 2))
    backlog.forget(A)

    assert backlog.take(PARTITIONS, 9) == []
    assert backlog.newest(A) == -inf


def test_a_partition_from_the_future_gets_its_turn() -> None:
    # A publisher may set any time; a partition that never moved would be taken for stalled.
    backlog = Backlog()
    backlog.add(A, records(A, *[10**15] * 4))
    given_of_a = 0
    for turn in range(2 * PATIENCE + 2):
        backlog.add(B, records(B, turn, turn, turn, first=turn * 3))
        given_of_a += sum(record.partition == A[1] for record in backlog.take(PARTITIONS, 3))

    assert given_of_a >= 2


@given(
    st.lists(st.tuples(st.sampled_from(PARTITIONS), st.lists(st.integers(0, 50), min_size=1, max_size=8)), max_size=12),
    st.integers(1, 7),
)
def test_each_partition_comes_in_its_order_whole_and_in_no_more_than_the_limit(
    fetches: list[tuple[Partition, list[int]]], limit: int
) -> None:
    backlog = Backlog()
    ends = dict.fromkeys(PARTITIONS, 0)
    given_: list[Record] = []
    for partition, fetched in fetches:
        backlog.add(partition, records(partition, *fetched, first=ends[partition]))
        ends[partition] += len(fetched)
        batch = backlog.take(PARTITIONS, limit)
        assert 0 < len(batch) <= limit
        given_ += batch
    while batch := backlog.take(PARTITIONS, limit):
        given_ += batch

    for partition in PARTITIONS:
        mine = [record.offset for record in given_ if (record.topic, record.partition) == partition]
        assert mine == list(range(ends[partition]))
