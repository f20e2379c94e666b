"""Scans that no table knew are re-evaluated once a table knows them, and everybody hears of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.adapters.postgres.journal.letters import MendingJournal
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.access.bounds import UNBOUND
from service.application.journal.remap import Order, Remapped, remap
from service.application.reading.tracking import find_history
from service.errors import Retryable
from service.wire.carriers import CarrierTables
from tests.support.ingesting import drain, hub, publish
from tests.support.journals import DS, RP, SCAN, VOID, creation, differences, event, ingest, scan
from tests.support.relaying import told, truth
from tests.support.service import Service

Remap = Callable[..., list[Remapped]]


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A folder with today's table of carrier `slow`."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "slow.toml").write_text(
        'name = "Slow"\n[collected]\n"1" = "Picked up"\n[delivered]\n"9" = "Handed over"\n'
        '[informational]\n"5" = "Attempted"\n',
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def again(database: str, known: Path) -> Iterator[Remap]:
    with closing(MendingJournal(database, CarrierTables.load(known), "test")) as scans:
        yield lambda **order: remap(scans, CarrierTables.load(known), Order(**order))


def created(return_id: str = "R-1001") -> dict[str, Any]:
    return creation(return_id, carrier="slow")


def scanned(code: str, time: str, return_id: str = "R-1001") -> dict[str, Any]:
    label = {"carrier": "slow", "tracking_number": f"T{return_id}"}
    return event(SCAN, f"{return_id}-{code}-{time}", time, code=code, **label, location={"name": "Leeds"})


def history(database: str, columns: str = "id, verdict") -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(f"SELECT {columns} FROM history ORDER BY return_no, seq".encode()).fetchall()


def test_a_scan_that_is_understood_now_gets_a_second_row(database: str, again: Remap) -> None:
    ingest(database, [created(), hub(DS, "ds", "13:00"), scanned("1", "10:00"), scanned("5", "11:00")])

    rows = again()

    assert rows == [Remapped("slow", "1", 1, 1, 0), Remapped("slow", "5", 1, 1, 0)]
    assert history(database, "seq, id, milestone, verdict, reason") == [
        (1, "R-1001-rc", "RC", "advanced", None),
        (2, "ds", "DS", "advanced", None),
        (3, "R-1001-1-10:00", None, "unmapped", "unknown_carrier"),
        (4, "R-1001-5-11:00", None, "unmapped", "unknown_carrier"),
        (5, "R-1001-1-10:00", "RT", "backfilled", None),
        (6, "R-1001-5-11:00", None, "informational", None),
    ]
    event_columns = "source, id, type, occurred_at, zone_source, code, data::text, extensions::text, topic"
    stored = history(database, event_columns + ', partition, "offset", published_at')
    assert stored[4:] == stored[2:4]
    assert differences(database) == []


def test_the_history_shows_both_rows_and_counts_the_second(database: str, again: Remap) -> None:
    ingest(database, [created(), scanned("1", "10:00")])
    again()

    with open_pool(database, 1) as pool:
        found = find_history(PostgresReading(pool), UNBOUND, "R-1001", 0, 10)

    assert found is not None
    shown = [(item["id"], item["verdict"], item["counts"], item["location"]) for item in found[0][1:]]
    assert shown == [
        ("R-1001-1-10:00", "unmapped", False, {"name": "Leeds"}),
        ("R-1001-1-10:00", "advanced", True, {"name": "Leeds"}),
    ]


def test_to_remap_again_adds_nothing(database: str, again: Remap) -> None:
    ingest(database, [created(), scanned("1", "10:00")])
    again()
    before = history(database)

    rows = again()

    assert rows == []
    assert history(database) == before


def test_a_repeat_of_a_remapped_scan_is_a_duplicate(database: str, again: Remap) -> None:
    ingest(database, [created(), scanned("1", "10:00")])
    again()

    ingest(database, [scanned("1", "10:00")])

    assert [verdict for _, verdict in history(database)] == ["advanced", "unmapped", "advanced"]


def test_carrier_code_limit_and_dry_run_bound_what_is_done(database: str, again: Remap) -> None:
    unknown = {**scan("X9", "10:00"), "id": "x"}
    ingest(
        database,
        [created(), *(scanned("1", f"10:{n:02}") for n in range(5)), scanned("9", "12:00"), scanned("?", "13:00")],
    )
    ingest(database, [creation("R-2002"), {**unknown, "data": {**unknown["data"], "tracking_number": "TR-2002"}}])
    unknown_row, other_row = Remapped("generic", "X9", 1, None, 1), Remapped("slow", "?", 1, None, 1)

    looked = again(dry_run=True, limit=4)
    limited = again(limit=3)
    of_code = again(carrier="slow", code="9")
    of_carrier = again(carrier="generic")
    rest = again()

    assert looked == [unknown_row, Remapped("slow", "1", 5, 4, 5), Remapped("slow", "9", 1, 0, 1), other_row]
    assert limited == [unknown_row, Remapped("slow", "1", 5, 3, 2), Remapped("slow", "9", 1, 0, 1), other_row]
    assert of_code == [Remapped("slow", "9", 1, 1, 0)]
    assert of_carrier == [unknown_row]
    assert rest == [unknown_row, Remapped("slow", "1", 2, 2, 0), other_row]
    assert differences(database) == []


def test_a_voided_scan_does_not_count_once_it_is_understood(database: str, again: Remap) -> None:
    early = scanned("1", "10:00")
    void = event(
        VOID, "v", "12:00", return_id="R-1001", source="/test", id=early["id"], by="hub", reason="wrong parcel"
    )
    ingest(database, [created(), early, void, scanned("1", "11:00")])

    again()

    assert history(database, "id, verdict, reason")[4:] == [
        (early["id"], "refused", "voided"),
        ("R-1001-1-11:00", "advanced", None),
    ]
    assert differences(database) == []


def test_a_remapped_scan_can_be_voided(database: str, again: Remap) -> None:
    ingest(database, [created(), scanned("1", "10:00")])
    again()

    void = event(VOID, "v", "12:00", return_id="R-1001", source="/test", id="R-1001-1-10:00", by="hub", reason="no")
    ingest(database, [void])

    assert [row[:2] for row in history(database, "changes -> 0 ->> 0, changes -> 0 ->> 1, seq")[-1:]] == [
        ("revoked", "RT")
    ]
    assert differences(database) == []


def test_remaps_and_workers_may_append_to_the_same_returns_at_a_time(database: str, known: Path) -> None:
    returns = [f"R-{number:04}" for number in range(60)]
    ingest(database, [each for name in returns for each in (created(name), scanned("1", "10:00", name))])
    ingest(database, [scanned("9", "12:00", name) for name in returns])
    errors = list[BaseException]()

    def guarded(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)

        return run

    def in_the_end(step: Callable[[], object]) -> None:
        """As a worker does it: who meets others for the second time gives way, and tries again."""
        for _ in range(50):
            with suppress(Retryable):
                step()
                return
        raise AssertionError("fifty times in the way of others")

    def mend() -> None:
        tables = CarrierTables.load(known)
        with closing(MendingJournal(database, tables, "test")) as scans:
            for _ in range(30):  # by threes, to meet the others often
                in_the_end(lambda: remap(scans, tables, Order(limit=7)))

    def work() -> None:
        for hour in range(13, 20):
            for start in range(0, 60, 20):
                some = [hub(RP, f"{name}-{hour}", f"{hour}:00", name) for name in returns[start : start + 20]]
                in_the_end(partial(ingest, database, some))

    threads = [threading.Thread(target=guarded(each)) for each in (mend, mend, work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert differences(database) == []
    with psycopg.connect(database) as connection:
        counted = connection.execute(
            "SELECT code, verdict = 'unmapped', count(*) FROM history WHERE code IS NOT NULL"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
    assert counted == [("1", False, 60), ("1", True, 60), ("9", False, 60), ("9", True, 60)]


def test_unmapped_scans_are_found_by_their_index(database: str) -> None:
    from service.adapters.postgres.journal.letters import _Q

    asked = {"count_unmapped": {"carrier": None, "code": None}}
    with psycopg.connect(database, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        plans = [
            connection.execute(f"EXPLAIN {_Q['count_unmapped']}".encode(), asked["count_unmapped"]).fetchall(),
            connection.execute(
                f"EXPLAIN {_Q['unmapped'].replace('%b', '%s')}".encode(), ("a", "b", 0, 0, 9)
            ).fetchall(),
        ]
    texts = ["\n".join(line for (line,) in plan) for plan in plans]

    assert ["history_0_expr_code_return_no_seq_idx" in text for text in texts] == [True, True], texts
    assert ["Seq Scan" in text or "Sort" in text for text in texts[1:]] == [False], texts


def test_the_command_tells_by_carrier_and_code_and_subscribers_hear_of_it(service: Service, known: Path) -> None:
    publish(service, created(), scanned("1", "10:00"), scanned("7", "11:00"))
    drain(service)
    service.done("project", "--drain")

    looked = service.done("remap", "--dry-run", RETURNS_CARRIER_TABLES=str(known))
    remapped = service.done("remap", RETURNS_CARRIER_TABLES=str(known))
    service.done("relay", "--drain")
    service.done("project", "--drain")

    assert [line.split() for line in remapped.splitlines()] == [
        ["carrier", "code", "before", "re-evaluated", "after", "means"],
        ["slow", "1", "1", "1", "0", "RT:", "Picked", "up"],
        ["slow", "7", "1", "-", "1", "unknown", "code"],
    ]
    assert "would be re-evaluated" in looked
    changes = service.clients.read(service.topics.name("status_changes"), 2)
    assert told([json.loads(each.value)["data"] for each in changes]) == truth(service.database)
    assert service.query("SELECT status FROM search_returns") == [("RT",)]
    assert service.query("SELECT code, resolved_at IS NULL FROM search_exceptions ORDER BY 1") == [
        ("1", False),
        ("7", True),
    ]
    assert service.done("verify").endswith("no difference\n")
