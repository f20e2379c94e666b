"""Who folds the topic of exceptions holds what is open, whatever was opened or resolved in what a restore lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Databases
from tests.support.journals import RE, RP, creation, event, ingest, scan
from tests.support.pasts import Past
from tests.support.reconciling import Bench
from tests.support.service import Service
from tests.support.waits import look_now, pass_an_hour

HELD = "return/R-1001/awaiting_processed"
LABEL = "label/generic/TR-2/parked"
EXPORT = event(RE, "re", "12:00", return_id="R-1001", hub="akl1", connote="CN-1")
PROCESSING = event(RP, "rp", "11:00", return_id="R-1001", hub="akl1")
UNKNOWN = scan("COLLECTED", "10:00", "R-2")


@pytest.fixture
def bench(service: Service) -> Bench:
    return Bench(service)


def happens(bench: Bench, *events: dict[str, Any]) -> None:
    """They are taken in one by one, and told."""
    for each in events:
        ingest(bench.database, [each])
    bench.relay()


def test_what_was_opened_in_what_is_lost_and_is_not_open_is_told_to_be_over(bench: Bench, databases: Databases) -> None:
    past = Past(databases, bench.database)
    happens(bench, creation(), EXPORT)
    assert bench.folded() == {HELD}
    past.restore()
    for each in (creation(), PROCESSING, EXPORT):
        ingest(bench.database, [each])
    differing = [line for line in bench.verified() if line.startswith("return/")]
    assert differing == [f"{HELD}: no exception in the journal, and open on the topic"]

    done, _ = bench.reconcile()
    bench.relay()

    assert bench.folded() == set()
    assert done.resolved == 1
    assert bench.verified() == []


def test_what_was_resolved_in_what_is_lost_and_is_open_is_told_to_be_so_again(
    bench: Bench, databases: Databases
) -> None:
    past = Past(databases, bench.database)
    happens(bench, creation(), EXPORT, PROCESSING)
    assert bench.folded() == set()
    past.restore()
    for each in (creation(), EXPORT):
        ingest(bench.database, [each])

    bench.reconcile()
    bench.relay()

    assert bench.folded() == {HELD}
    assert bench.verified() == []
    happens(bench, PROCESSING)
    assert bench.folded() == set()
    assert bench.verified() == []


def test_what_waited_in_what_is_lost_and_is_known_now_is_told_to_be_over(bench: Bench, databases: Databases) -> None:
    past = Past(databases, bench.database)
    ingest(bench.database, [creation(), UNKNOWN])
    pass_an_hour(bench.database)
    bench.relay()
    assert bench.folded() == {LABEL}
    past.restore()
    ingest(bench.database, [creation("R-2"), UNKNOWN])

    bench.reconcile()
    look_now(bench.database)
    bench.relay()

    assert bench.folded() == set()
    assert bench.verified() == []


def test_what_waits_still_stays_open(bench: Bench, databases: Databases) -> None:
    ingest(bench.database, [creation(), UNKNOWN])
    pass_an_hour(bench.database)
    past = Past(databases, bench.database)
    happens(bench, EXPORT)
    past.restore()
    ingest(bench.database, [EXPORT])

    bench.reconcile()
    look_now(bench.database)
    bench.relay()

    assert bench.folded() == {HELD, LABEL}
    assert bench.verified() == []
