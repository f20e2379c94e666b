"""The scan station at /hub: somebody with a hand scanner, gloves, and a network that goes away."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, expect

from service.web.html.catalogue import LANGUAGES
from tests.support.api import token
from tests.support.axe import violations_in_both_lights
from tests.support.codes import codes
from tests.support.journals import DELIVERED, DS, RE, RP, RR, VOID, creation, event, ingest
from tests.support.site import Site
from tests.support.stations import scan, sign_in, token_of
from tests.support.visiting import Visitor, overflowing, torn
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]
PROCESSES: Final = ("ingest", "project")
WIDTHS: Final = (320, 1280)
# As long as a station is away from the service, and how often it scans meanwhile. The page's clock is moved on; with
# RETURNS_TEST_REAL_TIME in the environment it is the world's, and the test takes as long.
REAL_TIME: Final = "RETURNS_TEST_REAL_TIME" in os.environ
AWAY_SECONDS: Final = 300
PACE_MS: Final = AWAY_SECONDS * 1000 // 40
FORTY: Final = [f"OFF-{number:03}" for number in range(40)]
ITEMS: Final = [{"sku": "SHOE-42", "quantity": 2, "description": "Ann's shoes"}, {"sku": "HAT-1", "quantity": 1}]
# Hears what is played.
EARS: Final = """
window.played = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) { window.played.push(this.frequency.value); return start.call(this, at); };
"""
# A browser that reads codes, and a camera that always sees the same one.
CAMERA: Final = """
window.BarcodeDetector = class {
  static getSupportedFormats() { return Promise.resolve(["code_128"]); }
  detect() { return Promise.resolve([{ rawValue: "CAM-1" }]); }
};
const sheet = document.createElement("canvas");
sheet.getContext("2d").fillRect(0, 0, 9, 9);
navigator.mediaDevices.getUserMedia = () => Promise.resolve(sheet.captureStream(10));
"""


@pytest.fixture(scope="module", autouse=True)
def returns(site: Site) -> None:
    """Parcels that are on their way to the hub, and some that are further."""

    def at_hub(type_: str, return_id: str, time: str, **data: Any) -> dict[str, Any]:
        return event(type_, f"{return_id}-{time}", time, return_id=return_id, hub="leeds", **data)

    there: dict[str, Any] = {"items": ITEMS, "destination_country": "NZ", "order_number": "ORDER-7"}
    ingest(
        site.database,
        [
            *(
                creation(name, **there)
                for name in ("R-1", "R-2", "R-3", "R-4", "R-5", "AWAY-1", "UNDO-1", "CAM-1", "REF-1", "REF-2")
            ),
            *(creation(name) for name in FORTY),
            creation("STRAIGHT", route="first_mile_only"),
            *(
                each
                for name in ("P-0", "P-1", "P-2", "P-3", "T-1", "T-2", "AWAY-2")
                for each in (creation(name, **there), at_hub(RP, name, "12:00"))
            ),
            *(
                each
                for name in ("P-AU", "T-AU")
                for each in (creation(name, **{**there, "destination_country": "AU"}), at_hub(RP, name, "12:00"))
            ),
            creation("GONE", **there),
            at_hub(RP, "GONE", "12:00"),
            at_hub(RE, "GONE", "13:00", connote="CN-OLD"),
            creation("REJECTED", **there),
            at_hub(RR, "REJECTED", "12:00", reason="damaged"),
            *(each for name in ("OLD-1", "OLD-2") for each in (creation(name), at_hub(DS, name, "10:00"))),
        ],
    )
    eventually(lambda: site.service.query("SELECT count(*) FROM search_returns")[0][0] == 64, 30)


@pytest.fixture(scope="module")
def secret(site: Site) -> str:
    return token_of(site, "leeds", "hub", "scan")


@pytest.fixture
def enter(visit: Callable[..., Visitor], secret: str) -> Callable[..., Visitor]:
    """Makes stations that are signed in."""

    def start(path: str = "/hub", **options: Any) -> Visitor:
        visitor = visit(**options)
        visitor.page.add_init_script(EARS)
        sign_in(visitor, secret, path)
        return visitor

    return start


def sent(page: Page) -> None:
    """Wait until the service has everything."""
    expect(page.locator("#count-unsent")).to_have_text("0", timeout=60_000)
    expect(page.locator("#link")).to_have_attribute("data-state", "reached")


def hub_events(site: Site) -> list[dict[str, Any]]:
    """What stands on the topic, in its order."""
    topic = site.service.topics.name("hub_events")
    return [json.loads(record.value) for record in site.service.clients.read(topic, site.service.topics.end(topic))]


def counted(page: Page) -> dict[str, str]:
    names = ("received", "processed", "rejected", "packed", "exported", "stopped")
    return {name: page.locator(f"#count-{name}").inner_text() for name in names}


def status(site: Site, return_id: str) -> str | None:
    rows = site.service.query("SELECT status FROM search_returns WHERE return_id = %s", return_id)
    return rows[0][0] if rows else None


def test_each_scan_says_what_the_parcel_was_and_whether_that_makes_sense(
    site: Site, enter: Callable[..., Visitor]
) -> None:
    page = enter().page

    scan(page, "R-1", "Received", "good")
    expect(page.locator("#more")).to_have_text("Was: Return Created")
    assert page.evaluate("window.played") == [988]
    sent(page)
    eventually(lambda: status(site, "R-1") == "DS", 30)
    scan(page, "R-1", "In already", "look")
    expect(page.locator("#more")).to_contain_text("leeds")
    scan(page, f"{site.url}/track/R-2?lang=de", "Received", "good")
    scan(page, "TR-3", "Received", "good")
    expect(page.locator("#number")).to_have_text("R-3")
    scan(page, "STRAIGHT", "Not ours", "stop")
    scan(page, "GONE", "Exported already", "stop")
    scan(page, "REJECTED", "Rejected before", "stop")
    scan(page, "P-0", "Processed already", "look")
    scan(page, "(!)", "No number", "stop")
    page.get_by_role("button", name="Undo last scan").focus()
    scan(page, "NOBODY-1", "Unknown: park it", "stop")
    page.get_by_role("button", name="Print label").click()
    page.emulate_media(media="print")
    assert codes(page.locator(".label").screenshot()) == {"Code128": "NOBODY-1"}
    assert page.evaluate("window.printed") == 1
    page.emulate_media(media="screen")
    sent(page)

    received = ("R-1", "R-2", "R-3", "NOBODY-1")  # others are what other tests scan
    found = [each for each in hub_events(site) if each["data"]["return_id"] in received]
    assert all(each["source"].startswith("/leeds-hub/hub/leeds/") for each in found)
    assert [each["data"] for each in found] == [{"return_id": each, "hub": "leeds"} for each in received]
    assert {each["type"] for each in found} == {DS}
    assert counted(page)["received"] == "4"


def work(page: Page, code: str) -> None:
    """Scan what nobody can be asked about, and handle the parcel for as long as the next one takes to come."""
    scan(page, code, "Kept", "kept")
    if REAL_TIME:
        page.wait_for_timeout(PACE_MS)
    else:
        page.clock.run_for(PACE_MS)


@pytest.mark.timeout(900)
def test_forty_scans_in_five_minutes_while_the_service_is_away_arrive_once_and_in_order(
    site: Site, visit: Callable[..., Visitor], secret: str
) -> None:
    visitor = visit()
    page = visitor.page
    if not REAL_TIME:
        # Five minutes behind, and right again when they are over: all that the page waits for in them comes to pass.
        visitor.context.clock.install(time=datetime.now(UTC) - timedelta(seconds=AWAY_SECONDS))
    sign_in(visitor, secret)
    scan(page, "OFF-000", "Received", "good")
    expect(page.locator("#count-unsent")).to_have_text("0", timeout=60_000)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    before = len(hub_events(site))
    tried: list[str] = []
    visitor.context.on("requestfailed", lambda request: tried.append(request.url))

    site.stop_serving()
    for number in FORTY[1:20]:
        work(page, f"T{number}")
    scan(page, "OFF-000", "In already", "look")
    scan(page, "TOFF-001", "In already", "look")
    page.reload()
    expect(page.locator("#field")).to_be_focused()
    expect(page.locator("#unsent")).to_have_text("19 to send")
    for number in FORTY[20:]:
        work(page, number)
    page.close()
    page = visitor.context.new_page()
    page.goto("/hub")
    expect(page.locator("#unsent")).to_have_text("39 to send")
    work(page, "STRAIGHT")
    # At each scan; and between them, as often as it comes to it.
    assert len([url for url in tried if url.startswith(site.url)]) >= len(FORTY)
    lost: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        answer = route.fetch()
        if lost:
            route.fulfill(response=answer)
        else:
            lost.append(str(answer.status))
            route.abort()

    page.route("**/v1/events", lose_the_first_answer)
    site.serve()
    sent(page)

    # The service had them all before its answer was lost; sent again, they are the same events.
    assert lost == ["200"]
    events = hub_events(site)[before:]
    assert events[40:] == events[:40]
    assert [each["data"]["return_id"] for each in events[:40]] == [*FORTY[1:], "STRAIGHT"]
    assert len({each["id"] for each in events}) == 40
    times = [each["time"] for each in events[:40]]
    assert times == sorted(times)
    assert (datetime.fromisoformat(times[-1]) - datetime.fromisoformat(times[0])).total_seconds() > AWAY_SECONDS * 0.95
    eventually(lambda: all(status(site, number) == "DS" for number in FORTY), 30)
    assert site.service.query(
        "SELECT count(*) FROM history WHERE type = %s AND data ->> 'return_id' LIKE 'OFF-%%'", DS
    ) == [(40,)]
    # What made no sense is said as soon as it is known.
    expect(page.locator("#look-rows")).to_contain_text("STRAIGHT")
    page.get_by_role("button", name="Seen").click()
    expect(page.locator("#look")).to_be_hidden()
    visitor.excuse(r"ERR_CONNECTION_REFUSED|status of 404")


def test_the_last_scan_is_undone_by_a_void_and_counters_follow(site: Site, enter: Callable[..., Visitor]) -> None:
    page = enter().page
    scan(page, "UNDO-1", "Received", "good")
    sent(page)
    eventually(lambda: status(site, "UNDO-1") == "DS", 30)
    assert counted(page)["received"] == "1"

    scan(page, "hub:undo", "Undone", "look")

    assert counted(page)["received"] == "0"
    sent(page)
    received, void = [each for each in hub_events(site) if each["data"]["return_id"] == "UNDO-1"]
    assert void["type"] == VOID
    assert (void["data"]["source"], void["data"]["id"]) == (received["source"], received["id"])
    eventually(lambda: status(site, "UNDO-1") == "RC", 30)
    page.get_by_role("button", name="Undo last scan").click()
    expect(page.locator("#said")).to_have_text("Nothing to undo")
    scan(page, "UNDO-1", "Received", "good")
    page.get_by_role("button", name="New shift").click()
    expect(page.locator("#count-stopped")).to_have_text("0")
    expect(page.locator("#oldest li").first).to_contain_text("OLD-1")
    sent(page)


def test_a_parcel_is_processed_by_what_is_in_it_or_rejected_for_a_reason(
    site: Site, enter: Callable[..., Visitor]
) -> None:
    page = enter().page
    page.get_by_role("button", name="Process", exact=True).click()

    scan(page, "R-4", "Check the items", "good")
    assert "Ann" not in page.locator("#process").inner_text()
    scan(page, "R-4", "Count the items first", "stop")
    scan(page, "SHOE-42", "Counted", "good")
    scan(page, "SHOE-42", "Counted", "good")
    scan(page, "BOOT-9", "Not in this parcel", "stop")
    hat = page.locator("[data-sku='HAT-1']")
    hat.get_by_role("button", name="One more of HAT-1").click()
    hat.get_by_role("button", name="Damaged").click()
    hat.get_by_role("button", name="Rejected").click()
    scan(page, "R-4", "Say why", "stop")
    hat.get_by_role("group", name="Reason for HAT-1").get_by_role("button", name="Worn or used").click()
    scan(page, "R-4", "Processed", "good")
    scan(page, "R-5", "Check the items", "good")
    page.get_by_role("button", name="Reject the return").click()
    page.locator("#reasons").get_by_role("button", name="Wrong item").click()
    expect(page.locator("#said")).to_have_text("Rejected")
    scan(page, "R-4", "Processed already", "look")
    scan(page, "NOBODY-2", "Unknown: park it", "stop")
    sent(page)

    processed, rejected = [each for each in hub_events(site) if each["data"]["return_id"] in ("R-4", "R-5")]
    assert processed["type"] == RP
    assert processed["data"]["items"] == [
        {"sku": "SHOE-42", "quantity": 2, "outcome": "accepted"},
        {"sku": "HAT-1", "quantity": 1, "condition": "damaged", "outcome": "rejected", "reason": "worn_or_used"},
    ]
    assert (rejected["type"], rejected["data"]["reason"]) == (RR, "wrong_item")
    eventually(lambda: (status(site, "R-4"), status(site, "R-5")) == ("RP", "RR"), 30)
    assert (counted(page)["processed"], counted(page)["rejected"]) == ("1", "1")


def test_what_nobody_could_be_asked_about_is_kept_and_not_said_to_make_sense(
    site: Site, enter: Callable[..., Visitor]
) -> None:
    visitor = enter()
    page = visitor.page
    page.get_by_role("button", name="Consolidate").click()
    scan(page, "CN-AWAY", "Connote open", "good")
    scan(page, "AWAY-2", "In the connote", "good")

    page.route("**/v1/**", lambda route: route.abort())
    scan(page, "hub:export", "Exported", "kept")
    page.get_by_role("button", name="Process", exact=True).click()
    scan(page, "AWAY-1", "Check the items", "kept")
    scan(page, "AWAY-1", "Kept", "kept")
    page.unroute_all()
    sent(page)

    eventually(lambda: [status(site, each) for each in ("AWAY-1", "AWAY-2")] == ["RP", "RE"], 30)
    visitor.excuse("ERR_FAILED")


def test_parcels_are_consolidated_under_a_connote_and_exported_and_what_does_not_belong_is_refused(
    site: Site, enter: Callable[..., Visitor]
) -> None:
    page = enter().page
    page.get_by_role("button", name="Consolidate").click()

    scan(page, "R-3", "That is a return", "stop")
    scan(page, "CN-7", "Connote open", "good")
    for number in ("P-1", "P-2", "P-3"):
        scan(page, number, "In the connote", "good")
    scan(page, "P-1", "In it already", "look")
    scan(page, "P-AU", "Wrong destination", "stop")
    expect(page.locator("#more")).to_contain_text("It goes to acme · AU. This connote goes to acme · NZ.")
    scan(page, "R-3", "Not processed", "stop")
    scan(page, "REJECTED", "Rejected before", "stop")
    scan(page, "GONE", "Exported already", "stop")
    scan(page, "NOBODY-3", "Unknown: park it", "stop")
    page.get_by_role("button", name="Put aside").click()
    scan(page, "CN-8", "Connote open", "good")
    scan(page, "P-1", "In another connote", "stop")
    page.get_by_role("button", name="Put aside").click()
    scan(page, "CN-7", "Connote open", "good")
    scan(page, "hub:undo", "Undone", "look")
    expect(page.locator("#members li")).to_have_count(2)
    page.get_by_role("button", name="Print label").last.click()
    page.emulate_media(media="print")
    assert codes(page.locator(".label").screenshot()) == {"Code128": "CN-7"}
    expect(page.locator(".label")).to_contain_text("acme · NZ")
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Close").click()
    scan(page, "P-3", "The connote is closed", "stop")
    page.get_by_role("button", name="Export").click()
    expect(page.locator("#said")).to_have_text("Exported")
    sent(page)

    exported = [each for each in hub_events(site) if each["data"].get("connote") == "CN-7"]
    assert {each["type"] for each in exported} == {RE}
    assert [each["data"]["return_id"] for each in exported] == ["P-1", "P-2"]
    eventually(lambda: [status(site, each) for each in ("P-1", "P-2", "P-3")] == ["RE", "RE", "RP"], 30)
    scan(page, "CN-7", "Exported already", "stop")
    assert counted(page)["exported"] == "2"

    carrier = {"authorization": f"Bearer {token(site.service.settings, 'scan')}"}
    delivered = {**event(DELIVERED, "cn-7", "20:00", connote="CN-7"), "time": exported[0]["time"]}
    assert page.request.post("/v1/events", data=delivered, headers=carrier).status == 200
    eventually(lambda: [status(site, each) for each in ("P-1", "P-2", "P-3")] == ["RDBTC", "RDBTC", "RP"], 30)
    page.goto("/track/P-1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Return Delivered Back To Retailer")


def test_two_stations_share_a_connote_by_its_number_and_each_exports_its_own(
    site: Site, enter: Callable[..., Visitor]
) -> None:
    first, second = enter().page, enter().page
    for page in (first, second):
        page.get_by_role("button", name="Consolidate").click()
    scan(first, "CN-TWO", "Connote open", "good")
    scan(second, "CN-TWO", "Connote open", "good")
    scan(first, "T-1", "In the connote", "good")
    scan(first, "T-2", "In the connote", "good")
    # It lies here now, and the first station still has it on its list.
    scan(second, "T-2", "In the connote", "good")
    second.get_by_label("Air waybill").fill("086-12345675")
    second.keyboard.press("Enter")
    expect(second.locator("#field")).to_be_focused()
    scan(second, "hub:export", "Exported", "good")
    sent(second)
    eventually(lambda: status(site, "T-2") == "RE", 30)

    # Whoever exports is told of what went another way, and exports the rest then.
    scan(first, "hub:export", "Take these out", "stop")
    expect(first.locator("#more")).to_contain_text("T-2: Return Exported, CN-TWO")
    expect(first.locator("#members li")).to_have_text(["T-1"])
    expect(first.locator("#connote-place")).to_contain_text("exported already: 1")
    scan(first, "T-AU", "Wrong destination", "stop")
    scan(first, "hub:export", "Exported", "good")
    sent(first)
    eventually(lambda: status(site, "T-1") == "RE", 30)

    # What was exported under is added to only by who means to; and it goes where it went.
    scan(second, "CN-TWO", "Exported already", "stop")
    expect(second.locator("#more")).to_contain_text("Parcels that were exported under it: 2. Scan it once more")
    scan(second, "CN-TWO", "Connote open", "look")
    scan(second, "T-AU", "Wrong destination", "stop")
    scan(second, "T-1", "Exported already", "stop")
    carrier = {"authorization": f"Bearer {token(site.service.settings, 'scan')}"}
    exported = {each["data"]["return_id"]: each for each in hub_events(site) if each["data"].get("connote") == "CN-TWO"}
    assert {each: exported[each]["data"].get("mawb") for each in exported} == {"T-1": None, "T-2": "086-12345675"}
    assert len({each["source"] for each in exported.values()}) == 2
    delivered = {**event(DELIVERED, "cn-two", "20:00", connote="CN-TWO"), "time": exported["T-1"]["time"]}
    assert second.request.post("/v1/events", data=delivered, headers=carrier).status == 200
    eventually(lambda: [status(site, each) for each in ("T-1", "T-2")] == ["RDBTC", "RDBTC"], 30)
    second.get_by_role("button", name="Put aside").click()
    scan(first, "CN-TWO", "Delivered already", "stop")
    # The second one has it open: nothing goes under it any more.
    scan(second, "CN-TWO", "Delivered already", "stop")
    scan(second, "P-0", "Delivered already", "stop")


def test_what_the_service_refuses_is_shown_and_a_token_that_was_revoked_costs_no_scan(
    site: Site, enter: Callable[..., Visitor], secret: str
) -> None:
    visitor = enter()
    page = visitor.page
    faults = [{"path": "data.hub", "detail": "nobody knows it"}]
    on_their_way: list[Route] = []
    page.route("**/v1/events", lambda route: on_their_way.append(route), times=1)  # noqa: PLW0108 - it has to be a function
    scan(page, "REF-1", "Received", "good")
    eventually(lambda: page.evaluate("1") and on_their_way, 30)
    on_their_way[0].fulfill(status=207, json={"items": [{"status": "invalid", "faults": faults}]})
    expect(page.locator("#said")).to_have_text("A scan was not taken")
    expect(page.locator("#look-rows")).to_contain_text("data.hub: nobody knows it")
    assert counted(page)["received"] == "0"
    page.get_by_role("button", name="Seen").click()
    expect(page.locator("#look")).to_be_hidden()

    page.route("**/v1/**", lambda route: route.fulfill(status=401, json={}))
    scan(page, "REF-2", "Kept", "kept")
    expect(page.locator("#link")).to_have_attribute("data-state", "denied")
    scan(page, "REF-2", "In already", "look")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#token")).to_be_focused()
    page.unroute_all()
    other = token_of(site, "paris", "hub")
    page.locator("#token").fill(other)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Scans of leeds still wait")
    page.locator("#token").fill(secret)
    page.keyboard.press("Enter")
    expect(page.locator("#field")).to_be_focused()
    sent(page)
    eventually(lambda: status(site, "REF-2") == "DS", 30)
    assert status(site, "REF-1") == "RC"
    visitor.excuse("status of 401")


def test_a_camera_is_a_scanner_where_the_browser_reads_codes(site: Site, enter: Callable[..., Visitor]) -> None:
    page = enter().page
    expect(page.get_by_role("button", name="Camera")).to_be_hidden()
    page.add_init_script(CAMERA)
    page.reload()

    page.get_by_role("button", name="Camera").click()

    expect(page.locator("#number")).to_have_text("CAM-1")
    expect(page.locator("#said")).to_have_text("Received")
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#view")).to_be_hidden()
    sent(page)
    # Held before the camera for a while, it is one scan.
    assert counted(page)["received"] == "1"


def test_who_may_not_work_here_is_told_why(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open("/hub")
    everybody = token(site.service.settings, "hub")

    for secret, said in (("rts_nobody", "This is no token of a hub."), (everybody, "This token is bound to no hub.")):
        page.locator("#token").fill(secret)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text(said)
    visitor.excuse("status of 401")


def test_axe_finds_nothing_in_any_light_or_colour_and_nothing_is_cut_off(
    site: Site, visit: Callable[..., Visitor], enter: Callable[..., Visitor]
) -> None:
    found = {"signin": violations_in_both_lights(visit().open("/hub"))}
    page = enter().page
    for language in LANGUAGES:
        page.goto(f"/hub?lang={language}")
        expect(page.locator("#field")).to_be_focused()
        for mode, code in (("receive", "STRAIGHT"), ("process", "R-3"), ("consolidate", "CN-9")):
            page.locator(f"#modes [data-mode={mode}]").click()
            count = int(page.locator("#signal").get_attribute("data-count") or 0)
            page.keyboard.type(code)
            page.keyboard.press("Enter")
            page.wait_for_function("count => document.getElementById('signal').dataset.count > count", arg=count)
            page.evaluate("document.getElementById('reasons').hidden = false")
            if language == "en" or (language, mode) == ("ar", "process"):
                found[f"{language} {mode}"] = violations_in_both_lights(page)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                found[f"{language} {mode} {width}"] = [*overflowing(page), *torn(page)]

    assert not {where: said for where, said in found.items() if said}
