"""When the projector looks, on fakes; what it writes is shown on a real database."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest
from structlog.testing import capture_logs

from service.application.clocks import SYSTEM
from service.application.journal import project
from service.application.journal.project import Advanced, SearchTransaction
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime import projector as projecting
from service.runtime.monitoring.board import Board
from service.runtime.projector import Projector, ProjectorOptions
from tests.support.fakes import Clock, ClockStop


class FakeTables:
    def __init__(self) -> None:
        self.up_to = self.newest = 0
        self.waits: list[tuple[int, float]] = []
        self.hints: list[bool | Exception] = []
        self.errors: list[Exception] = []
        self.closed = False

    def progress(self) -> tuple[int, int]:
        if self.errors:
            raise self.errors.pop()
        return self.up_to, self.newest

    def wait(self, n: int, seconds: float) -> bool:
        self.waits.append((n, seconds))
        found = self.hints.pop(0) if self.hints else False
        if isinstance(found, Exception):
            raise found
        return found

    def transaction(self) -> AbstractContextManager[SearchTransaction]:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, rows: int = 1, options: ProjectorOptions | None = None) -> None:
        self.tables, self.clock, self.steps = FakeTables(), Clock(), list[float]()
        self.others_work = False

        def advance(tables: project.SearchTables) -> Advanced | None:
            assert tables is self.tables
            if self.others_work:
                return None
            self.steps.append(self.clock())
            self.tables.up_to += 1
            return Advanced(self.tables.up_to, rows)

        monkeypatch.setattr(projecting, "advance", advance)
        self.stop, self.metrics, self.board = ClockStop(self.clock), Metrics(), Board(self.clock)
        clocks = SYSTEM._replace(monotonic=self.clock, jitter=lambda: 0.0)
        self.projector = Projector(
            self.tables, self.stop, self.metrics, options=options, clocks=clocks, board=self.board
        )

    def turns(self, number: int) -> None:
        """Stop after so many."""
        progress, turns = self.tables.progress, list[int]()

        def count() -> tuple[int, int]:
            turns.append(1)
            if len(turns) >= number:
                self.stop.set()
            return progress()

        self.tables.progress = count  # type: ignore[method-assign]

    @property
    def is_said_to_be_ready(self) -> float | None:
        return self.metrics.registry.get_sample_value("returns_reader_ready", {"reader": "project"})


def test_the_first_batch_after_a_rest_is_projected_at_once_and_the_next_ones_by_the_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    bench.tables.newest = 3
    began = bench.clock()

    for _ in range(3):
        bench.projector.run_once()

    assert bench.steps == pytest.approx([began, began + 0.1, began + 0.2])


def test_far_behind_it_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, rows=5000)
    bench.tables.newest = 3
    began = bench.clock()

    for _ in range(3):
        bench.projector.run_once()

    assert bench.steps == [began] * 3


def test_at_rest_it_looks_when_it_is_told_and_after_a_while_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.tables.up_to = bench.tables.newest = 7
    pause = bench.projector._guarded()

    bench.tables.hints = [False, True]
    bench.projector._rest(pause)
    assert bench.tables.waits == [(7, 0.2)] * 2

    bench.tables.waits.clear()
    bench.projector._rest(pause)
    assert sum(seconds for _, seconds in bench.tables.waits) == pytest.approx(1.0)


def test_a_server_that_goes_away_during_a_rest_is_met_by_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.projector._guarded()
    bench.tables.hints = [Retryable("PostgreSQL 57P01")]

    bench.projector._rest(10.0)

    assert len(bench.tables.waits) == 1


def test_a_stop_ends_a_rest_within_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.projector._guarded()
    bench.stop.set()

    bench.projector._rest(60.0)

    assert bench.tables.waits == []


@pytest.mark.parametrize(("rows", "seconds"), ((499, 0.2), (500, 0.0)))
def test_a_step_of_five_hundred_rows_is_one_after_which_there_is_more(
    monkeypatch: pytest.MonkeyPatch, rows: int, seconds: float
) -> None:
    bench = Bench(monkeypatch, rows)
    bench.tables.newest = 3
    began = bench.clock()

    assert [bench.projector.run_once() for _ in range(3)] == [0.0, 0.0, 0.0]

    assert bench.clock() - began == pytest.approx(seconds)


def test_times_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, options=ProjectorOptions(poll_seconds=7.0, pace_seconds=0.5))
    bench.tables.newest = 2
    began = bench.clock()

    assert [bench.projector.run_once() for _ in range(3)] == [0.0, 0.0, 7.0]
    assert bench.clock() - began == 1.0  # the last look was due as well


def test_while_another_one_is_at_it_there_is_nothing_to_do_but_to_hear_of_what_comes_after_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    bench.tables.newest, bench.others_work = 5, True

    pause = bench.projector._guarded()
    assert (pause, bench.projector.is_ready) == (1.0, True)

    bench.projector._rest(0.2)
    assert bench.tables.waits == [(5, 0.2)]


def test_a_rest_of_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.projector._guarded()

    bench.projector._rest(0.0)

    assert bench.tables.waits == []


def test_a_server_that_is_away_is_told_of_left_alone_until_the_next_try_and_welcomed_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    assert (bench.projector.is_ready, bench.is_said_to_be_ready) == (False, 0)
    bench.projector._guarded()
    assert (bench.projector.is_ready, bench.is_said_to_be_ready) == (True, 1)

    bench.tables.errors = [Retryable("PostgreSQL 53300", cause="connections")]
    with capture_logs() as lines:
        pause = bench.projector._guarded()
    began = bench.clock()
    bench.projector._rest(pause)

    (line,) = lines
    facts = {"event": "project_retries", "part": "project", "error": "PostgreSQL 53300", "seconds": 0.05}
    assert facts.items() <= line.items()
    assert bench.clock() - began == pytest.approx(0.05)
    assert bench.tables.waits == []
    assert (bench.projector.is_ready, bench.is_said_to_be_ready) == (False, 0)
    assert bench.metrics.registry.get_sample_value("returns_retries_total", {"cause": "connections"}) == 1
    assert bench.board.trouble is not None
    assert bench.board.trouble.cause == "connections"

    bench.projector._guarded()
    assert bench.is_said_to_be_ready == 1
    assert bench.board.trouble_seconds() == 0


def test_it_runs_until_it_is_told_to_stop_and_lets_go_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.tables.newest = 2
    bench.turns(6)

    bench.projector.run()

    assert len(bench.steps) == 2
    assert sum(seconds for _, seconds in bench.tables.waits) == pytest.approx(3.0)  # after three looks for nothing
    assert bench.tables.closed


class TestDrain:
    def test_ends_with_what_was_there_at_the_start_though_the_journal_grows(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = Bench(monkeypatch)
        bench.tables.newest = 3
        progress = bench.tables.progress

        def grow() -> tuple[int, int]:
            up_to, newest = progress()
            bench.tables.newest += 1
            return up_to, newest

        bench.tables.progress = grow  # type: ignore[method-assign]
        bench.turns(20)

        bench.projector.run(drain=True)

        assert not bench.stop
        assert len(bench.steps) == 3
        assert bench.tables.closed

    def test_of_nothing_ends_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Bench(monkeypatch)
        bench.turns(20)

        bench.projector.run(drain=True)

        assert not bench.stop
        assert bench.tables.waits == []

    def test_does_not_end_while_the_server_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Bench(monkeypatch)
        bench.tables.newest = 2
        bench.tables.errors = [Retryable("PostgreSQL 57P01")] * 3
        bench.turns(20)

        bench.projector.run(drain=True)

        assert not bench.stop
        assert len(bench.steps) == 2

    def test_that_another_one_does_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Bench(monkeypatch)
        bench.tables.newest, bench.others_work = 2, True
        bench.turns(20)

        def step(n: int, seconds: float) -> bool:
            del n, seconds
            bench.tables.up_to += 1
            return True

        bench.tables.wait = step  # type: ignore[method-assign]

        bench.projector.run(drain=True)

        assert not bench.stop
        assert bench.tables.up_to == 2


@pytest.mark.parametrize("error", (None, Retryable("PostgreSQL 57P01")))
def test_made_from_nothing_it_says_how_much_there_was_and_lets_go_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    bench = Bench(monkeypatch)

    def rebuild(tables: project.SearchTables) -> Advanced:
        assert tables is bench.tables
        bench.clock.pass_(12.34)
        if error is not None:
            raise error
        return Advanced(7, 900)

    monkeypatch.setattr(projecting, "rebuild", rebuild)
    with capture_logs() as lines, pytest.raises(Retryable) if error is not None else nullcontext():
        bench.projector.rebuild()

    assert bench.tables.closed
    told = [(line["n"], line["rows"], line["seconds"]) for line in lines if line["event"] == "rebuilt"]
    assert told == ([(7, 900, 12.3)] if error is None else [])
