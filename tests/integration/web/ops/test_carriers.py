"""The desk's page of carriers, as a browser gets it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from httpx import Client

from service.adapters.postgres.database import connect
from service.web.html.catalogue import LANGUAGES
from tests.support.api import settings_for
from tests.support.journals import SCAN, creation, event, ingest
from tests.support.ops import desk

pytestmark = pytest.mark.postgres


@pytest.fixture
def agent(database: str) -> Iterator[Client]:
    with desk(settings_for(database), "ops") as client:
        yield client


def scanned(number: int, code: str, **more: Any) -> dict[str, Any]:
    label = {"carrier": "nzpost", "tracking_number": "N-1"}
    made = event(SCAN, f"scan-{number}", f"1{number}:00", code=code, **label, **more)
    return made | {"source": "/feeds/nzpost" if number % 2 else "/some/integration"}


def cells(row: str) -> list[str]:
    """What stands in the cells of a row."""
    found = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]*>", "", cell)).replace("\xa0", " ").strip() for cell in found]


def test_what_came_of_a_carrier_lately_is_told_by_the_way_that_it_came(database: str, agent: Client) -> None:
    empty = agent.get("/ops/carriers")
    assert empty.status_code == 200
    assert "No scan has come" in empty.text

    place = {"name": "Auckland", "country": "NZ"}
    scans = [
        scanned(1, "13", location=place),
        scanned(2, "13"),
        scanned(3, "NEW <b>"),
        scanned(5, "22", location=place),
    ]
    ingest(database, [creation(carrier="nzpost", tracking_number="N-1"), *scans])
    with connect(database, "test") as connection:
        # A scan that waited for its return is recorded long after the feed brought it; whoever writes a topic may write any time.
        connection.execute(
            "UPDATE history SET published_at = occurred_at + interval '2 hours', recorded_at = occurred_at + interval '9 days'"
        )

    page = agent.get("/ops/carriers").text
    rows = [cells(row) for row in re.findall(r"<tr role=\"row\">(.*?)</tr>", page, re.DOTALL)[1:]]
    assert [row[:3] for row in rows[:2]] == [["NZ Post", "nzpost", "3"], ["NZ Post", "topic", "1"]]
    assert rows[0][4:7] == ["1", "34 %", "0 %"], "unmapped, without place, without offset"
    assert rows[1][4:7] == ["0", "100 %", "0 %"]
    assert (rows[0][7:10], rows[1][7:10]) == (["2 hours"] * 3, ["9 days"] * 3), "half, nine of ten and 99 of 100 within"
    assert "Royal Mail" in page

    codes = agent.get("/ops/carriers/nzpost").text
    assert "NEW &lt;b&gt;" in codes
    assert "<b>" not in codes.replace("<bdi>", "")
    assert codes.index("NEW") < codes.index("Picked up")
    assert "Unmapped: no table has it" in codes
    assert "ParcelTrack API, Edifact Codes" in codes


def test_a_carrier_that_nobody_knows_has_no_page(agent: Client) -> None:
    for address in ("/ops/carriers/nobody", "/ops/carriers/NoSlug", "/ops/carriers/%00"):
        assert agent.get(address).status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_speak_every_language(agent: Client, language: str) -> None:
    for address in ("/ops/carriers", "/ops/carriers/omniparcel"):
        answer = agent.get(address, headers={"accept-language": language})
        assert answer.status_code == 200
        assert f'lang="{language}"' in answer.text
