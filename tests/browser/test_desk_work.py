"""What waits, dead letters and figures at the desk, with as much of each as a month of work leaves."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from playwright.sync_api import expect

from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.wire.record import Record
from tests.support.api import project
from tests.support.axe import violations_by_page
from tests.support.filling import Filler, world
from tests.support.journals import creation, ingest, scan
from tests.support.site import Site
from tests.support.visiting import Visitor, overflowing, torn

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
# Those whose looks depend on how much there is; all pages are looked at in test_desk.py.
PAGES: Final = ("/ops", "/ops/queues/held", "/ops/dead-letters", "/ops/figures")
WIDTHS: Final = (320, 900)


@pytest.fixture(scope="module", autouse=True)
def work(site: Site) -> None:
    """A service that has been running for a month, with something of everything to do."""
    filler = Filler(site.database)
    filler.fill(world(400, seed=51, invalid=0.03, wrong_code=0.05))
    chosen = random.Random(52)
    filler.fill(record for record in world(60, seed=53) if chosen.random() < 0.8)
    filler.close()
    ingest(site.database, [creation("R-LOST"), scan("DELIVERED", "10:00", "R-LOST")])
    project(site.database)
    with psycopg.connect(site.database) as connection:
        connection.execute(
            "UPDATE search_returns SET status_recorded_at = now() - interval '40 days' WHERE return_no % 3 = 0"
        )
        connection.execute(
            "UPDATE search_returns SET status_recorded_at = now() - interval '6 days' WHERE return_id = 'R-LOST'"
        )
        connection.execute(
            "INSERT INTO search_days SELECT current_date - i, m, 'omnirps', 40 + (i * 7919) % 60"
            " FROM generate_series(0, 29) i, unnest(ARRAY['RC','RT','RDTPF','DS','RP','RE','RDBTC','RR']) m"
            " ON CONFLICT (day, milestone, route) DO UPDATE SET returns = excluded.returns"
        )
        connection.execute(
            "INSERT INTO search_minutes SELECT date_trunc('minute', now()) - i * interval '1 min', (i * 7919) % 1300"
            " FROM generate_series(0, 70) i ON CONFLICT DO NOTHING"
        )


@pytest.fixture
def agent(site: Site, visit: Callable[..., Visitor]) -> Callable[..., Visitor]:
    """Makes visitors who are logged in at the desk."""

    def start(**options: Any) -> Visitor:
        with connect(site.database, "test") as connection:
            token = create_token(connection, ("ops",))
        visitor = visit(**options)
        page = visitor.open("/ops/login")
        page.locator("#token").fill(token)
        page.locator("main button").click()
        page.wait_for_url("**/ops")
        return visitor

    return start


@pytest.mark.parametrize("light", ("light", "dark"))
def test_axe_finds_nothing(agent: Callable[..., Visitor], light: str) -> None:
    assert violations_by_page(agent(color_scheme=light), PAGES) == {}


@pytest.mark.parametrize("language", ("de", "ar"))
def test_nothing_is_cut_off_at_any_width(agent: Callable[..., Visitor], language: str) -> None:
    visitor = agent(locale=language)

    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 900})
        for path in PAGES:
            page = visitor.open(path)
            # The heads of tables that are cards are there for ears alone.
            cut = [each for each in overflowing(page) if not each.startswith(("THEAD", "TH.", "TR."))]
            cut = [each for each in cut if not each.startswith(("DIV.scroll", "TABLE.", "PRE."))]
            assert cut == [], (path, width)
            assert torn(page) == [], (path, width)


def test_a_lost_return_is_found_and_a_dead_letter_is_replayed(agent: Callable[..., Visitor], site: Site) -> None:
    filler = Filler(site.database)
    at = int(datetime.now(UTC).timestamp() * 1000)
    filler.write([Record("first-mile.scans", 0, 900_001, at, None, b"{", ())])
    filler.close()
    with psycopg.connect(site.database) as connection:
        # As if what was wrong with it had been mended since.
        mended = json.dumps(scan("COLLECTED", "09:30", "R-LOST")).encode()
        statement = b'UPDATE dead_letters SET value = %s WHERE "offset" = 900001 RETURNING letter_no'
        (letter_no,) = connection.execute(statement, (mended,)).fetchall()[0]
    visitor = agent(java_script_enabled=False)
    page = visitor.page

    page.get_by_role("link", name="Carrier says delivered, no depot scan").click()
    expect(page.get_by_role("link", name="R-LOST")).to_be_visible()
    expect(page.get_by_role("row", name="R-LOST")).to_contain_text("6 days")
    visitor.open(f"/ops/dead-letters/{letter_no}")
    expect(page.get_by_text("Open", exact=True)).to_be_visible()
    page.get_by_role("button", name="Replay").click()

    expect(page.get_by_role("status")).to_contain_text("stands in its return’s history")
    expect(page.get_by_role("link", name="R-LOST")).to_be_visible()
    expect(page.get_by_text("Resolved", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Replay")).to_have_count(0)


def test_a_list_is_taken_away_as_a_file(agent: Callable[..., Visitor]) -> None:
    page = agent().open("/ops/queues/stuck?status=RDTPF")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()

    assert download.value.suggested_filename == "queues-stuck.csv"
    assert "R-LOST" in download.value.path().read_text()


def test_charts_say_in_words_what_they_show(agent: Callable[..., Visitor]) -> None:
    page = agent().open("/ops/figures")

    for name in ("Events per minute", "Returns per day: Return Created", "Returns per day: Return Rejected"):
        chart = page.get_by_role("img", name=name)
        expect(chart).to_be_visible()
        expect(chart).to_have_accessible_description(re.compile("^Most: [0-9]"))
    before = datetime.now(UTC) - timedelta(days=1)
    page.get_by_text("The same as a table").first.click()
    expect(page.locator("div.scroll").first).to_contain_text(f"{before:%b} {before.day}")


def test_an_axis_begins_where_reading_begins(agent: Callable[..., Visitor]) -> None:
    def first_bar(language: str) -> tuple[float, float]:
        page = agent(locale=language).open("/ops/figures")
        bar = page.locator(".funnel").first.locator("rect.now").last.bounding_box()
        trough = page.locator(".funnel").first.locator("rect.trough").last.bounding_box()
        assert bar
        assert trough
        return abs(bar["x"] - trough["x"]), abs(bar["x"] + bar["width"] - trough["x"] - trough["width"])

    left_to_right, right_to_left = first_bar("en"), first_bar("ar")

    assert left_to_right[0] < 1 < left_to_right[1]
    assert right_to_left[1] < 1 < right_to_left[0]
