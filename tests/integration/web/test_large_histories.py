"""A return whose events are as large as events may be: 100 scans of 230 KB, of thousands of texts each."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from service.adapters.postgres.reading.rows import MOST_BYTES
from tests.support.api import api, project, settings_for, walk
from tests.support.journals import creation, ingest, scan
from tests.support.ops import desk

pytestmark = pytest.mark.postgres

TEXTS: Final = 20_000
SCANS: Final = 100
LARGEST: Final = 256 * 1024


def large() -> list[dict[str, Any]]:
    """What an event of a whole parcel's life would not have, and nothing forbids."""
    said: dict[str, Any] = {
        "location": {"name": "Leeds", "code": "LDS", "country": "GB"},
        "more": [f"text {number:05}"[:9] for number in range(TEXTS)],
    }
    scans = [scan("IN_TRANSIT", f"10:{n % 60:02}", **said) | {"id": f"large-{n:03}"} for n in range(SCANS)]
    return [creation(order_number="A-1"), *scans]


def test_every_page_has_a_bound_in_bytes_and_all_pages_together_have_every_event_once(database: str) -> None:
    """An anonymous look at the page took a minute of the processor, and the desk's page had 25 MB."""
    events = large()
    for first in range(0, len(events), 25):
        ingest(database, events[first : first + 25])
    project(database)
    settings = settings_for(database)

    with api(settings, "read") as client:
        pages = walk(client, "/v1/returns/R-1001/history", limit=500)
        newest = client.get("/v1/returns/R-1001/history", params={"limit": 500})
        shown = client.get("/track/R-1001")
        assert client.get("/first-mile/R-1001").status_code == 200
    with desk(settings, "ops") as agent:
        first_page = agent.get("/ops/returns/R-1001")
        before = re.search(r"before=([0-9]+)", first_page.text)
        assert before is not None
        older = agent.get("/ops/returns/R-1001", params={"before": before[1]})

    assert [item["id"] for page in pages for item in page] == [event["id"] for event in events]
    assert len(newest.content) < MOST_BYTES + LARGEST
    assert "Return In Transit" in shown.text
    # Of what was not read nobody knows whether it calls somebody by that name.
    assert "Leeds" not in shown.text
    assert all(len(page.content) < 3 * MOST_BYTES for page in (first_page, older))
    assert "large-099" in first_page.text
    assert "large-099" not in older.text
