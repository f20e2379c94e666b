from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from service.application.ports import DeadLetter, Item
from service.runtime.prefetch import Prefetch
from service.wire.reasons import Invalid
from service.wire.record import Record


def decode(records: Iterable[Record]) -> list[Item]:
    return [DeadLetter(record, Invalid.NOT_JSON, "") for record in records]


def records(count: int, partition: int = 0) -> list[Record]:
    return [Record("in", partition, offset, 0, None, b"") for offset in range(count)]


def test_work_is_done_piece_by_piece_until_nothing_is_left() -> None:
    prefetch = Prefetch(decode)
    prefetch.add(records(40))

    done = [prefetch.work() for _ in range(5)]

    assert done == [True, True, True, False, False]
    assert [item.record.offset for item in prefetch.take()] == list(range(40))
    assert not prefetch


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(0, 4), st.sets(st.integers(0, 2)))
def test_what_is_not_dropped_comes_whole_and_in_order_however_much_was_decoded(
    partitions: list[int], turns: int, lost: set[int]
) -> None:
    prefetch = Prefetch(decode)
    prefetch.add([Record("in", partition, offset, 0, None, b"") for offset, partition in enumerate(partitions)])
    for _ in range(turns):
        prefetch.work()

    prefetch.drop({("in", partition) for partition in lost})

    kept = [offset for offset, partition in enumerate(partitions) if partition not in lost]
    assert bool(prefetch) == bool(kept)
    prefetch.work()
    assert [item.record.offset for item in prefetch.take()] == kept
