"""A creation that is void claims no label: whose the number's scans are then, in every order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg

from tests.integration.application.journal.test_labels import Documents, created, numbered, scan, told
from tests.support.journals import VOID, differences, event, ingest

OURS = created("R-1", "2026-11-01", "T-A", "ours")
THEIRS = created("R-1", "2026-11-02", "T-B", "theirs", retailer="zenith")
MISTAKE = event(
    VOID, "void", "20:00", return_id="R-1", source="/test", id="R-1-theirs", by="ops", reason="not zenith's"
)
ANOTHER = created("R-2", "2026-11-10", "T-B", retailer="zenith")
DELIVERED = scan("DELIVERED", "2026-11-12", tracking_number="T-B")


def named(documents: Documents, n: int) -> Iterator[dict[str, Any]]:
    """As `numbered`; a void names the event of its own number."""
    for each in numbered(documents, n):
        data = each["data"]
        yield each | {"data": data | {"id": f"{data['id']}-{n}"}} if each["type"] == VOID else each


def in_every_order(database: str, documents: Documents, *, each: int) -> None:
    orders = list(itertools.permutations(documents))[::each]
    prepared = [list(named(order, n)) for n, order in enumerate(orders)]
    for step in zip(*prepared, strict=True):
        ingest(database, step)


def test_what_came_by_the_label_of_a_void_creation_is_the_next_claimants_alone(database: str) -> None:
    in_every_order(database, [OURS, THEIRS, MISTAKE, ANOTHER, DELIVERED], each=5)

    assert told(database) == {"R-1": {("RC", "")}, "R-2": {("RDTPF", "")}}
    assert differences(database) == []


def test_with_nobody_who_claims_it_it_waits(database: str) -> None:
    in_every_order(database, [OURS, THEIRS, MISTAKE, DELIVERED], each=1)

    assert told(database) == {"R-1": {("RC", "")}}
    assert differences(database) == []
    with psycopg.connect(database) as connection:
        labels = {tuple(row) for row in connection.execute("SELECT DISTINCT is_void, told IS NULL FROM label_claims")}
    assert labels <= {(True, True), (False, True)}
