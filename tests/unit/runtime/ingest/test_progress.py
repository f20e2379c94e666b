"""How long a partition has stood still, and when a drain has all that was there at its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from service.application.ports import Partition
from service.runtime.ingest.progress import Drain, Progress
from tests.support.fakes import Clock, FakeKafka, FakeSource, MemoryJournal
from tests.support.journals import creation

A, B = ("in", 0), ("other", 0)


def test_a_partition_stands_still_since_it_was_first_seen_with_lag_where_it_is() -> None:
    clock = Clock()
    progress = Progress(clock)
    seen = []
    for position, lag in ((5, 3), (5, 3), (5, 4), (6, 3), (6, 3), (6, 0), (6, 1)):
        seen.append((progress.seconds(A, position, lag), progress.seconds(B, 1, 1)))
        clock.pass_(10)

    assert seen == [(0, 0), (10, 10), (20, 20), (0, 30), (10, 40), (0, 50), (10, 60)]


def test_a_partition_that_is_forgotten_is_seen_for_the_first_time() -> None:
    clock = Clock()
    progress = Progress(clock)
    for partition in (A, B):
        progress.seconds(partition, 5, 3)
    clock.pass_(10)

    progress.forget(A)
    progress.forget(A)

    assert (progress.seconds(A, 5, 3), progress.seconds(B, 5, 3)) == (0, 10)
    progress.clear()
    assert progress.seconds(B, 5, 3) == 0


class Bench:
    """Three records in one topic, none in another one, and all of it stored."""

    def __init__(self) -> None:
        self.kafka = FakeKafka(Clock(), [], A, B)
        self.kafka.put(A, *[creation()] * 3)
        self.journal = MemoryJournal()
        self.source: FakeSource = self.kafka.open()
        self.drain = Drain(self.source)
        self.journal.tables.offsets |= {A: 3, B: 0}
        self.journal.tables.bound |= {A: (self.kafka.ids["in"], 0), B: (self.kafka.ids["other"], 0)}

    def is_done(self) -> bool:
        return self.drain.is_done(self.journal, self.source)


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestIngested:
    @pytest.mark.parametrize(
        ("positions", "is_ingested"),
        (
            ({}, False),  # a worker that has no partition yet
            ({A: 2, B: 0}, False),
            ({A: 3, B: 0}, True),
            ({A: 4}, True),
            ({B: 0}, True),  # A is another worker's to read
        ),
    )
    def test_is_what_a_worker_whose_partitions_are_at_their_goals_has(
        self, bench: Bench, positions: Mapping[Partition, int], *, is_ingested: bool
    ) -> None:
        assert bench.drain.is_ingested(positions) is is_ingested

    def test_the_goal_is_what_was_there_at_the_start(self, bench: Bench) -> None:
        bench.kafka.put(A, creation())
        bench.kafka.put(B, creation())

        assert bench.drain.is_ingested({A: 3, B: 0})
        assert bench.is_done()


class TestDone:
    def test_is_what_all_workers_have_stored_and_swept(self, bench: Bench) -> None:
        assert bench.is_done()

    @pytest.mark.parametrize(
        "change",
        (
            pytest.param(lambda bench: bench.journal.tables.offsets.update({A: 2}), id="not stored"),
            pytest.param(lambda bench: bench.journal.tables.bound.update({A: (b"old", 0)}), id="of another topic"),
            pytest.param(lambda bench: bench.journal.tables.offsets.update({A: 9}), id="beyond all there is"),
        ),
    )
    def test_is_nothing_that_leaves_a_record_unread(self, bench: Bench, change: Callable[[Bench], object]) -> None:
        change(bench)

        assert not bench.is_done()

    def test_is_what_is_stored_beyond_the_goal_because_publishers_go_on(self, bench: Bench) -> None:
        bench.kafka.put(A, creation(), creation())
        for stored in (4, 5):
            bench.journal.tables.offsets[A] = stored

            assert Bench.is_done(bench)

    def test_is_nothing_where_a_stored_offset_was_never_known(self, bench: Bench) -> None:
        bench.journal.tables.offsets.clear()

        assert not bench.is_done()

        assert bench.journal.tables.offsets == {A: 0}  # of a topic without records nothing is asked
        assert bench.journal.tables.bound[A] == (bench.kafka.ids["in"], -1)

    def test_where_brokers_do_not_tell_ids_is_as_far_as_the_offsets(self) -> None:
        bench = Bench()
        bench.kafka.ids["in"] = None
        bench.source = bench.kafka.open()
        bench.drain = Drain(bench.source)

        assert bench.is_done()

    def test_is_once_the_sweep_has_come_to_what_it_recorded_when_it_came_to_the_batch_that_was_the_newest(
        self, bench: Bench
    ) -> None:
        """A parked export that a sweep records makes its return a member, and what was delivered comes with the next one."""
        tables = bench.journal.tables
        for batches, swept, is_done in (
            (7, 5, False),  # all is stored
            (9, 6, False),  # two more of what came later
            (11, 7, False),  # of which this sweep recorded one, or both
            (12, 10, False),
            (13, 11, True),  # and that the next one recorded leaves nothing
        ):
            tables.batches, tables.swept = batches, swept
            assert bench.is_done() is is_done

    def test_is_at_once_where_the_sweep_left_nothing(self, bench: Bench) -> None:
        bench.journal.tables.batches = 7
        assert not bench.is_done()
        bench.journal.tables.swept = 7
        assert bench.is_done()
