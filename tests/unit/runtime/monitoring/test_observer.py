"""What a worker shows of its batches: exact counts, times of the right batch, and one line for each thing to see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from service.application.clocks import SYSTEM
from service.application.journal.ingest import Outcome, decode
from service.application.ports import Bounds, DeadLetter, Item, Partition, Stored
from service.domain.milestones import Verdict
from service.errors import Cause
from service.metrics import Metrics, Step
from service.runtime.ingest.taking_up import Reason, Strayed, Taken
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.observer import Observer
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.fakes import STRUCTURED, Clock, FakeKafka
from tests.support.journals import RP, as_bytes, creation, event

NOW_MS = 1_795_600_000_000
NONE = Outcome({})


class Bench:
    def __init__(self) -> None:
        self.clock, self.metrics = Clock(), Metrics()
        self.board = Board(self.clock)
        clocks = SYSTEM._replace(monotonic=self.clock, now=lambda: datetime.fromtimestamp(NOW_MS / 1000, UTC))
        self.observer = Observer(self.metrics, clocks, self.board)

    def value(self, name: str, **labels: object) -> float | None:
        return self.metrics.registry.get_sample_value(name, {key: str(value) for key, value in labels.items()})

    def spend(self, seconds: float, step: Step, *, of_next: bool = False) -> None:
        with self.observer.timed(step, of_next=of_next):
            self.clock.pass_(seconds)

    def batch(self, items: Sequence[Item] = (), outcome: Outcome = NONE) -> dict[str, Any]:
        """Its line."""
        with capture_logs() as lines:
            self.observer.batch(items, outcome)
        return dict(lines[0])


def letter(offset: int = 0, *, topic: str = "scans", timestamp: int = NOW_MS, reason: str = "not_json") -> DeadLetter:
    return DeadLetter(Record(topic, 3, offset, timestamp, None, b"{"), reason, "is no JSON")


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestBatch:
    def test_is_counted_by_topic_and_by_what_became_of_each_event(self, bench: Bench) -> None:
        kept = [letter(), letter(1), letter(topic="hub", reason="no_time")]
        outcome = Outcome(
            {("scans", Verdict.ADVANCED): 5, ("hub", Verdict.ADVANCED): 2, ("scans", Verdict.HELD): 3},
            duplicates={"scans": 4},
            parked={"hub": 6},
            conflicts=2,
            letters_kept=kept,
        )

        for _ in range(2):
            bench.batch(kept, outcome)

        counted = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in bench.metrics.registry.collect()
            if family.type == "counter"
            for sample in family.samples
            if sample.name.endswith("_total")
        }
        assert counted == {
            ("returns_events_total", "advanced", "scans"): 10,
            ("returns_events_total", "advanced", "hub"): 4,
            ("returns_events_total", "held", "scans"): 6,
            ("returns_duplicates_total", "scans"): 8,
            ("returns_parked_total", "hub"): 12,
            ("returns_invalid_total", "not_json", "scans"): 4,
            ("returns_invalid_total", "hub", "no_time"): 2,
            ("returns_conflicts_total", "history"): 4,
        }
        assert (bench.value("returns_batch_records_count"), bench.value("returns_batch_records_sum")) == (2, 6)

    def test_counts_each_description_that_was_ignored_by_type_and_member(self, bench: Bench) -> None:
        hub = {"return_id": "R-1001", "hub": "akl-1"}
        events = [event(RP, "p", "10:00", **hub, items=[{"sku": "S"}]), creation(), creation()]
        records = [Record("in", 0, n, NOW_MS, None, as_bytes(each), STRUCTURED) for n, each in enumerate(events)]
        items = decode(Parser(CarrierTables.load()), records)

        bench.batch([*items, items[0], letter()])

        ignored = {"type": RP, "member": "items.quantity"}
        assert bench.value("returns_members_not_understood_total", **ignored) == 2

    def test_without_records_is_none_in_the_sizes_of_batches(self, bench: Bench) -> None:
        bench.batch()  # past transaction markers

        assert bench.value("returns_batch_records_count") == 0

    def test_has_one_line_with_sums_over_its_topics_and_one_for_each_dead_letter(self, bench: Bench) -> None:
        bench.spend(0.00123, "poll")
        outcome = Outcome(
            {("scans", Verdict.ADVANCED): 5, ("hub", Verdict.ADVANCED): 2, ("hub", Verdict.HELD): 1},
            duplicates={"scans": 4, "hub": 1},
            parked={"hub": 6, "scans": 1},
            deliveries=9,
            conflicts=2,
            letters_kept=[letter(17)],
        )

        with capture_logs() as lines:
            bench.observer.batch([letter(17)] * 20, outcome)

        assert lines == [
            {
                "event": "batch",
                "log_level": "info",
                "part": "ingest",
                "records": 20,
                "verdicts": {"advanced": 7, "held": 1},
                "duplicates": 5,
                "parked": 7,
                "deliveries": 9,
                "invalid": 1,
                "conflicts": 2,
                "ms": {"poll": 1.2},
            },
            {
                "event": "dead_letter",
                "log_level": "warning",
                "part": "ingest",
                "topic": "scans",
                "partition": 3,
                "offset": 17,
                "reason": "not_json",
                "error": "is no JSON",
            },
        ]


class TestTimes:
    def test_a_batch_has_the_steps_that_were_its_own_and_the_next_one_what_was_done_for_it_meanwhile(
        self, bench: Bench
    ) -> None:
        bench.spend(0.5, "poll")
        bench.spend(0.25, "poll")
        bench.clock.pass_(7)  # of nobody: no transaction has begun
        bench.observer.begin()
        bench.clock.pass_(1)
        bench.observer.step("load")
        bench.clock.pass_(0.5)
        bench.spend(0.125, "decode", of_next=True)
        bench.clock.pass_(1.5)
        bench.observer.step("write")
        bench.clock.pass_(1)
        bench.observer.step("load")  # decided anew

        assert bench.batch()["ms"] == {"poll": 750, "load": 2000, "write": 2000}
        assert bench.batch()["ms"] == {"decode": 125}
        assert bench.batch()["ms"] == {}
        assert bench.value("returns_step_seconds_sum", step="load") == 2
        assert bench.value("returns_step_seconds_sum", step="decode") == 0.125
        assert bench.value("returns_step_seconds_count", step="poll") == 1

    def test_what_is_done_for_the_next_batch_adds_up(self, bench: Bench) -> None:
        bench.batch()
        for _ in range(3):
            bench.spend(0.25, "decode", of_next=True)
        bench.batch()

        bench.spend(0.25, "decode")

        assert bench.batch()["ms"] == {"decode": 1000}

    def test_a_step_that_comes_before_a_transaction_is_told_of_counts_from_the_start(self, bench: Bench) -> None:
        bench.clock.pass_(2)

        bench.observer.step("load")

        assert bench.batch()["ms"] == {"load": 2000}

    @pytest.mark.parametrize(
        ("timestamps", "count", "total"),
        (
            ([NOW_MS - 3000, NOW_MS - 1500], 2, 4.5),
            ([NOW_MS + 60_000], 1, 0.0),  # a publisher whose clock is ahead
            ([946_684_800_000], 1, NOW_MS / 1000 - 946_684_800),
            ([946_684_799_999, NOW_MS - 1000, -1, 0, NOW_MS - 1000], 2, 2.0),
        ),
        ids=("late", "from the future", "of 2000", "no times"),
    )
    def test_an_event_has_waited_since_its_record_was_stamped_where_the_stamp_is_one(
        self, bench: Bench, timestamps: list[int], count: int, total: float
    ) -> None:
        bench.batch([letter(number, timestamp=each) for number, each in enumerate(timestamps)])

        assert bench.value("returns_end_to_end_seconds_count", topic="scans") == count
        assert bench.value("returns_end_to_end_seconds_sum", topic="scans") == pytest.approx(total)

    @pytest.mark.parametrize(("records", "timed"), ((1, 1), (99, 99), (100, 50), (5000, 99)))
    def test_of_a_large_batch_about_a_hundred_records_stand_for_all(
        self, bench: Bench, records: int, timed: int
    ) -> None:
        bench.batch([letter(number) for number in range(records)])

        assert bench.value("returns_end_to_end_seconds_count", topic="scans") == timed


class TestSweep:
    def test_counts_what_it_placed_as_recorded_and_as_adopted(self, bench: Bench) -> None:
        outcome = Outcome({("scans", Verdict.ADVANCED): 5, ("scans", Verdict.HELD): 2}, conflicts=1)

        with capture_logs() as lines:
            bench.observer.swept(outcome)

        assert bench.value("returns_events_total", topic="scans", verdict="advanced") == 5
        assert bench.value("returns_events_total", topic="scans", verdict="held") == 2
        assert bench.value("returns_adopted_total", topic="scans") == 7
        assert [(line["event"], line["recorded"], line["conflicts"]) for line in lines] == [("swept", 7, 1)]

    def test_that_placed_nothing_says_nothing(self, bench: Bench) -> None:
        with capture_logs() as lines:
            bench.observer.swept(NONE)

        assert lines == []


class TestTrouble:
    def test_each_retry_is_counted_by_its_cause_and_shown_on_the_board(self, bench: Bench) -> None:
        causes: list[Cause] = ["disk", "lock"]
        for cause in causes:
            bench.observer.retry(cause)

            assert bench.value("returns_retries_total", cause=cause) == 1
            assert bench.board.trouble is not None
            assert bench.board.trouble.cause == cause

    def test_a_partition_that_another_worker_moved_is_a_conflict_of_offsets(self, bench: Bench) -> None:
        bench.observer.lost_partition()

        assert bench.value("returns_conflicts_total", kind="offset") == 1

    def test_blown_fuses_stand_on_the_board_and_in_the_metrics_until_they_are_mended(self, bench: Bench) -> None:
        one: Partition = ("scans", 0)
        other: Partition = ("hub", 7)
        with capture_logs() as lines:
            for blown in ({one}, {one, other}, {one, other}, {other}):
                bench.observer.fuses(frozenset(blown))

        assert bench.board.blown == {other}
        assert [(line["event"], line["log_level"], line["topic"], line["partition"]) for line in lines] == [
            ("fuse_blown", "error", "scans", 0),
            ("fuse_blown", "error", "hub", 7),
            ("fuse_mended", "info", "scans", 0),
        ]
        assert bench.value("returns_fuse_tripped", topic="scans", partition=0) is None
        assert bench.value("returns_fuse_tripped", topic="hub", partition=7) == 1

    def test_thin_letters_are_counted_and_share_a_line(self, bench: Bench) -> None:
        kept = [*(replace(letter(n), is_thin=True) for n in range(3)), letter()]
        with capture_logs() as lines:
            bench.observer.batch(kept, Outcome({}, letters_kept=kept))

        assert [(line["event"], line.get("topics")) for line in lines[1:]] == [
            ("thin_letters", {"scans": 3}),
            ("dead_letter", None),
        ]
        assert bench.value("returns_thin_letters_total", topic="scans") == 3

    def test_brokers_that_tell_no_topic_ids_are_told_of_once_and_only_where_one_of_these_topics_is_read(
        self, bench: Bench
    ) -> None:
        kafka = FakeKafka(bench.clock, [], ("new", 0), ("old", 0))
        kafka.ids["old"] = None
        source = kafka.open()
        with capture_logs() as lines:
            for taken in ([], [("new", 0)]):
                bench.observer.took_up(source, taken)
            assert lines == []
            for _ in range(2):
                bench.observer.took_up(source, [("new", 0), ("old", 0)])

        (line,) = lines
        assert (line["event"], line["log_level"]) == ("topic_ids_unknown", "warning")
        assert "Kafka before 2.8" in line["hint"]

    @pytest.mark.parametrize(
        ("reason", "lost", "event", "more"),
        (
            ("topic_made_anew", 0, "topic_made_anew", {"log_level": "warning"}),
            ("truncated", 0, "stored_offset_out_of_range", {"reason": "truncated", "reads_on_at": 40, "lost": 0}),
            ("retention", 31, "stored_offset_out_of_range", {"log_level": "error", "reads_on_at": 40, "lost": 31}),
        ),
    )
    def test_a_stored_offset_that_is_not_valid_any_more_is_told_with_all_that_is_known_of_it(
        self, bench: Bench, reason: Reason, lost: int, event: str, more: dict[str, Any]
    ) -> None:
        found = Strayed(("scans", 3), 9, Bounds(20, 60), Taken(Stored(40), reason, lost))

        with capture_logs() as lines:
            bench.observer.strayed(found)

        (line,) = lines
        facts = {"event": event, "topic": "scans", "partition": 3, "stored": 9, "begin": 20, "end": 60, **more}
        assert facts.items() <= line.items()
        assert bench.value("returns_offsets_out_of_range_total", topic="scans", reason=reason) == 1
        assert bench.value("returns_records_lost_total", topic="scans") == (lost or None)
