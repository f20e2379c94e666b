"""The search tables follow the journal, and are the same when they are made from nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from service.adapters.postgres.journal.search import PostgresSearch
from service.application.journal.slices import SliceLimits
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.projector import Projector
from tests.support.filling import Filler, world
from tests.support.journals import DELIVERED, RE, RP, RR, VOID, creation, event, ingest, scan


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
        projector(database, rows).run(drain=True)

    return run


def projector(database: str, rows: int = 1500, stop: Stop | None = None) -> Projector:
    return Projector(PostgresSearch(database, SliceLimits(rows=rows)), Stop() if stop is None else stop, Metrics())


def dump(database: str, table: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, row_factory=dict_row) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2".encode()).fetchall()


def the_exceptions(database: str) -> list[tuple[str, str, bool]]:
    """Verdict, reason, and whether it is open."""
    return [(row["verdict"], row["reason"], row["resolved_at"] is None) for row in dump(database, "search_exceptions")]


def hub(type_: str, time: str, return_id: str = "R-1001", **data: Any) -> dict[str, Any]:
    return event(type_, f"{return_id}-{type_}-{time}", time, return_id=return_id, hub="leeds", **data)


def test_a_return_is_found_by_what_it_is_now(database: str, project: Callable[..., None]) -> None:
    project(creation(order_number="O-7"), scan("COLLECTED", "10:00"))
    project(hub(RP, "12:00"), hub(RE, "13:00", connote="C-900"))

    (row,) = dump(database, "search_returns")

    assert {name: row[name] for name in ("return_id", "retailer", "order_number", "status", "hub", "connote")} == {
        "return_id": "R-1001",
        "retailer": "acme",
        "order_number": "O-7",
        "status": "RE",
        "hub": "leeds",
        "connote": "C-900",
    }
    assert (row["version"], row["complete"]) == (4, False)
    assert row["status_at"].isoformat() == "2026-11-20T13:00:00+00:00"
    assert row["created_at"].isoformat() == "2026-11-20T09:00:00+00:00"


def test_a_late_event_leaves_the_time_at_which_the_status_moved(database: str, project: Callable[..., None]) -> None:
    project(creation(), hub(RP, "12:00"))
    (before,) = dump(database, "search_returns")

    project(scan("COLLECTED", "10:00"))

    (after,) = dump(database, "search_returns")
    assert after["status_recorded_at"] == before["status_recorded_at"]
    assert after["updated_at"] > before["updated_at"]
    assert after["version"] == before["version"] + 1


def test_a_held_event_is_open_until_its_milestone_counts(database: str, project: Callable[..., None]) -> None:
    project(creation(), hub(RE, "13:00", connote="C-900"))
    before = the_exceptions(database)

    project(hub(RP, "12:00"))

    assert before == [("held", "awaiting_processed", True)]
    assert the_exceptions(database) == [("held", "awaiting_processed", False)]


def test_a_held_event_that_can_count_no_more_is_not_open(database: str, project: Callable[..., None]) -> None:
    project(creation(), hub(RE, "13:00", connote="C-900"), hub(RR, "12:30", reason="empty"))

    assert the_exceptions(database) == [
        ("refused", "already_rejected", True),  # the same export, which waits no more
        ("held", "awaiting_processed", False),
    ]


def test_a_void_resolves_what_the_voided_event_raised(database: str, project: Callable[..., None]) -> None:
    export = hub(RE, "13:00", connote="C-900")
    project(creation(), export)

    void = {"return_id": "R-1001", "source": export["source"], "id": export["id"], "by": "me", "reason": "mistake"}
    project(event(VOID, "v-1", "14:00", **void))

    assert the_exceptions(database) == [("held", "awaiting_processed", False)]


def test_a_refused_event_stays_open_until_its_milestone_counts(database: str, project: Callable[..., None]) -> None:
    export = hub(RE, "13:00", connote="C-900")
    project(creation(), hub(RP, "12:00"), export, hub(RR, "14:00", reason="empty"))
    before = the_exceptions(database)

    void = {"return_id": "R-1001", "source": export["source"], "id": export["id"], "by": "me", "reason": "mistake"}
    project(event(VOID, "v-1", "15:00", **void))

    assert before == [("refused", "already_exported", True)]
    assert the_exceptions(database) == [("refused", "already_exported", False)]


def test_an_export_under_another_connote_is_seen_and_the_delivery_of_either_brings_the_return_home(
    database: str, project: Callable[..., None]
) -> None:
    project(creation(), hub(RP, "12:00"), hub(RE, "13:00", connote="C-900"), hub(RE, "14:00", connote="C-901"))
    project(event(DELIVERED, "d-1", "15:00", connote="C-901"))
    project(event(DELIVERED, "d-2", "16:00", connote="C-900"))

    assert the_exceptions(database) == [("repeated", "other_connote", True)]
    assert [row["status"] for row in dump(database, "search_returns")] == ["RDBTC"]


def test_an_unmapped_scan_and_a_label_in_use_are_open(database: str, project: Callable[..., None]) -> None:
    project(creation(), scan("WHAT", "10:00"))
    project(creation("R-2002", tracking_number="TR-1001"))

    # In one box both returns have both reasons: the scan is each one's.
    assert sorted(the_exceptions(database)) == [
        ("repeated", "tracking_number_in_use", True),
        ("repeated", "tracking_number_in_use", True),
        ("unmapped", "unknown_code", True),
        ("unmapped", "unknown_code", True),
    ]
    unmapped = [row for row in dump(database, "search_exceptions") if row["reason"] == "unknown_code"]
    assert {(row["carrier"], row["code"]) for row in unmapped} == {("generic", "WHAT")}


def test_a_label_in_use_is_open_until_an_earlier_creation_parts_the_windows(
    database: str, project: Callable[..., None]
) -> None:
    project(creation())
    project(creation("R-2002", tracking_number="TR-1001"))
    assert the_exceptions(database) == [("repeated", "tracking_number_in_use", True)] * 2

    project(creation() | {"id": "true-time", "time": "2026-09-20T09:00:00Z"})

    assert the_exceptions(database) == [("repeated", "tracking_number_in_use", False)] * 2


def test_a_scan_whose_code_became_known_is_open_no_more(database: str, project: Callable[..., None]) -> None:
    project(creation(), scan("WHAT", "10:00"))
    with psycopg.connect(database) as connection:  # what a re-evaluation appends
        connection.execute(
            "INSERT INTO history SELECT (again).* FROM (SELECT jsonb_populate_record(history,"
            " jsonb_build_object('seq', seq + 1, 'verdict', 'informational', 'reason', null,"
            " 'batch_id', pg_current_xact_id()::text)) AS again FROM history WHERE verdict = 'unmapped') AS rows"
        )
        connection.execute("INSERT INTO batches (n, batch_id) SELECT max(n) + 1, pg_current_xact_id() FROM batches")

    project()

    assert the_exceptions(database) == [("unmapped", "unknown_code", False)]


def test_made_from_nothing_the_tables_are_the_same(database: str, filler: Filler) -> None:
    records = list(world(150, seed=21, shuffle=True))
    for start in range(0, len(records), 400):
        filler.fill(records[start : start + 400], batch=150)
        projector(database, rows=40).run(drain=True)
    followed = dump(database, "search_returns"), dump(database, "search_exceptions")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE search_returns SET status = 'RC', seq = 1000 WHERE return_no % 3 = 0")
        connection.execute("DELETE FROM search_exceptions WHERE seq % 2 = 0")

    projector(database).rebuild()

    assert (dump(database, "search_returns"), dump(database, "search_exceptions")) == followed
    assert {row["return_id"] for row in followed[0]} == {row["return_id"] for row in dump(database, "returns")}


def test_readers_see_the_old_tables_until_the_new_ones_are_there(database: str, filler: Filler) -> None:
    filler.fill(world(20, seed=22))
    projector(database).run(drain=True)
    search = PostgresSearch(database, SliceLimits())

    with search.transaction() as tx:
        tx.begin_rebuild()
        during = dump(database, "search_returns")
        with closing(projector(database)) as other:
            idle = other.run_once()  # does not wait for the rebuild
        tx.end(0, 0)
    search.close()

    assert len(during) == 20
    assert idle > 0
    assert dump(database, "search_returns") == []
    with closing(projector(database)) as another:
        assert another.run_once() == 0  # goes on from where the rebuild ended


def test_several_projectors_do_everything_once(database: str, filler: Filler) -> None:
    stop = Stop()
    projectors = [projector(database, rows=20, stop=stop) for _ in range(3)]
    threads = [threading.Thread(target=each.run) for each in projectors]
    for thread in threads:
        thread.start()

    filler.fill(world(60, seed=23, shuffle=True), batch=30)
    projector(database).run(drain=True)
    stop.set()
    for thread in threads:
        thread.join(10)
    followed = dump(database, "search_returns"), dump(database, "search_exceptions")
    projector(database).rebuild()

    assert (dump(database, "search_returns"), dump(database, "search_exceptions")) == followed


def test_a_vain_void_of_a_creation_that_comes_after_it_is_listed_for_as_long_as_it_is_one(database: str) -> None:
    ingest(database, [creation(time="10:00") | {"id": "again"}])
    ingest(
        database, [event(VOID, "v", "11:00", return_id="R-1001", source="/test", id="R-1001-rc", by="me", reason="x")]
    )
    ingest(database, [creation()])  # the exception is filed under it, though it counts
    ingest(database, [scan("COLLECTED", "12:00")])
    projector(database).run(drain=True)

    assert [each[1:] for each in the_exceptions(database)] == [("not_voidable", True)]


def test_what_is_filed_under_an_event_that_is_void_stays_listed_while_another_gives_the_reason(database: str) -> None:
    ingest(database, [creation(), hub(RP, "10:00"), hub(RE, "11:00", connote="C-1")])
    ingest(database, [event(DELIVERED, "d", "15:00", connote="C-1")])
    ingest(database, [hub(RR, "09:30", reason="worn")])  # denies all three, and is told of them once
    projector(database).run(drain=True)
    named = {"source": "/test", "by": "me", "reason": "wrong"}
    ingest(database, [event(VOID, "v", "16:00", return_id="R-1001", id=f"R-1001-{RP}-10:00", **named)])
    projector(database).run(drain=True)
    assert {each[1:] for each in the_exceptions(database)} == {("already_rejected", True)}

    ingest(database, [event(VOID, "w", "17:00", return_id="R-1001", id=f"R-1001-{RR}-09:30", **named)])
    projector(database).run(drain=True)

    assert ("already_rejected", True) not in {each[1:] for each in the_exceptions(database)}
