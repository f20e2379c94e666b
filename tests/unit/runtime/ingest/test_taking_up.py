"""Where a worker reads on in a topic that is not what it was."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from service.application.ports import Bounds, EpochEnd, Stored
from service.errors import ChangedTopics
from service.runtime.ingest.taking_up import Taken, judge
from tests.support.fakes import FakeSource
from tests.support.journals import creation
from tests.unit.runtime.ingest.test_loop import A, B, Bench, returns

ONE, TWO = b"1" * 16, b"2" * 16


@pytest.mark.parametrize(
    ("stored", "topic_id", "bounds", "epoch_end", "taken"),
    (
        (Stored(3, ONE, 0), ONE, (0, 9), EpochEnd(0, 9), Taken(Stored(3, ONE, 0))),
        (Stored(3, ONE, 0), ONE, (3, 3), EpochEnd(0, 3), Taken(Stored(3, ONE, 0))),
        # Another topic of the name, shorter and longer than the one before it.
        (Stored(3, ONE, 0), TWO, (0, 1), None, Taken(Stored(0, TWO), "topic_made_anew")),
        (Stored(3, ONE, 0), TWO, (0, 9), None, Taken(Stored(0, TWO), "topic_made_anew")),
        (Stored(3, ONE, 0), TWO, (7, 9), None, Taken(Stored(7, TWO), "topic_made_anew")),
        # Rows from before there were ids are bound to the topic that is there.
        (Stored(3), ONE, (0, 9), None, Taken(Stored(3, ONE))),
        (Stored(30), ONE, (2, 9), None, Taken(Stored(2, ONE), "truncated")),
        # Brokers that do not tell ids: as it was before there were any.
        (Stored(3), None, (0, 9), None, Taken(Stored(3))),
        (Stored(3, ONE, 0), None, (0, 9), None, Taken(Stored(3, ONE, 0))),
        (Stored(30, ONE, 0), None, (0, 9), None, Taken(Stored(0, ONE), "truncated")),
        (Stored(3, ONE, 0), ONE, (7, 9), EpochEnd(0, 9), Taken(Stored(7, ONE), "retention", 4)),
        (Stored(3, ONE, 0), ONE, (7, 7), EpochEnd(0, 7), Taken(Stored(7, ONE), "retention", 4)),
        # Cut below the stored offset: not grown again, grown again past it, cut below the first record that is left.
        (Stored(6, ONE, 0), ONE, (0, 4), EpochEnd(0, 4), Taken(Stored(4, ONE, 0), "truncated")),
        (Stored(6, ONE, 0), ONE, (0, 9), EpochEnd(0, 4), Taken(Stored(4, ONE, 0), "truncated")),
        (Stored(6, ONE, 0), ONE, (2, 9), EpochEnd(-1, -1), Taken(Stored(2, ONE), "truncated")),
        # Nothing is left before the cut, and so no epoch of it.
        (Stored(6, ONE, 3), ONE, (4, 9), EpochEnd(2, 4), Taken(Stored(4, ONE), "truncated")),
        (Stored(6, ONE, 3), ONE, (4, 9), EpochEnd(2, 5), Taken(Stored(5, ONE, 2), "truncated")),
        (Stored(6, ONE, 0), ONE, (6, 6), EpochEnd(-1, -1), Taken(Stored(6, ONE))),
        (Stored(6, ONE, 0), ONE, (0, 4), None, Taken(Stored(0, ONE), "truncated")),
        # A new leader may not know yet up to where it may give records, but has them.
        (Stored(6, ONE, 0), ONE, (0, 4), EpochEnd(0, 9), Taken(Stored(6, ONE, 0))),
    ),
)
def test_a_stored_offset_is_believed_of_its_own_topic_only_and_as_far_as_its_log_goes(
    stored: Stored, topic_id: bytes | None, bounds: tuple[int, int], epoch_end: EpochEnd | None, taken: Taken
) -> None:
    assert judge(stored, topic_id, Bounds(*bounds), epoch_end) == taken


def out_of_range(bench: Bench, reason: str) -> float | None:
    return bench.value("returns_offsets_out_of_range_total", topic="in", reason=reason)


def restarted(bench: Bench, *, drain: bool = False) -> Bench:
    """A worker that comes after one that has ended."""
    bench.loop.close()
    after = Bench()
    after.clock, after.kafka, after.journal = bench.clock, bench.kafka, bench.journal
    after.loop = after.worker(drain=drain)
    return after


class TestMadeAnew:
    def test_while_nobody_looked_a_topic_is_read_from_its_beginning_however_far_it_has_grown(self) -> None:
        # It went on at the stored offset: 3,200 of 3,600 events were skipped.
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.kafka.make_anew("in")
        bench.kafka.put(A, *returns(11, 18))

        after = restarted(bench)
        with capture_logs() as lines:
            after.until(lambda: after.offsets == {A: 8})

        assert len(after.journal.tables.history) == 11
        (told,) = [line for line in lines if line["event"] == "topic_made_anew"]
        facts = {"topic": "in", "partition": 0, "stored": 3, "begin": 0, "end": 8}
        assert facts.items() <= told.items()
        assert out_of_range(after, "topic_made_anew") == 1

    def test_while_a_worker_runs_it_begins_anew_once_its_client_knows(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        first = bench.kafka.source

        def made_anew(_: FakeSource) -> None:
            raise ChangedTopics("in was made anew")

        bench.kafka.make_anew("in")
        bench.kafka.put(A, *returns(11, 18))
        bench.tick()  # it does not know yet, and takes what it gets for the old topic's
        first.at_poll.append(made_anew)

        bench.until(lambda: bench.offsets == {A: 8} and bench.journal.tables.bound[A][0] == bench.kafka.ids["in"])

        assert first.closed
        assert len(bench.journal.tables.history) == 11
        assert bench.value("returns_retries_total", cause="kafka") in {None, 0}

    def test_a_worker_that_does_not_know_yet_commits_nothing_once_another_does(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.kafka.make_anew("in")
        bench.kafka.put(A, *returns(11, 18))
        new = bench.kafka.ids["in"]
        bench.journal.tables.offsets[A], bench.journal.tables.bound[A] = 3, (new, 0)  # by the one that knows

        bench.tick()  # as if it were the fourth record of the old topic

        assert bench.journal.tables.stored(A) == Stored(3, new, 0)
        bench.until(lambda: bench.offsets == {A: 8})
        assert bench.value("returns_conflicts_total", kind="offset") == 1
        assert sorted(bench.journal.tables.returns)[3:] == [f"R-{number:04}" for number in range(14, 19)]
        assert len(bench.kafka.sources) == 2

    def test_a_drain_does_not_take_what_was_read_of_the_old_topic_for_the_new_ones(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.tick(2)
        bench.kafka.make_anew("in")
        bench.kafka.put(A, *returns(11, 13))

        after = restarted(bench, drain=True)
        after.tick()
        assert not after.loop._is_drained()
        after.loop.run()

        assert len(after.journal.tables.history) == 8

    def test_a_drain_has_a_new_goal_when_a_topic_is_made_anew_under_it(self) -> None:
        bench = Bench(A, B, drain=True, batch_size=2)
        bench.kafka.put(A, *returns(1, 5))
        bench.tick(2)

        def made_anew(_: FakeSource) -> None:
            raise ChangedTopics("in was made anew")

        bench.kafka.make_anew("in")
        bench.kafka.put(B, *returns(11, 13))
        bench.kafka.source.at_poll.append(made_anew)
        bench.loop.run()

        assert bench.offsets == {A: 0, B: 3}

    def test_a_row_from_before_there_were_ids_is_bound_where_it_stands(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.journal.tables.offsets[A] = 3

        with capture_logs() as lines:
            bench.tick()

        assert bench.journal.tables.stored(A) == Stored(3, bench.kafka.ids["in"], -1)
        assert [line for line in lines if line["log_level"] != "info"] == []

    def test_a_broker_without_ids_is_worked_with_as_before_and_told_of_once(self) -> None:
        bench = Bench()
        bench.kafka.ids["in"] = None
        bench.kafka.put(A, *returns(1, 3))

        with capture_logs() as lines:
            bench.tick(2)
            bench.kafka.source.revoke(A)
            bench.kafka.source.assign(A)
            bench.tick(2)

        assert bench.offsets == {A: 3}
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["topic_ids_unknown"]


class TestTruncated:
    def test_a_log_that_was_cut_and_has_grown_again_is_read_from_where_it_was_cut(self) -> None:
        # Nobody could see it by the bounds alone: what was written from the cut up to the stored offset was skipped.
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.tick(2)
        bench.kafka.truncate(A, 2)
        bench.kafka.put(A, *returns(11, 16))

        after = restarted(bench)
        with capture_logs() as lines:
            after.until(lambda: after.offsets == {A: 8})

        assert len(after.journal.tables.history) == 11
        (told,) = [line for line in lines if line["event"] == "stored_offset_out_of_range"]
        facts = {"stored": 5, "begin": 0, "end": 8, "reason": "truncated", "reads_on_at": 2}
        assert facts.items() <= told.items()
        assert out_of_range(after, "truncated") == 1
        assert after.journal.tables.stored(A) == Stored(8, after.kafka.ids["in"], 1)

    def test_a_log_that_was_cut_twice_with_nothing_written_between_is_read_from_the_second_cut(self) -> None:
        # The place of the first cut was stored without its epoch, so nobody could tell it from the same place later.
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.tick(2)
        bench.kafka.truncate(A, 3)
        between = restarted(bench)
        between.until(lambda: between.offsets == {A: 3})
        assert between.journal.tables.stored(A) == Stored(3, between.kafka.ids["in"], 0)
        between.kafka.truncate(A, 1)
        between.kafka.put(A, *returns(11, 14))

        after = restarted(between)
        after.until(lambda: after.offsets == {A: 5})

        assert len(after.journal.tables.history) == 9
        assert out_of_range(after, "truncated") == 1

    def test_a_stored_offset_beyond_the_end_skips_nothing_that_comes_after(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.tables.offsets[A] = 99

        bench.tick(2)
        bench.kafka.put(A, creation("R-0009"))
        bench.tick()

        assert len(bench.journal.tables.history) == 4
        assert out_of_range(bench, "truncated") == 1

    def test_a_drain_is_not_done_where_a_stored_offset_is_beyond_the_end(self) -> None:
        # It ended at once, with exit 0, and nothing had been read.
        bench = Bench(drain=True)
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.tables.offsets[A] = 99

        bench.loop.run()

        assert len(bench.journal.tables.history) == 3
        assert bench.offsets == {A: 3}


def test_what_retention_took_before_it_was_read_is_counted() -> None:
    # Silence was the only answer: no metric told of it.
    bench = Bench()
    bench.kafka.put(A, *returns(1, 3))
    bench.tick(2)
    bench.kafka.begin[A], bench.kafka.logs[A] = 10, []
    bench.kafka.put(A, *returns(4, 5))

    bench.until(lambda: bench.offsets == {A: 12})

    assert out_of_range(bench, "retention") == 1
    assert bench.value("returns_records_lost_total", topic="in") == 7
