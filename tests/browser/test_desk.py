"""The operations desk: an agent at work, with a keyboard, in the light and language that an agent has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.support.api import token
from tests.support.axe import LIGHTS, unfolded, violations, violations_by_page
from tests.support.journals import DELIVERED, DS, RE, RP, RR, SCAN, VOID, creation, event, ingest, scan
from tests.support.site import STRUCTURED, Site
from tests.support.thorough import share
from tests.support.visiting import WIDEST, Visitor, overflowing, torn
from tests.support.waiting import eventually

# A test looks at many pages, and axe takes its time over each.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]
PROCESSES: Final = ("ingest", "project")
# In transit for longer than a moment is stuck.
SETTINGS: Final = {"RETURNS_STUCK_HOURS_RT": "0.0001"}
# Whatever can be on a page of the desk is on one of these.
PAGES: Final = (
    "/ops",
    "/ops?q=R-NOWHERE",
    "/ops/returns",
    "/ops/returns?status=RT&stuck=true&carrier=generic",
    "/ops/returns/R-DOOR",
    "/ops/returns/R-DONE",
    "/ops/returns/R-REJECTED",
    "/ops/returns/R-REJECTED/exceptions/already_rejected/acknowledge",
    "/ops/returns/R-UNKNOWN",
    "/ops/connotes",
    "/ops/connotes/C-1",
    "/ops/queues",
    "/ops/queues/stuck?status=RT",
    "/ops/queues/held",
    "/ops/queues/refused?state=acknowledged",
    "/ops/queues/parked",
    "/ops/queues/parked?state=acknowledged",
    "/ops/waiting/return/R-UNKNOWN/parked/acknowledge",
    "/ops/connotes?acknowledged=true",
    "/ops/connotes/C-NONE",
    "/ops/waiting/connote/C-NONE/without_members/acknowledge",
    "/ops/queues/in-use",
    "/ops/queues/unmapped",
    "/ops/queues/unmapped/scans",
    "/ops/dead-letters",
    "/ops/dead-letters/1",
    "/ops/dead-letters/999",
    "/ops/carriers",
    "/ops/carriers/generic",
    "/ops/figures",
    "/ops/audit",
    "/ops/nowhere",
)
SEEN: Final = """
INSERT INTO acknowledgements (return_no, reason, seq, batch_id, token_no, by, note)
SELECT return_no, 'already_rejected', seq, history.batch_id, 1, 'night shift', 'It stays with us, says the_hub_in_a_word_that_is_so_long_that_it_has_to_break'
FROM history JOIN returns USING (return_no) WHERE return_id = 'R-REJECTED' ORDER BY seq DESC LIMIT 1 RETURNING at
"""
SEEN_WAITING: Final = """
INSERT INTO waiting_acknowledgements (kind, subject, upto, batch_id, token_no, by, note)
SELECT kind, subject, n, batch_id, 1, 'night shift', 'Asked the portal, says the_hub_in_a_word_that_is_so_long_that_it_has_to_break'
FROM (VALUES ('return', 'R-AWAY'), ('connote', 'C-AWAY')) AS seen (kind, subject),
    (SELECT n, batch_id FROM batches ORDER BY n DESC LIMIT 1) AS newest RETURNING at
"""
WIDTHS: Final = (320, 768, 1216, 1280)
# What a generic integration's scans mean once somebody has said where its clocks are.
MENDED: Final = """
name = "Generic carrier"
zone = "Pacific/Auckland"

[collected]
COLLECTED = "Collected from the consumer"

[delivered]
DELIVERED = "Delivered at the first-mile destination"
"""


@pytest.fixture(scope="module", autouse=True)
def returns(site: Site) -> None:
    """Something in every queue, and a return that waits for what a letter says."""

    def at_hub(type_: str, time: str, return_id: str, **data: Any) -> dict[str, Any]:
        return event(type_, f"{return_id}-{time}", time, return_id=return_id, hub="leeds", **data)

    connote, mistake = {"connote": "C-1"}, {"by": "agent", "reason": "another parcel"}
    ingest(
        site.database,
        [
            *(each for name in ("R-STUCK", "R-SLOW") for each in (creation(name), scan("COLLECTED", "10:00", name))),
            creation("R-DOOR", order_number="ORDER-7"),
            scan("DELIVERED", "11:00", "R-DOOR", location={"name": "Leeds depot", "code": "LBA", "country": "GB"}),
            scan("A_CODE_THAT_NO_TABLE_HAS_AND_THAT_IS_LONG", "11:30", "R-DOOR"),
            creation("R-HELD"),
            at_hub(RE, "14:00", "R-HELD", **connote),
            creation("R-DONE"),
            at_hub(DS, "12:00", "R-DONE"),
            at_hub(VOID, "12:30", "R-DONE", source="/test", id="R-DONE-12:00", **mistake),
            at_hub(RP, "13:00", "R-DONE"),
            at_hub(RE, "14:00", "R-DONE", **connote),
            event(DELIVERED, "delivered", "20:00", **connote),
            creation("R-REJECTED"),
            at_hub(RR, "12:00", "R-REJECTED", reason="worn_or_used"),
            at_hub(RE, "14:00", "R-REJECTED", **connote),
            creation("R-TWIN", tracking_number="TR-DOOR"),
            *(at_hub(RP, "12:00", name) for name in ("R-UNKNOWN", "R-AWAY")),
            *(event(DELIVERED, f"delivered-{name}", "20:00", connote=name) for name in ("C-NONE", "C-AWAY")),
        ],
    )
    topic = site.service.topics.name("scans")
    site.service.publish([(topic, b"generic/TR-STUCK", mute_scan(), STRUCTURED)])
    eventually(lambda: count(site, "dead_letters") == 1)
    eventually(lambda: count(site, "search_returns") == 7, 30)
    # What the agent of another shift knows of the parcel that was rejected.
    site.service.query(SEEN)
    site.service.query(SEEN_WAITING)


def mute_scan() -> bytes:
    """The delivery of R-STUCK, at a time that nobody can tell: it came without offset, and its carrier has no zone."""
    scanned = event(SCAN, "mute", "11:00", carrier="generic", tracking_number="TR-STUCK", code="DELIVERED")
    del scanned["time"]
    scanned["data"]["local_time"] = "2026-11-20T23:30:00"
    return json.dumps(scanned).encode()


def count(site: Site, table: str) -> int:
    ((number,),) = site.service.query(f"SELECT count(*) FROM {table}")
    return int(number)


@pytest.fixture(scope="module")
def secret(site: Site) -> str:
    return token(site.service.settings, "ops", "read", "hub")


@pytest.fixture
def enter(visit: Callable[..., Visitor], secret: str) -> Callable[..., Visitor]:
    """Makes visitors who are logged in."""

    def start(**options: Any) -> Visitor:
        visitor = visit(**options)
        log_in(visitor.open("/ops/login"), secret)
        return visitor

    return start


def log_in(page: Page, secret: str) -> None:
    page.locator("#token").fill(secret)
    page.keyboard.press("Enter")
    expect(page.locator("header .who")).to_be_visible()


def test_an_agent_finds_a_stuck_return_replays_a_letter_and_sees_it_resolved(
    site: Site, visit: Callable[..., Visitor], secret: str, tmp_path: Path
) -> None:
    page = visit().open("/ops/queues")
    log_in(page, secret)

    page.get_by_role("link", name=re.compile("In transit for too long")).click()
    page.get_by_role("link", name="R-STUCK").click()
    expect(page.locator("main")).to_contain_text("The carrier has it, and reports no delivery.")
    page.get_by_role("link", name="Dead letters").click()
    page.locator("[data-row]").first.click()
    expect(page.locator("main")).to_contain_text("names no zone")
    expect(page.locator("main")).to_contain_text("TR-STUCK")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".notice.stop")).to_be_visible()

    (tmp_path / "generic.toml").write_text(MENDED)
    site.stop_serving()
    site.serve(RETURNS_CARRIER_TABLES=str(tmp_path))
    page.goto("/ops/dead-letters/1")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".notice.good")).to_be_visible()
    expect(page.locator(".head .chip")).to_have_text("Resolved")

    page.get_by_role("link", name="R-STUCK").click()
    expect(page.locator(".way [aria-current]")).to_contain_text("Transferred to Sorting Facility")
    page.get_by_role("link", name="Queues").click()
    page.get_by_role("link", name=re.compile("In transit for too long")).click()
    expect(page.get_by_role("link", name="R-SLOW")).to_be_visible()
    eventually(lambda: page.reload() and not page.get_by_role("link", name="R-STUCK").count())
    page.get_by_role("link", name="Audit log").click()
    expect(page.locator("main")).to_contain_text("Replayed a dead letter")


def test_the_keyboard_is_enough(site: Site, visit: Callable[..., Visitor], secret: str) -> None:
    page = visit().open("/ops/returns?status=RT")
    focused = page.locator("*:focus")

    page.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    page.locator("#token").focus()
    page.keyboard.type(secret)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/ops/returns\?status=RT$"))

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = focused.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(first)
    page.keyboard.press("/")
    expect(focused).to_have_id("find")
    page.keyboard.type("ORDER-7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("R-DOOR")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_without_scripts_all_of_it_works(site: Site, enter: Callable[..., Visitor]) -> None:
    page = enter(java_script_enabled=False).page

    page.get_by_role("searchbox").first.fill("TR-DOOR")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="R-DOOR").first.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("R-DOOR")
    expect(page.locator(".history > li")).to_have_count(4)
    scan_of = page.locator(".history > li").filter(has_text="A_CODE_THAT_NO_TABLE_HAS_AND_THAT_IS_LONG")
    scan_of.get_by_text("As sent and as understood").click()
    expect(scan_of.locator("pre").first).to_contain_text("A_CODE_THAT_NO_TABLE_HAS_AND_THAT_IS_LONG")
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.locator("header .who button").click()
    expect(page.locator("#token")).to_be_visible()


def test_a_field_that_cannot_be_meant_so_looks_like_it(enter: Callable[..., Visitor]) -> None:
    """A typed one once looked like any other: the rule for all inputs was the stronger one."""
    visitor = enter()
    page = visitor.open("/ops/returns?carrier=a+b&status=XX")

    edges = {
        name: page.locator(f"#f-{name}").evaluate("field => getComputedStyle(field).borderTopColor")
        for name in ("carrier", "status", "hub")
    }

    assert edges["carrier"] == edges["status"] != edges["hub"]
    visitor.excuse("status of 422")


def test_a_token_that_opens_nothing_is_told_so(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open("/ops")

    page.locator("#token").fill("rts_nobody")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#token")).to_have_attribute("aria-invalid", "true")
    assert violations(page) == []
    visitor.excuse("status of 403")


@pytest.mark.shared_out
@pytest.mark.parametrize("number", range(len(LIGHTS)))
def test_axe_finds_nothing_in_either_light_or_direction(site: Site, enter: Callable[..., Visitor], number: int) -> None:
    language, light = LIGHTS[number]
    pages = share(PAGES, len(LIGHTS), number)
    assert violations_by_page(enter(locale=language, color_scheme=light), pages) == {}


@pytest.mark.shared_out
@pytest.mark.parametrize("language", WIDEST)
def test_nothing_is_cut_off_at_any_width(site: Site, enter: Callable[..., Visitor], language: str) -> None:
    page = enter(locale=language).page
    found: dict[str, list[str]] = {}

    for path in PAGES:
        page.goto(path)
        unfolded(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            found[f"{path} at {width}"] = [*overflowing(page), *torn(page)]

    assert not said(found)


def said(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {where: each for where, each in found.items() if each}
