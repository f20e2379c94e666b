"""The figures of operations are what a full count of the journal gives, whatever late events and voids changed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from service.adapters.postgres.journal.search import PostgresSearch
from service.application.journal.slices import SliceLimits
from service.domain.milestones import Milestone
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.projector import Projector
from service.wire.stored import decode_state, from_micros
from tests.support.filling import Filler, world
from tests.support.journals import RE, RP, RR, VOID, creation, event, ingest, scan

LAST_STATES = """
SELECT DISTINCT ON (return_no) state, seq, version FROM history ORDER BY return_no, seq DESC
"""


@pytest.fixture
def filler(database: str) -> Iterator[Filler]:
    filler = Filler(database)
    yield filler
    filler.close()


@pytest.fixture
def project(database: str) -> Callable[..., None]:
    def run(*events: dict[str, Any], rows: int = 1500) -> None:
        if events:
            ingest(database, events)
        with closing(PostgresSearch(database, SliceLimits(rows=rows))) as tables:
            Projector(tables, Stop(), Metrics()).run(drain=True)

    return run


def kept(database: str) -> tuple[dict[Any, int], dict[Any, int], dict[Any, int]]:
    """The figures: returns by route and status, by day, milestone and route, and events by minute."""
    with psycopg.connect(database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        counts = connection.execute("SELECT route, status, returns FROM search_counts WHERE returns <> 0").fetchall()
        days = connection.execute("SELECT * FROM search_days WHERE returns <> 0").fetchall()
        minutes = connection.execute("SELECT * FROM search_minutes").fetchall()
    return {row[:2]: row[2] for row in counts}, {row[:3]: row[3] for row in days}, dict(minutes)


def recounted(database: str) -> tuple[dict[Any, int], dict[Any, int], dict[Any, int]]:
    """The same from nothing but the histories."""
    counts, days = Counter[Any](), Counter[Any]()
    with psycopg.connect(database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        states = connection.execute(LAST_STATES).fetchall()
        minutes = connection.execute(
            "SELECT date_trunc('minute', b.recorded_at), count(*) FROM history JOIN batches b USING (batch_id) GROUP BY 1"
        ).fetchall()
    for document, seq, version in states:
        timeline = decode_state(document, seq, version, b"").timeline
        route, status = timeline.route, timeline.status
        assert route is not None
        assert status is not None
        counts[route.value, status.value] += 1
        for milestone, sighting in timeline.counts.items():
            days[from_micros(sighting.at).date(), milestone.value, route.value] += 1
    return dict(counts), dict(days), dict(minutes)


def travelling(database: str) -> list[Any]:
    """What is kept of connotes: of each share how many are under way and delivered, and since when."""
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT * FROM search_connotes ORDER BY 1, 2, 3").fetchall()


def travelling_by_history(database: str) -> list[Any]:
    """The same from nothing but the histories."""
    shares: dict[Any, list[Any]] = {}
    with psycopg.connect(database) as connection:
        states = connection.execute(LAST_STATES).fetchall()
    for document, seq, version in states:
        state = decode_state(document, seq, version, b"")
        counts, attributes = state.timeline.counts, state.evidence.attributes
        assert attributes is not None
        if state.evidence.connote is not None and state.timeline.status in ("RE", "RDBTC"):
            delivery = counts.get(Milestone.RDBTC)
            times = from_micros(counts[Milestone.RE].at), None if delivery is None else from_micros(delivery.at)
            shares.setdefault((state.evidence.connote, attributes.retailer, attributes.carrier), []).append(times)
    found = []
    for share, members in sorted(shares.items()):
        under_way = [exported for exported, delivered in members if delivered is None]
        last = max((delivered for _, delivered in members if delivered is not None), default=None)
        exported = min(under_way or [at for at, delivered in members if delivered == last])
        found.append((*share, len(under_way), len(members) - len(under_way), exported, last))
    return found


def voids(database: str, share: float, seed: int) -> list[dict[str, Any]]:
    """Voids of some of the events that count, creations aside."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT return_id, source, id FROM history JOIN returns USING (return_no)"
            " WHERE milestone IS NOT NULL AND milestone NOT IN ('RC', 'RDBTC') ORDER BY return_no, seq"
        ).fetchall()
    chosen = [row for row in rows if random.Random(f"{seed}/{row}").random() < share]
    return [
        event(VOID, f"void-{i}", "15:00", return_id=row[0], source=row[1], id=row[2], by="me", reason="mistake")
        for i, row in enumerate(chosen)
    ]


@pytest.mark.parametrize("rows", (40, 1500))
def test_they_are_what_a_full_count_gives(
    database: str, filler: Filler, project: Callable[..., None], rows: int
) -> None:
    records = list(world(150, seed=33, shuffle=True))
    for start in range(0, len(records), 300):
        filler.fill(records[start : start + 300], batch=150)
        project(rows=rows)
        assert kept(database) == recounted(database)
        assert travelling(database) == travelling_by_history(database)
    before = travelling(database)
    assert {row[3] > 0 for row in before} == {row[4] > 0 for row in before} == {True, False}

    project(*voids(database, 0.3, seed=33), rows=rows)
    assert travelling(database) == travelling_by_history(database) != before

    figures = kept(database)
    assert figures == recounted(database)
    assert {status for _, status in figures[0]} >= {"RR", "RDBTC"}
    assert sum(figures[0].values()) == 150


def test_a_slice_that_comes_again_counts_nothing_twice(
    database: str, filler: Filler, project: Callable[..., None]
) -> None:
    filler.fill(world(60, seed=32, shuffle=True))
    project()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE cursors SET n = 3 WHERE name = 'search'")

    project(rows=100)

    assert kept(database) == recounted(database)
    assert travelling(database) == travelling_by_history(database)


def test_made_from_nothing_they_are_the_same(database: str, filler: Filler, project: Callable[..., None]) -> None:
    filler.fill(world(60, seed=33, shuffle=True))
    project(rows=100)
    before, under_way = kept(database), travelling(database)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE search_connotes SET delivered = 7, exported_at = now()")
        connection.execute("UPDATE search_counts SET returns = returns + 7")
        connection.execute("DELETE FROM search_days WHERE milestone = 'RT'")
        connection.execute("UPDATE search_minutes SET events = 1")

    with closing(PostgresSearch(database, SliceLimits())) as tables:
        Projector(tables, Stop(), Metrics()).rebuild()

    assert kept(database) == before
    assert travelling(database) == under_way
    filler.fill(world(20, seed=34))
    project()
    assert kept(database) == recounted(database)


def test_a_return_moves_from_day_to_day_and_out_again(database: str, project: Callable[..., None]) -> None:
    late = {**scan("COLLECTED", "10:00"), "time": "2026-11-22T10:00:00Z", "id": "late"}
    project(creation(), late)
    _, first, _ = kept(database)

    project(scan("COLLECTED", "10:00"))  # the day before yesterday
    _, retimed, _ = kept(database)
    project(event(RP, "rp", "12:00", return_id="R-1001", hub="leeds"))
    project(event(RE, "re", "14:00", return_id="R-1001", hub="leeds", connote="C-1"))
    project(event(RR, "rr", "13:00", return_id="R-1001", hub="leeds", reason="empty"))  # from before the export
    counts, revoked, _ = kept(database)

    assert {(day.isoformat(), milestone) for day, milestone, _ in first} >= {("2026-11-22", "RT")}
    assert {day.isoformat() for day, milestone, _ in retimed if milestone == "RT"} == {"2026-11-20"}
    assert counts == {("omnirps", "RR"): 1}
    assert {milestone for _, milestone, _ in revoked} == {"RC", "RT", "RP", "RR"}


def test_returns_from_before_there_were_figures_are_counted_from_their_next_change_on(
    database: str, project: Callable[..., None]
) -> None:
    project(creation(), creation("R-2002"))
    with psycopg.connect(database) as connection:  # as the migration finds them
        connection.execute("UPDATE search_returns SET reached = NULL")
        connection.execute("DELETE FROM search_counts")
        connection.execute("DELETE FROM search_days")

    project(scan("COLLECTED", "10:00"))

    counts, days, _ = kept(database)
    assert counts == {("omnirps", "RT"): 1}
    assert len(days) == 2
