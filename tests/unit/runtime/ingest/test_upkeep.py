"""When a worker sweeps, tells Kafka how far it is, makes room, and gives up on a partition that stands still."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from service.application.clocks import SYSTEM
from service.application.journal.ingest import Outcome
from service.application.ports import Bounds, Partition
from service.domain.milestones import Verdict
from service.errors import Fatal
from service.metrics import Metrics
from service.runtime.ingest import upkeep as keeping
from service.runtime.ingest.assignment import Assignment
from service.runtime.ingest.upkeep import Upkeep
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.observer import Observer
from tests.support.fakes import Clock, FakeKafka, MemoryJournal
from tests.support.journals import creation

A, B = ("in", 0), ("in", 1)
TURN = 1 / 64  # seconds, which add up without a rounding error
NOTHING, SOMETHING = Outcome({}), Outcome({("in", Verdict.ADVANCED): 2})


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.story = Clock(), list[str]()
        self.kafka = FakeKafka(self.clock, self.story, A, B)
        self.source = self.kafka.open()
        self.source.assign(A, B)
        self.journal, self.metrics = MemoryJournal(self.story), Metrics()
        self.assignment = Assignment()
        self.found: list[Outcome | None] = []
        self.swept_at: list[float] = []
        observer = Observer(self.metrics, SYSTEM._replace(monotonic=self.clock), Board(self.clock))

        def sweep(journal: MemoryJournal, while_waiting: object) -> Outcome | None:
            assert (journal, while_waiting) == (self.journal, while_it_waits)
            self.swept_at.append(self.clock())
            return self.found.pop(0) if self.found else None

        monkeypatch.setattr(keeping, "sweep", SimpleNamespace(sweep=sweep))
        self.began = self.clock()
        self.upkeep = Upkeep(
            self.journal, observer, self.clock, stall_seconds=30, tidy=lambda: self.story.append("tidy")
        )

    def take(self, **positions: int) -> None:
        partitions = {("in", int(name[1:])): at for name, at in positions.items()}
        self.assignment.rebalance((), partitions)
        self.assignment.take_up(partitions)

    def sweeps(self, seconds: float, *, is_behind: bool = False, at_once: bool = False) -> list[float]:
        """Have one turn after the other; when the sweeps were, from now on."""
        now, before = self.clock(), len(self.swept_at)
        for _ in range(round(seconds / TURN)):
            self.clock.pass_(TURN)
            self.upkeep.sweep(while_it_waits, is_behind=is_behind, at_once=at_once)
        return [at - now for at in self.swept_at[before:]]

    def keep(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.clock.pass_(0.5)
            self.upkeep.keep_house(self.source, self.assignment)

    def stalls_at(self, seconds: float) -> float:
        """When a partition was given up; infinite: not within these seconds."""
        began = self.clock()
        try:
            self.keep(seconds)
        except Fatal:
            return self.clock() - began
        return inf


def while_it_waits() -> bool:
    return False


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


class TestSweep:
    def test_is_four_times_a_second_for_what_others_left_and_once_a_second_while_there_is_more_to_do(
        self, bench: Bench
    ) -> None:
        assert bench.sweeps(1) == [0.25, 0.5, 0.75, 1.0]
        assert bench.sweeps(2, is_behind=True) == [1.0, 2.0]

    @pytest.mark.parametrize(("to_sweep", "within"), ((True, TURN), (False, 7 * TURN)))
    def test_of_what_a_batch_left_is_at_once_and_of_what_it_may_have_left_a_little_later(
        self, bench: Bench, *, to_sweep: bool, within: float
    ) -> None:
        assert bench.upkeep.sweep_in() == inf

        bench.upkeep.wrote(to_sweep=to_sweep)

        assert bench.upkeep.sweep_in() == pytest.approx(0 if to_sweep else 0.1)
        assert bench.sweeps(0.2) == [within]
        assert bench.upkeep.sweep_in() == inf

    def test_that_leaves_more_is_followed_by_the_next_at_once_though_it_recorded_nothing(self, bench: Bench) -> None:
        bench.found = [NOTHING._replace(leaves_more=True)] * 5
        bench.upkeep.wrote(to_sweep=True)

        turns = bench.sweeps(0.125)

        assert turns == [TURN] * 4 + [2 * TURN] * 2  # four in one turn, then a turn of the worker
        assert bench.upkeep.sweep_in() == inf

    def test_is_not_put_off_by_another_batch(self, bench: Bench) -> None:
        bench.upkeep.wrote(to_sweep=True)
        bench.upkeep.wrote(to_sweep=False)

        assert bench.upkeep.sweep_in() == 0

    def test_is_due_by_when_the_last_one_was(self, bench: Bench) -> None:
        bench.sweeps(0.25)
        bench.clock.pass_(0.04)
        bench.upkeep.wrote(to_sweep=False)
        assert bench.upkeep.sweep_in() == pytest.approx(0.06)

        bench.clock.pass_(1)
        assert bench.upkeep.sweep_in() == 0

    def test_waits_for_its_second_while_there_is_more_to_do_whatever_was_written(self, bench: Bench) -> None:
        bench.upkeep.wrote(to_sweep=True)

        assert bench.sweeps(1.25, is_behind=True) == [1.0]

    def test_is_in_every_turn_where_it_is_all_that_is_left(self, bench: Bench) -> None:
        assert bench.sweeps(3 * TURN, at_once=True) == [TURN, 2 * TURN, 3 * TURN]

    @pytest.mark.parametrize(
        ("found", "state", "number"),
        (
            ([None, SOMETHING], {}, 1),
            ([NOTHING, SOMETHING], {}, 1),  # of what little came that was all
            ([SOMETHING, NOTHING, SOMETHING], {}, 2),
            ([SOMETHING] * 9, {}, 4),  # batches have their turn too
            ([NOTHING] * 9, {"is_behind": True}, 4),
            ([NOTHING] * 9, {"at_once": True}, 4),
            ([NOTHING, SOMETHING, None], {"at_once": True}, 3),
        ),
    )
    def test_goes_on_while_it_finds_something_but_not_for_ever(
        self, bench: Bench, found: list[Outcome | None], state: dict[str, Any], number: int
    ) -> None:
        bench.found = list(found)
        bench.clock.pass_(1)

        bench.upkeep.sweep(while_it_waits, **{"is_behind": False, "at_once": False, **state})

        assert len(bench.swept_at) == number
        adopted = 2 * found[:number].count(SOMETHING)
        assert (bench.metrics.registry.get_sample_value("returns_adopted_total", {"topic": "in"}) or 0) == adopted


class TestHouse:
    def test_kafka_is_told_once_a_second_how_far_the_worker_is(self, bench: Bench) -> None:
        bench.take(p0=7, p1=3)
        assert not bench.upkeep.is_due

        bench.keep(3)

        assert bench.story == ["tell Kafka"] * 3
        assert bench.source.committed == {A: 7, B: 3}
        bench.clock.pass_(1)
        assert bench.upkeep.is_due

    def test_room_is_made_and_what_is_left_of_the_past_goes_every_half_a_minute(self, bench: Bench) -> None:
        bench.keep(29.5)
        assert "tidy" not in bench.story

        bench.keep(35.5)

        assert [step for step in bench.story if step != "tell Kafka"] == ["extend", "tidy"] * 2


class TestStall:
    @pytest.fixture(autouse=True)
    def records(self, bench: Bench) -> None:
        bench.take(p0=0, p1=0)
        for partition in (A, B):
            bench.kafka.put(partition, creation(), creation())

    def test_is_more_than_the_time_without_a_move_though_there_are_records(self, bench: Bench) -> None:
        bench.assignment.commit(0, {B: 2})

        with pytest.raises(Fatal, match="in 0 has a lag of 2 and did not move for 31 s"):
            bench.keep(60)

        assert bench.clock() - bench.began == 32  # it was first seen after one second

    @pytest.mark.parametrize(
        "change",
        (
            pytest.param(lambda bench: bench.assignment.commit(0, {A: 1, B: 1}), id="it moved"),
            pytest.param(lambda bench: [bench.upkeep.forget(each) for each in (A, B)], id="another owner"),
            pytest.param(lambda bench: bench.upkeep.clear(), id="a known reason"),
        ),
    )
    def test_begins_anew_with_every_reason_to_think_so(self, bench: Bench, change: Callable[[Bench], object]) -> None:
        assert bench.stalls_at(25) == inf

        change(bench)

        assert bench.stalls_at(60) == 32

    @pytest.mark.parametrize(
        "change",
        (
            pytest.param(lambda bench: bench.assignment.commit(0, {A: 2, B: 2}), id="no lag"),
            pytest.param(lambda bench: bench.source.revoke(A, B), id="no answer of Kafka yet"),
            pytest.param(lambda bench: bench.kafka.held_back.update({A: 0, B: 0}), id="an open transaction"),
        ),
    )
    def test_is_none_where_there_is_nothing_that_could_be_read(
        self, bench: Bench, change: Callable[[Bench], object]
    ) -> None:
        change(bench)

        assert bench.stalls_at(100) == inf

    def test_counts_from_when_there_was_something_to_read(self, bench: Bench) -> None:
        bench.assignment.commit(0, {A: 2, B: 2})
        assert bench.stalls_at(50) == inf
        bench.kafka.put(A, creation())

        assert bench.stalls_at(60) == 31

    def test_behind_an_open_transaction_is_asked_for_once_in_the_time_that_it_may_take(self, bench: Bench) -> None:
        bench.kafka.held_back.update({A: 0, B: 0})
        asked: list[Partition] = []
        bounds = bench.source.bounds

        def note(partitions: Collection[Partition]) -> dict[Partition, Bounds]:
            asked.extend(partitions)
            return bounds(partitions)

        bench.source.bounds = note  # type: ignore[method-assign]

        bench.keep(100)

        assert sorted(asked) == [A] * 3 + [B] * 3

    def test_behind_what_was_known_to_kafka_is_no_lag(self, bench: Bench) -> None:
        # The high water mark is of the last fetch; the position may be past it.
        bench.assignment.commit(0, {A: 5, B: 5})

        assert bench.stalls_at(100) == inf
