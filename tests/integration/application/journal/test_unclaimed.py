"""A scan of a label whose only creation is void waits, and is listed as one that waits, in whatever order it came."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg

from tests.integration.application.journal.test_labels import created, numbered, on, scan, told
from tests.support.journals import VOID, differences, event, ingest


def _documents(n: int) -> list[dict[str, Any]]:
    """Two creations of one return contradict each other; the one that names T-2 is voided."""
    void = {
        **on("2026-07-04", event(VOID, "void", "12:00")),
        "data": {
            "return_id": "R-1",
            "source": "/test",
            "id": f"R-1-second-{n}",
            "by": "me",
            "reason": "another shop's",
        },
    }
    first = created("R-1", "2026-07-01", id_="first")
    second = created("R-1", "2026-07-02", "T-2", "second", retailer="zenith")
    return list(numbered([first, second, void, scan("COLLECTED", "2026-07-03", tracking_number="T-2")], n))


def _waiting(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        return {subject for (subject,) in connection.execute("SELECT subject FROM parked")}


def test_scans_of_a_label_that_no_creation_names_any_more_wait_in_every_order(database: str) -> None:
    orders = list(enumerate(itertools.permutations(range(4))))
    for place in range(4):
        ingest(database, [_documents(n)[order[place]] for n, order in orders])

    assert _waiting(database) == {f"generic/T-2-{n}" for n, _ in orders}
    assert told(database) == {"R-1": {("RC", "")}}
    assert differences(database) == []


def test_they_are_the_next_one_s_that_names_it(database: str) -> None:
    documents = _documents(0)
    for each in (*documents[:2], documents[3], documents[2]):
        ingest(database, [each])
    assert _waiting(database) == {"generic/T-2-0"}

    ingest(database, [created("R-2-0", "2026-07-02", "T-2-0")])

    assert _waiting(database) == set()
    assert told(database)["R-2"] == {("RT", "")}
    assert differences(database) == []
