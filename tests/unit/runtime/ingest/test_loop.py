"""The ingest loop by hand-driven ticks, with Kafka and the journal in memory."""

from __future__ import annotations

import copy
import itertools
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.application.clocks import SYSTEM
from service.application.ports import Partition
from service.errors import BrokenSource, Conflict, Fatal, Retryable
from service.metrics import Metrics
from service.runtime.ingest.loop import IngestLoop
from service.runtime.ingest.worker import LoopOptions, Ports
from service.runtime.monitoring.board import Board
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.reasons import Invalid
from service.wire.record import Record, Unread
from tests.support.fakes import Clock, ClockStop, FakeKafka, FakeSource, MemoryJournal
from tests.support.journals import DELIVERED, RE, RP, creation, event, scan

A, B = ("in", 0), ("in", 1)
AWAY = Retryable("PostgreSQL 57P01")
TABLES = CarrierTables.load()


class Bench:
    """A loop, its surroundings, and what tests ask of them."""

    def __init__(self, *partitions: Partition, **options: Any) -> None:
        self.story: list[str] = []
        self.clock = Clock()
        self.stop = ClockStop(self.clock)
        self.kafka = FakeKafka(self.clock, self.story, *(partitions or (A,)))
        self.journal = MemoryJournal(self.story)
        self.metrics = Metrics()
        self.board = Board(self.clock)
        self.loop = self.worker(**options)

    def worker(self, **options: Any) -> IngestLoop:
        return IngestLoop(
            Ports(self.kafka.open, self.journal, Parser(TABLES)),
            self.stop,
            self.metrics,
            options=LoopOptions(**{"batch_wait_ms": 0, **options}),
            clocks=SYSTEM._replace(monotonic=self.clock),
            board=self.board,
        )

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.run_once()

    def until(self, condition: Callable[[], object], ticks: int = 200) -> None:
        for _ in range(ticks):
            if condition():
                return
            self.tick()
        pytest.fail(f"not within {ticks} ticks; story: {self.story[-20:]}")

    @property
    def offsets(self) -> dict[Partition, int]:
        return self.journal.tables.offsets

    def value(self, name: str, **labels: object) -> float | None:
        return self.metrics.registry.get_sample_value(name, {key: str(value) for key, value in labels.items()})


def returns(first: int, last: int) -> list[dict[str, Any]]:
    return [creation(f"R-{number:04}") for number in range(first, last + 1)]


class TestTick:
    def test_polls_then_commits_then_resumes_nothing_then_tells_kafka_what_it_committed(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.tick()  # gains the partition
        bench.clock.pass_(2)
        bench.story.clear()

        bench.tick()

        assert [step for step in bench.story if step != "resume"] == ["poll", "commit", "tell Kafka"]
        assert bench.offsets == {A: 3}
        assert bench.kafka.source.committed == {A: 3}
        assert bench.journal.commits == [{A: (0, 3)}]

    def test_logs_a_batch_in_plain_words(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))

        with capture_logs() as lines:
            bench.tick(2)

        (batch,) = [line for line in lines if line["event"] == "batch"]
        assert (batch["records"], str(batch["verdicts"])) == (3, "{'advanced': 3}")

    @pytest.mark.parametrize("timestamp", (-1, 0, 1_795_600_000, -(2**63)))
    def test_takes_a_timestamp_that_is_none_for_no_delay_of_half_a_century(self, timestamp: int) -> None:
        bench = Bench()
        value = json.dumps(creation()).encode()
        bench.kafka.logs[A].append(Record(*A, 0, timestamp, None, value))

        bench.until(lambda: bench.offsets == {A: 1})

        assert not bench.value("returns_end_to_end_seconds_count", topic="in")

    def test_reads_a_gained_partition_from_its_stored_offset(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.journal.tables.offsets[A] = 3

        bench.tick(2)

        assert list(bench.journal.tables.returns) == ["R-0004", "R-0005"]
        assert bench.offsets == {A: 5}

    def test_what_comes_while_a_batch_is_committed_is_the_next_one(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation("R-0001"))
        bench.tick()
        bench.journal.while_committing.extend(
            [lambda: bench.kafka.put(A, *returns(2, 4)), lambda: bench.kafka.put(A, *returns(5, 12))]
        )

        bench.tick(3)

        assert bench.journal.commits == [{A: (0, 1)}, {A: (1, 4)}, {A: (4, 12)}]

    def test_does_not_wait_for_anything_when_something_comes_after_a_rest(self) -> None:
        # It once waited for 50 ms for company.
        bench = Bench(batch_wait_ms=50)
        bench.tick(5)
        bench.kafka.put(A, creation())
        began = bench.clock()

        bench.tick()

        assert bench.offsets == {A: 1}
        assert bench.clock() == began

    def test_rests_for_a_moment_after_a_small_batch_so_that_the_next_one_is_not_as_small(self) -> None:
        bench = Bench(batch_wait_ms=50)
        bench.kafka.put(A, creation("R-0001"))
        bench.tick(2)
        began = bench.clock()
        bench.kafka.put(A, creation("R-0002"))

        bench.tick()

        assert bench.clock() == pytest.approx(began + 0.05)
        assert bench.offsets == {A: 2}

    def test_does_not_rest_when_it_is_behind(self) -> None:
        bench = Bench(batch_wait_ms=50, batch_size=4)
        bench.kafka.put(A, *returns(1, 12))
        bench.tick()
        began = bench.clock()

        bench.tick(3)

        assert bench.offsets == {A: 12}
        assert bench.clock() == began

    def test_a_long_rest_ends_with_the_stop_flag_and_keeps_turning(self) -> None:
        bench = Bench(batch_wait_ms=1000, poll_timeout_ms=200)
        bench.kafka.put(A, creation("R-0001"))
        bench.tick(2)
        bench.kafka.put(A, creation("R-0002"))
        began = bench.clock()

        bench.tick()
        assert bench.clock() - began == pytest.approx(0.2)
        assert bench.offsets == {A: 1}

        bench.until(lambda: bench.offsets == {A: 2})
        assert bench.clock() - began == pytest.approx(1.0)

    def test_never_holds_more_than_a_batch(self) -> None:
        bench = Bench(batch_size=10)
        bench.kafka.put(A, *returns(1, 25))

        bench.tick(4)

        assert bench.journal.commits == [{A: (0, 10)}, {A: (10, 20)}, {A: (20, 25)}]

    def test_keeps_an_invalid_record_as_a_dead_letter_in_the_transaction_of_its_neighbours(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation("R-0001"), b"{", creation("R-0002"))

        bench.tick(2)

        assert bench.journal.letters() == [(A, 1, "not_json")]
        assert list(bench.journal.tables.returns) == ["R-0001", "R-0002"]
        assert bench.journal.commits == [{A: (0, 3)}]
        assert bench.value("returns_invalid_total", topic="in", reason="not_json") == 1

    def test_hands_a_delivery_on_to_the_members_of_its_connote_in_the_same_tick(self) -> None:
        bench = Bench()
        at_hub = {"return_id": "R-1001", "hub": "akl-1"}
        exported = event(RE, "e", "11:00", connote="C-777", **at_hub)
        bench.kafka.put(A, creation(), event(RP, "p", "10:00", **at_hub), exported)
        bench.tick(2)
        bench.kafka.put(A, event(DELIVERED, "d", "12:00", connote="C-777"))

        bench.tick()

        assert bench.journal.recorded("R-1001")[-1] == "d"

    def test_places_what_was_parked_as_soon_as_its_return_is_known(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, scan("COLLECTED", "10:00"))
        bench.tick(2)
        assert len(bench.journal.tables.parked) == 1
        bench.kafka.put(B, creation())
        began = bench.clock()

        bench.until(lambda: not bench.journal.tables.parked)

        assert bench.clock() - began < 0.11
        assert bench.journal.recorded("R-1001") == ["R-1001-rc", "R-1001-COLLECTED-10:00"]
        assert bench.value("returns_adopted_total", topic="in") == 1

    def test_sweeps_what_others_left_when_it_is_idle_itself(self) -> None:
        bench = Bench()
        bench.tick()
        bench.journal.tables.batches = 7

        bench.tick(3)

        assert bench.journal.tables.swept == 7

    def test_ends_at_the_stop_flag_leaves_the_group_and_lets_go_of_the_connection(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.stop.set()

        bench.loop.run()

        assert bench.kafka.source.closed
        assert bench.journal.closed
        assert bench.offsets == {A: 3}

    def test_leaves_an_unknown_error_to_the_supervisor_without_a_commit(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation())
        bench.journal.failures.append(("before", RuntimeError("a bug")))

        with pytest.raises(RuntimeError, match="a bug"):
            bench.loop.run()

        assert bench.offsets == {A: 0}
        assert bench.kafka.source.closed


class TestRefusedValue:
    def test_is_searched_down_to_the_one_record_and_its_neighbours_are_kept_in_order(self) -> None:
        bench = Bench()
        scans = [scan("IN_TRANSIT", f"{hour:02}:00") for hour in range(10, 23)]
        bench.kafka.put(A, creation(), *scans)
        refused = scans[6]["id"]
        bench.journal.refuses = lambda event: event.id == refused

        bench.tick(2)

        assert bench.journal.letters() == [(A, 7, "rejected_value")]
        kept = ["R-1001-rc", *(each["id"] for each in scans if each["id"] != refused)]
        assert bench.journal.recorded("R-1001") == kept
        assert bench.offsets == {A: 14}
        moves = [commit[A] for commit in bench.journal.commits]
        assert [move.expected for move in moves] == [0, *(move.next for move in moves[:-1])]

    @pytest.mark.parametrize("refused", ([0], [12], [0, 12], [3, 4, 11], list(range(13))))
    def test_may_be_any_records_of_the_batch(self, refused: list[int]) -> None:
        bench = Bench()
        everything = returns(1, 13)
        ids = {everything[number]["id"] for number in refused}
        bench.kafka.put(A, *everything)
        bench.journal.refuses = lambda event: event.id in ids

        bench.tick(2)

        assert bench.journal.letters() == [(A, number, "rejected_value") for number in refused]
        assert len(bench.journal.tables.history) == 13 - len(refused)
        assert bench.offsets == {A: 13}

    @pytest.mark.parametrize("when", ("before", "after"))
    @pytest.mark.parametrize("fine", range(8))
    def test_and_a_server_that_goes_away_in_the_middle_of_the_search_lose_nothing(self, when: str, fine: int) -> None:
        # A worker once lost all that came behind the part it was at, when the server went away in the middle.
        bench = Bench()
        everything = returns(1, 16)
        bench.kafka.put(A, *everything)
        bench.journal.refuses = lambda event: event.id == everything[1]["id"]
        bench.journal.failures = deque([*[None] * fine, (when, AWAY)])

        bench.until(lambda: bench.offsets.get(A) == 16)

        assert bench.journal.letters() == [(A, 1, "rejected_value")]
        assert len(bench.journal.tables.history) == 15
        assert {len(rows) for rows in bench.journal.tables.history.values()} == {1}
        assert bench.value("returns_duplicates_total", topic="in") is None


class TestFuse:
    def test_lets_a_partition_go_on_in_which_everything_is_invalid_and_keeps_what_is_more_without_its_body(
        self,
    ) -> None:
        # 1,100 messages of one byte once stopped a shared partition for everyone, for ever.
        bench = Bench(A, B, fuse_run=10, fuse_ratio=0.9)
        bench.kafka.put(A, *[b"broken"] * 12, creation())
        bench.kafka.put(B, *returns(4, 6))

        bench.tick(5)

        letters = bench.journal.tables.letters
        assert [letter.record.value for letter in letters] == [b"broken"] * 8 + [None] * 4
        assert [letter.is_thin for letter in letters] == [False] * 8 + [True] * 4
        assert {letter.reason for letter in letters} == {"not_json"}
        assert bench.offsets == {A: 13, B: 3}
        assert len(bench.journal.tables.history) == 4
        assert bench.value("returns_fuse_tripped", topic="in", partition=0) == 1
        assert bench.value("returns_thin_letters_total", topic="in") == 4
        assert bench.board.blown == {A}

    def test_is_whole_again_once_valid_records_come_and_the_journal_hears_of_it_behind_what_came_before(self) -> None:
        bench = Bench(fuse_run=4, fuse_ratio=1.0)
        bench.kafka.put(A, *[b"broken"] * 5)
        bench.tick(3)
        assert bench.journal.mended_fuses == [({A}, None)]  # what an owner before this one had noted
        bench.kafka.put(A, creation(), b"broken")
        bench.journal.failures.append(("before", AWAY))

        bench.until(lambda: bench.offsets[A] == 7)
        bench.tick()

        assert [letter.is_thin for letter in bench.journal.tables.letters] == [False] * 3 + [True] * 2 + [False]
        assert bench.journal.mended_fuses == [({A}, None), ({A}, {""})]
        assert bench.story.count("commit") == 2
        assert bench.value("returns_fuse_tripped", topic="in", partition=0) is None
        assert bench.board.blown == set()

    def test_a_source_that_is_mended_is_mended_wherever_it_came_and_a_partition_for_itself(self) -> None:
        bench = Bench(A, B, fuse_run=2, fuse_ratio=1.0)
        of_source = creation() | {"type": "of none"}
        bench.kafka.put(A, of_source, of_source, b"broken", b"broken")
        bench.kafka.put(B, b"broken", b"broken")
        bench.tick(3)
        bench.kafka.put(A, creation())
        bench.tick(3)

        assert bench.journal.mended_fuses[1:] == [({A, B}, {"/test"}), ({A}, {""})]
        assert bench.board.blown == {B}

    def test_lets_some_invalid_records_pass(self) -> None:
        bench = Bench(fuse_run=10, fuse_ratio=0.9)
        for number in range(1, 21):
            bench.kafka.put(A, b"broken", creation(f"R-{number:04}"))

        bench.tick(2)

        assert bench.offsets == {A: 40}
        assert len(bench.journal.letters()) == 20

    def test_does_not_count_a_record_again_when_its_batch_is_tried_again(self) -> None:
        bench = Bench(fuse_run=10)
        bench.kafka.put(A, *[b"broken"] * 6, creation())
        bench.journal.failures.extend([("before", AWAY), ("after", AWAY), ("before", Conflict("PostgreSQL 23505"))])

        bench.until(lambda: bench.offsets.get(A) == 7)

        assert len(bench.journal.letters()) == 6

    def test_counts_a_batch_that_could_not_be_read_once_however_many_records_it_held(self) -> None:
        bench = Bench(fuse_run=10, fuse_ratio=0.5)
        for n in range(40):
            unread = Unread(Invalid.BATCH_TOO_LARGE, "the batch is too large", n // 10 * 10)
            bench.kafka.logs[A].append(Record(*A, n, 0, None, None, unread=unread))
        bench.kafka.put(A, *returns(1, 5))

        bench.until(lambda: bench.offsets == {A: 45})

        assert [letter.reason for letter in bench.journal.tables.letters] == ["batch_too_large"] * 40
        assert len(bench.journal.tables.returns) == 5

    def test_counts_anew_when_the_partition_comes_back(self) -> None:
        bench = Bench(fuse_run=10)
        bench.kafka.put(A, *[b"broken"] * 10)
        bench.tick(3)
        bench.kafka.put(A, creation())

        def rebalance(source: FakeSource) -> None:
            source.revoke(A)
            source.assign(A)

        bench.kafka.source.at_poll.append(rebalance)

        bench.tick(2)

        assert bench.offsets == {A: 11}
        assert bench.value("returns_fuse_tripped", topic="in", partition=0) is None


class TestServerAway:
    def test_holds_the_batch_pauses_all_and_keeps_polling_until_it_is_back(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.extend([("before", AWAY)] * 6)
        bench.tick(2)
        assert bench.kafka.source.paused == {A, B}
        polls = len(bench.kafka.source.polls)
        bench.kafka.put(B, *returns(4, 5))

        bench.until(lambda: bench.offsets.get(A) == 3)

        while_away = bench.kafka.source.polls[polls:-1]
        assert len(while_away) >= 6
        assert all(paused == {A, B} for _, paused in while_away)
        assert bench.kafka.source.paused == set()
        assert bench.value("returns_retries_total", cause="database") == 6
        bench.tick(2)
        assert bench.offsets == {A: 3, B: 2}
        assert bench.value("returns_duplicates_total", topic="in") is None

    def test_waits_longer_after_each_failure_up_to_a_limit_and_never_in_step_with_others(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation())
        bench.journal.failures.extend([("before", AWAY)] * 12)
        attempts = []
        while bench.journal.failures:
            left = len(bench.journal.failures)
            bench.tick()
            if len(bench.journal.failures) < left:
                attempts.append(bench.clock.now)

        waits = [later - earlier for earlier, later in itertools.pairwise(attempts)]
        # Half to all of 0.1 s, doubled each time up to 5 s; a tick's own polls come on top.
        assert all(0.5 * min(5, 0.1 * 2**n) <= wait <= min(5, 0.1 * 2**n) + 0.3 for n, wait in enumerate(waits))
        assert len({round(wait, 3) for wait in waits[-4:]}) > 1

    def test_polls_no_longer_than_until_the_next_try(self) -> None:
        bench = Bench(poll_timeout_ms=200)
        bench.kafka.put(A, creation())
        bench.journal.failures.append(("before", AWAY))
        bench.tick(2)

        bench.tick()

        assert bench.kafka.source.polls[-1][0] <= 100

    def test_after_a_lost_answer_reads_the_offsets_again_and_resends_nothing(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, creation("R-0001"), b"{")
        bench.kafka.put(B, *returns(2, 4))
        bench.journal.failures.append(("after", AWAY))
        bench.tick(2)
        bench.story.clear()

        bench.until(lambda: "resume" in bench.story)
        bench.tick(3)

        assert "read offsets" in bench.story
        assert "commit" not in bench.story
        assert bench.offsets == {A: 2, B: 3}
        assert len(bench.journal.letters()) == 1
        assert bench.value("returns_duplicates_total", topic="in") is None
        bench.kafka.put(A, creation("R-0005"))
        bench.tick()
        assert bench.journal.commits[-1] == {A: (2, 3)}

    def test_after_a_commit_that_did_not_happen_sends_the_batch_again(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.append(("before", AWAY))

        bench.until(lambda: bench.offsets.get(A) == 3)

        assert bench.journal.commits == [{A: (0, 3)}]

    def test_that_is_away_again_while_the_offsets_are_read_changes_nothing(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.append(("after", AWAY))
        bench.tick(2)
        bench.journal.offset_errors.extend([AWAY, AWAY])

        bench.until(lambda: not bench.journal.offset_errors)
        bench.tick(20)

        assert bench.journal.commits == [{A: (0, 3)}]
        assert bench.kafka.source.paused == set()

    def test_at_the_start_is_waited_for_with_the_partitions_paused(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.offset_errors.extend([AWAY] * 5)
        bench.tick(3)
        assert bench.kafka.source.paused == {A}

        bench.until(lambda: bench.offsets.get(A) == 3)

        assert bench.kafka.source.paused == set()

    def test_it_says_why_and_since_when_until_a_turn_goes_well(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation())
        bench.tick()
        began = bench.clock()
        bench.journal.failures.extend([("before", Retryable("PostgreSQL 25006", cause="read_only"))] * 6)
        bench.tick()

        trouble = bench.board.trouble
        assert trouble is not None
        assert trouble.cause == "read_only"
        bench.until(lambda: bench.offsets.get(A) == 1)
        bench.until(lambda: bench.board.trouble is None)
        assert bench.clock() > began + 1
        assert bench.value("returns_retries_total", cause="read_only") == 6
        assert bench.value("returns_retries_total", cause="database") is None

    def test_can_be_told_to_stop_while_it_waits(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation())
        bench.journal.failures.extend([("before", AWAY)] * 1000)
        original = bench.kafka.open

        def open_() -> FakeSource:
            source = original()
            source.at_poll.extend([*[lambda _: None] * 30, lambda _: bench.stop.set()])
            return source

        bench.loop._open_source = open_

        bench.loop.run()

        assert bench.offsets == {A: 0}
        assert bench.kafka.source.closed


class TestOtherWorkers:
    def test_an_offset_that_another_worker_moved_makes_it_go_on_from_there(self) -> None:
        bench = Bench(A, B)
        bench.tick()
        bench.kafka.put(A, *returns(1, 4))
        bench.kafka.put(B, *returns(5, 6))
        bench.journal.tables.offsets[A] = 3  # what another one has done meanwhile

        bench.tick(3)

        assert bench.offsets == {A: 4, B: 2}
        assert sorted(bench.journal.tables.returns) == ["R-0004", "R-0005", "R-0006"]
        assert bench.value("returns_conflicts_total", kind="offset") == 1

    def test_a_collision_in_the_journal_makes_it_read_the_batch_again(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.append(("before", Conflict("PostgreSQL 23505 batches batches_pkey")))

        bench.tick(3)

        assert bench.journal.commits == [{A: (0, 3)}]

    def test_what_is_held_of_a_lost_partition_is_dropped_and_the_rest_is_kept(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, *returns(1, 3))
        bench.kafka.put(B, *returns(4, 5))
        bench.journal.failures.extend([("before", AWAY)] * 3)
        bench.tick(2)
        bench.kafka.source.at_poll.append(lambda source: source.revoke(A))

        bench.until(lambda: bench.offsets.get(B) == 2)
        bench.tick(3)

        assert bench.offsets == {A: 0, B: 2}
        assert sorted(bench.journal.tables.returns) == ["R-0004", "R-0005"]

    def test_a_partition_gained_while_it_holds_is_read_from_its_stored_offset_once_the_server_is_back(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, *returns(1, 3))
        bench.kafka.put(B, *returns(4, 6))
        bench.tick()
        bench.kafka.source.revoke(B)
        bench.journal.failures.extend([("before", AWAY)] * 3)
        bench.tick()
        bench.journal.tables.offsets[B] = 2  # by its owner in between
        bench.kafka.source.at_poll.append(lambda source: source.assign(B))

        bench.until(lambda: bench.offsets == {A: 3, B: 3})

        assert sorted(bench.journal.tables.returns) == ["R-0001", "R-0002", "R-0003", "R-0006"]
        assert bench.kafka.source.paused == set()

    def test_a_partition_taken_and_given_back_in_one_rebalance_is_read_again_from_its_stored_offset(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.journal.failures.append(("before", AWAY))
        bench.tick(2)

        def rebalance(source: FakeSource) -> None:
            source.revoke(A)
            bench.journal.tables.offsets[A] = 4
            source.assign(A)

        bench.kafka.source.at_poll.append(rebalance)

        bench.until(lambda: bench.offsets[A] == 5)

        assert list(bench.journal.tables.returns) == ["R-0005"]

    def test_a_rebalance_in_the_very_poll_that_brought_records_drops_those_of_what_was_lost(self) -> None:
        bench = Bench(A, B)
        bench.kafka.put(A, *returns(1, 3))
        bench.kafka.put(B, *returns(4, 5))
        bench.tick()
        source = bench.kafka.source
        poll = source.poll

        def poll_and_lose(timeout_ms: int, limit: int) -> list[Record]:
            records = poll(timeout_ms, limit)
            source.revoke(A)
            return records

        source.poll = poll_and_lose  # type: ignore[method-assign]

        bench.tick(3)

        assert bench.journal.commits == [{B: (0, 2)}]
        assert bench.offsets == {A: 0, B: 2}


class TestBrokenSource:
    @pytest.mark.parametrize("polls_before", (0, 1, 2))
    def test_is_closed_and_a_new_one_is_made(self, polls_before: int) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 2))

        def broken(_: FakeSource) -> None:
            raise BrokenSource("Kafka: CorruptRecordError")

        bench.tick(polls_before + 1)
        first = bench.kafka.source
        bench.kafka.put(A, *returns(3, 4))
        first.at_poll.append(broken)

        bench.until(lambda: bench.offsets.get(A) == 4)

        assert first.closed
        assert len(bench.kafka.sources) == 2
        assert len(bench.journal.tables.history) == 4
        assert bench.value("returns_retries_total", cause="kafka") == 1

    def test_after_a_poll_that_brought_nothing_yet_loses_nothing(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 2))
        bench.tick()

        def broken(_: FakeSource) -> None:
            raise BrokenSource("Kafka: NodeNotReadyError")

        bench.kafka.source.at_poll.extend([lambda _: None, broken])

        bench.until(lambda: bench.offsets.get(A) == 2)

        assert bench.journal.commits == [{A: (0, 2)}]

    def test_that_cannot_be_opened_is_tried_again_with_longer_and_longer_waits(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation())
        bench.kafka.open_errors.extend([BrokenSource("Kafka: KafkaTimeoutError")] * 6)
        started = bench.clock.now

        bench.until(lambda: bench.offsets.get(A) == 1)

        assert bench.clock.now - started >= 0.5 * (0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2)

    def test_that_lacks_a_topic_ends_the_worker(self) -> None:
        bench = Bench()
        bench.kafka.open_errors.append(Fatal("no such topic: x"))

        with pytest.raises(Fatal, match="no such topic"):
            bench.loop.run()


class TestPositions:
    @pytest.mark.parametrize(("stored", "begin"), ((3, 5), (99, 5)))
    def test_a_stored_offset_out_of_range_starts_again_at_the_first_record(self, stored: int, begin: int) -> None:
        bench = Bench()
        bench.kafka.begin[A] = begin
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.tables.offsets[A] = stored

        bench.tick(2)

        assert len(bench.journal.tables.history) == 3
        assert bench.offsets == {A: begin + 3}

    def test_an_offset_that_retention_passes_while_it_works_is_found_by_a_new_source(self) -> None:
        bench = Bench()
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.kafka.begin[A] = 10
        bench.kafka.logs[A] = []
        bench.kafka.put(A, *returns(4, 5))

        bench.until(lambda: bench.offsets[A] == 12)

        assert len(bench.journal.tables.history) == 5

    @pytest.mark.parametrize("grown", (1, 2, 3))
    def test_a_journal_that_goes_back_to_before_the_log_was_cut_has_what_stands_there_now_read(
        self, grown: int
    ) -> None:
        # Once the worker went on from the offset that the journal had stored before: in the log of today another place.
        bench = Bench()
        bench.kafka.put(A, *returns(1, 5))
        bench.until(lambda: bench.offsets.get(A) == 5)
        before = copy.deepcopy(bench.journal.tables)
        bench.kafka.truncate(A, 3)
        bench.until(lambda: bench.offsets.get(A) == 3)
        bench.kafka.put(A, *returns(11, 10 + grown))
        bench.until(lambda: bench.offsets.get(A) == 3 + grown)

        bench.journal.tables = before
        bench.journal.failures.append(("before", Retryable("PostgreSQL has gone back")))
        bench.kafka.put(A, *returns(21, 21))
        bench.until(lambda: "R-0021" in bench.journal.tables.returns)

        assert {f"R-{number:04}" for number in range(11, 11 + grown)} <= bench.journal.tables.returns.keys()

    def test_transaction_markers_at_the_end_of_a_partition_are_passed(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation(), None, None)

        bench.tick(12)  # over a second of idle polls

        assert bench.offsets == {A: 3}
        assert bench.journal.commits == [{A: (0, 1)}, {A: (1, 3)}]

    def test_markers_are_not_passed_while_records_before_them_are_held(self) -> None:
        bench = Bench()
        bench.kafka.put(A, creation(), None)
        bench.journal.failures.extend([("before", AWAY)] * 8)
        while bench.journal.failures:
            bench.tick()
            assert bench.offsets == {A: 0}

        bench.until(lambda: bench.offsets == {A: 2})

        assert len(bench.journal.tables.history) == 1


class TestWatch:
    def test_a_partition_with_lag_that_does_not_move_ends_the_worker(self) -> None:
        bench = Bench(stall_seconds=30)
        bench.kafka.put(A, *returns(1, 2))
        bench.tick(2)
        bench.kafka.source._read = lambda *_: None  # type: ignore[method-assign]
        bench.kafka.put(A, creation("R-0003"))

        with pytest.raises(Fatal, match="in 0 has a lag of 1 and did not move for 3"):
            bench.tick(1000)

    def test_lag_behind_a_transaction_that_its_publisher_leaves_open_is_no_stall(self) -> None:
        # A worker once ended itself every two minutes for as long as a publisher kept its transaction open.
        bench = Bench(stall_seconds=30)
        bench.kafka.put(A, *returns(1, 2))
        bench.kafka.held_back[A] = 1

        bench.tick(1000)

        assert bench.offsets == {A: 1}
        bench.kafka.held_back.clear()
        bench.tick()
        assert bench.offsets == {A: 2}

    def test_time_without_a_database_does_not_count(self) -> None:
        bench = Bench(stall_seconds=30)
        bench.kafka.put(A, *returns(1, 2))
        bench.tick()
        bench.journal.failures.extend([("before", AWAY)] * 30)  # over a minute

        bench.until(lambda: bench.offsets == {A: 2}, ticks=2000)
        bench.tick(20)

        assert bench.board.trouble is None

    def test_a_partition_without_new_records_is_none(self) -> None:
        bench = Bench(stall_seconds=30)
        bench.kafka.put(A, creation())

        bench.tick(1000)

        assert bench.offsets == {A: 1}


class TestDrain:
    def test_ends_when_all_that_was_there_at_the_start_is_ingested_and_swept(self) -> None:
        bench = Bench(A, B, drain=True, batch_size=2)
        bench.kafka.put(A, scan("COLLECTED", "10:00"), *returns(1, 4), None)
        bench.kafka.put(B, creation())

        bench.loop.run()

        assert bench.offsets == {A: 6, B: 1}
        assert bench.journal.tables.parked == {}
        assert bench.kafka.source.closed

    def test_ends_at_once_when_there_is_nothing(self) -> None:
        bench = Bench(drain=True)

        bench.loop.run()

        assert bench.journal.commits == []

    def test_waits_for_partitions_that_another_worker_moves(self) -> None:
        bench = Bench(A, B, drain=True)
        bench.kafka.put(A, *returns(1, 2))
        bench.kafka.put(B, *returns(3, 4))
        source = bench.kafka.open()
        source.at_poll[0] = lambda source: source.assign(A)
        bench.loop._open_source = lambda: source
        bench.tick(20)
        assert bench.offsets == {A: 2}
        assert not bench.loop._is_drained()

        bench.journal.tables.offsets[B] = 2

        assert bench.loop._is_drained()

    def test_waits_for_the_sweep_of_what_others_left(self) -> None:
        bench = Bench(drain=True)
        bench.kafka.put(A, creation())
        bench.tick(3)
        assert bench.loop._is_drained()
        assert bench.loop._drain is not None
        bench.loop._drain._batch = None
        bench.journal.tables.batches = 5

        assert not bench.loop._is_drained()
        bench.tick(3)
        assert bench.loop._is_drained()

    def test_ends_although_publishers_go_on(self) -> None:
        # It once waited for a pause in what comes.
        bench = Bench(drain=True)
        bench.kafka.put(A, *returns(1, 3))
        source = bench.kafka.open()
        bench.loop._open_source = lambda: source

        def more(source: FakeSource) -> None:
            bench.clock.pass_(0.1)
            bench.kafka.put(A, creation(f"R-more-{bench.kafka.end(A)}"))
            source.at_poll.append(more)

        source.at_poll.append(more)

        bench.loop.run()

        assert 3 <= bench.offsets[A] <= 40

    def test_ends_with_the_batch_that_completes_it(self) -> None:
        # It once waited for a poll that brought nothing, and for the next sweep after that.
        bench = Bench(drain=True)
        bench.kafka.put(A, scan("COLLECTED", "10:00"), *returns(1, 2))

        bench.loop.run()

        assert bench.story.count("poll") == 2  # one that brings the partition, and one the batch
        assert bench.journal.tables.swept == bench.journal.tables.batches

    def test_ends_however_much_is_invalid(self) -> None:
        bench = Bench(drain=True, fuse_run=5)
        bench.kafka.put(A, *[b"broken"] * 9)

        bench.loop.run()

        assert bench.offsets == {A: 9}

    def test_waits_while_the_server_is_away(self) -> None:
        bench = Bench(drain=True)
        bench.kafka.put(A, *returns(1, 3))
        bench.journal.failures.extend([("before", AWAY), ("after", AWAY)])
        bench.journal.offset_errors.extend([AWAY, AWAY])

        bench.loop.run()

        assert bench.offsets == {A: 3}
        assert len(bench.journal.tables.history) == 3

    def test_sweeps_at_once_what_is_left_though_publishers_go_on(self) -> None:
        bench = Bench(drain=True)
        bench.kafka.put(A, creation())
        bench.tick(2)
        bench.journal.tables.batches = 5  # of others
        bench.kafka.put(A, creation("R-more"))
        now = bench.clock.now

        bench.tick()

        assert (bench.offsets, bench.clock.now) == ({A: 2}, now)  # a sweep by the clock is not due yet
        assert bench.journal.tables.swept == bench.journal.tables.batches == 6

    def test_asks_a_server_that_is_away_for_nothing_until_it_is_tried_again(self) -> None:
        bench = Bench(drain=True)
        bench.kafka.put(A, *returns(1, 3))
        bench.tick(2)
        bench.journal.offset_errors.append(AWAY)
        assert not bench.loop._is_drained()
        bench.story.clear()

        assert not bench.loop._is_drained()
        assert bench.story == []
        bench.until(bench.loop._is_drained)


def test_a_record_is_never_written_twice_whatever_fails_around_it() -> None:
    # Every commit moves each of its offsets on from where the one before it left it.
    bench = Bench(A, B, batch_size=4)
    bench.kafka.put(A, *returns(1, 20))
    bench.kafka.put(B, *returns(21, 40))
    pattern = [None, ("before", AWAY), ("after", AWAY), None, ("before", Conflict("x")), ("after", AWAY)]
    bench.journal.failures.extend(pattern * 4)

    bench.until(lambda: bench.offsets == {A: 20, B: 20}, ticks=1000)

    for partition in (A, B):
        moves = [commit[partition] for commit in bench.journal.commits if partition in commit]
        assert [move.expected for move in moves] == [0, *(move.next for move in moves[:-1])]
    assert [len(rows) for rows in bench.journal.tables.history.values()] == [1] * 40
    assert isinstance(bench.kafka.logs[A][0], Record)


class TestReadingAhead:
    """Behind, the next batch is read before the one in hand is written, and decoded meanwhile."""

    def test_reads_the_next_batch_before_it_writes_this_one(self) -> None:
        bench = Bench(batch_size=4)
        bench.kafka.put(A, *returns(1, 9))
        bench.tick()
        bench.story.clear()

        bench.tick(3)

        assert [step for step in bench.story if step != "resume"] == [
            "poll",
            "poll",
            "commit",
            "poll",
            "commit",
            "commit",
        ]
        assert bench.journal.commits == [{A: (0, 4)}, {A: (4, 8)}, {A: (8, 9)}]

    def test_does_not_when_it_keeps_up(self) -> None:
        bench = Bench(batch_size=10)
        bench.kafka.put(A, *returns(1, 3))
        bench.tick()
        bench.story.clear()

        bench.tick()

        assert [step for step in bench.story if step != "resume"] == ["poll", "commit"]

    def test_a_batch_that_fails_is_written_before_what_was_read_ahead(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 4))
        bench.journal.failures.append(("before", AWAY))

        bench.until(lambda: bench.offsets == {A: 4})

        assert bench.journal.commits == [{A: (0, 2)}, {A: (2, 4)}]

    def test_what_was_read_ahead_of_a_partition_that_is_lost_is_dropped(self) -> None:
        bench = Bench(A, B, batch_size=4)
        bench.kafka.put(A, *returns(1, 8))
        bench.tick()
        source = bench.kafka.source
        source.at_poll.extend([lambda _: None, lambda _: None])
        bench.tick()  # wrote half of A and has read the other half
        source.revoke(A)

        bench.tick(2)

        assert bench.journal.commits == [{A: (0, 4)}]

    def test_what_was_read_ahead_is_read_again_where_another_worker_was_first(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 6))
        bench.tick()
        bench.journal.tables.offsets[A] = 3  # another worker's doing

        bench.until(lambda: bench.offsets == {A: 6})

        assert [bench.journal.recorded(f"R-000{number}") for number in (4, 5, 6)] == [
            [f"R-000{number}-rc"] for number in (4, 5, 6)
        ]
        assert "R-0001" not in bench.journal.tables.returns

    def test_what_was_read_ahead_does_not_overtake_a_batch_that_collided(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 4))
        bench.journal.failures.append(("before", Conflict("history_pkey")))

        bench.until(lambda: bench.offsets == {A: 4})

        assert sorted(bench.journal.tables.returns) == ["R-0001", "R-0002", "R-0003", "R-0004"]
        assert bench.journal.commits == [{A: (0, 2)}, {A: (2, 4)}]

    def test_what_was_read_ahead_goes_with_a_partition_that_is_lost_while_a_batch_is_held(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 4))
        bench.journal.failures.append(("before", AWAY))
        bench.tick(2)  # holds the first batch, and has read the second
        source = bench.kafka.source
        source.at_poll.append(lambda source: source.revoke(A))
        bench.tick()
        source.at_poll.append(lambda source: source.assign(A))

        bench.until(lambda: bench.offsets == {A: 4})

        assert bench.journal.commits == [{A: (0, 2)}, {A: (2, 4)}]

    def test_a_consumer_that_breaks_as_it_reads_ahead_loses_nothing(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 4))
        bench.tick()

        def broken(_: FakeSource) -> None:
            raise BrokenSource("Kafka: KafkaTimeoutError")

        bench.kafka.source.at_poll.extend([lambda _: None, broken])

        bench.until(lambda: bench.offsets == {A: 4})

        assert {len(rows) for rows in bench.journal.tables.history.values()} == {1}

    def test_what_was_read_ahead_goes_with_a_consumer_that_breaks_while_a_batch_is_held(self) -> None:
        bench = Bench(batch_size=2)
        bench.kafka.put(A, *returns(1, 4))
        bench.journal.failures.append(("before", AWAY))
        bench.tick(2)  # holds the first batch, and has read the second

        def broken(_: FakeSource) -> None:
            raise BrokenSource("Kafka: KafkaTimeoutError")

        bench.kafka.source.at_poll.append(broken)

        bench.until(lambda: bench.offsets == {A: 4})

        assert bench.journal.commits == [{A: (0, 2)}, {A: (2, 4)}]

    def test_the_fuse_counts_what_was_read_ahead_once_and_in_its_order(self) -> None:
        bench = Bench(batch_size=3, fuse_run=6)
        bench.kafka.put(A, *returns(1, 3), *[b"broken"] * 9)

        bench.until(lambda: bench.offsets.get(A) == 12)

        assert [letter.is_thin for letter in bench.journal.tables.letters] == [False] * 5 + [True] * 4
