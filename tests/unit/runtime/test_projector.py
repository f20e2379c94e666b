"""When the projector looks, on fakes; what it writes is shown on a real database."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from service.application.clocks import SYSTEM
from service.application.journal import project
from service.application.journal.project import Advanced, SearchTransaction
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime import projector as projecting
from service.runtime.projector import Projector, ProjectorOptions
from tests.support.fakes import Clock, ClockStop


class FakeTables:
    def __init__(self) -> None:
        self.up_to = self.newest = 0
        self.waits: list[tuple[int, float]] = []
        self.hints: list[bool | Exception] = []
        self.closed = False

    def progress(self) -> tuple[int, int]:
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
    def __init__(self, monkeypatch: pytest.MonkeyPatch, rows: int = 1) -> None:
        self.tables, self.clock, self.steps = FakeTables(), Clock(), list[float]()

        def advance(_: project.SearchTables) -> Advanced:
            self.steps.append(self.clock())
            self.tables.up_to += 1
            return Advanced(self.tables.up_to, rows)

        monkeypatch.setattr(projecting, "advance", advance)
        self.stop = ClockStop(self.clock)
        clocks = SYSTEM._replace(monotonic=self.clock)
        options = ProjectorOptions(poll_seconds=1.0, pace_seconds=0.1)
        self.projector = Projector(self.tables, self.stop, Metrics(), options=options, clocks=clocks)


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
