"""The whole journey through the front door: nobody speaks Kafka, and nothing is simulated.

A consumer makes a return on the retailer's page and prints its label; the carrier posts what it has in words of its own; a
hub scans, opens, packs and exports at its station; another carrier delivers the connote; and the consumer sees it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.application.access.bounds import Bounds
from service.wire.omnireturns.links import sign
from tests.support import feeds
from tests.support.api import token
from tests.support.codes import codes
from tests.support.site import Site
from tests.support.visiting import Visitor
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]
_HERE: Final = Path(__file__).parent
PROCESSES: Final = ("ingest", "project")
SETTINGS: Final = {
    "RETURNS_NUMBERS_FILE": str(_HERE / "journey-numbers.toml"),
    "RETURNS_PORTAL_FILE": str(_HERE / "journey-portal.toml"),
    "RETURNS_FEEDS_FILE": str(_HERE / "journey-feeds.toml"),
}
FIRST_MILE, FINAL_MILE = "first mile of the tests", "final mile of the tests"
# Prints nothing, and is as patient as the machine is busy.
STATION: Final = """
window.print = () => {};
const patience = AbortSignal.timeout;
AbortSignal.timeout = (ms) => patience.call(AbortSignal, 20 * ms);
"""


class Labelled(NamedTuple):
    """A parcel as it lies on the counter: what the codes on its label say."""

    return_id: str
    barcode: str
    square: str


@pytest.fixture(scope="module", autouse=True)
def known_address(site: Site) -> None:
    """Labels lead to the pages once it is said where these are reached."""
    site.stop_serving()
    site.serve(RETURNS_PUBLIC_URL=site.url)


def make(visitor: Visitor, order: str, *kinds: int) -> Labelled:
    """As a consumer does: choose what goes back and why, and print the label."""
    said = {
        "retailer": "acme",
        "order_number": order,
        "items": [{"sku": "SHOE-42", "quantity": 1, "description": "Running shoe"}, {"sku": "HAT-1", "quantity": 1}],
        "expires": int(time.time()) + 3600,
    }
    page = visitor.open(f"/returns/new?link={sign(said, 'a secret of the tests')}")
    for kind in kinds:
        page.get_by_role("combobox").nth(2 * kind).select_option("1")
        page.get_by_role("combobox").nth(2 * kind + 1).select_option("too_small")
    page.locator("form.return button").click()
    return_id = page.locator(".numbers dd").nth(0).inner_text()
    page.get_by_label("Name").fill("Åsa Ström")
    page.get_by_label("Address").fill("Storgatan 1\n111 22 Stockholm")
    with page.expect_navigation() as printed:
        page.get_by_role("button", name="Picture").click()
    label = codes(printed.value.body())
    return Labelled(return_id, label["Code128"], label["QRCode"])


def post(site: Site, name: str, as_: str, body: dict[str, Any], secret: str) -> httpx.Response:
    """What a carrier's system posts, signed as this carrier signs."""
    content = json.dumps(body).encode()
    headers = feeds.headers(feeds.shipped()[as_].signature, content, secret)
    return httpx.post(f"{site.url}/v1/feeds/{name}", content=content, headers=headers, timeout=30)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def carried(number: str, code: str) -> dict[str, Any]:
    """A scan in FedEx's words."""
    event = {"date": now(), "eventType": code, "scanLocation": {"city": "Albany", "countryCode": "US"}}
    result = {"trackingNumber": number, "trackResults": [{"scanEvents": [event]}]}
    return {"output": {"completeTrackResults": [result]}}


def scan(page: Page, code: str, said: str) -> None:
    """As a scanner does it; and what the whole screen says."""
    count = int(page.locator("#signal").get_attribute("data-count") or 0)
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_function("count => Number(document.getElementById('signal').dataset.count) > count", arg=count)
    expect(page.locator("#said")).to_have_text(said)


def mode(page: Page, name: str) -> None:
    page.locator(f"#modes [data-mode={name}]").click()


def are(site: Site, parcels: Sequence[Labelled], status: str) -> None:
    """Wait until the lists, which the station asks too, have come to this."""
    ask = "SELECT count(*) FROM search_returns WHERE return_id = ANY (%s) AND status = %s"
    numbers = [each.return_id for each in parcels]
    eventually(lambda: site.service.query(ask, numbers, status) == [(len(numbers),)], 30, why=f"not all {status}")


def test_from_the_consumers_page_to_the_retailers_door(site: Site, visit: Callable[..., Visitor]) -> None:
    consumer = visit()
    whole, in_part, third, refused = parcels = [
        make(consumer, "A-1", 0),
        make(consumer, "A-2", 0, 1),
        make(consumer, "A-3", 1),
        make(consumer, "A-4", 0),
    ]
    assert all(each.square == f"{site.url}/track/{each.return_id}" for each in parcels)
    are(site, parcels, "RC")

    for each in parcels:
        assert post(site, "fedex", "fedex", carried(each.barcode, "PU"), "somebody else").status_code == 401
        for code in ("PU", "DL"):
            answer = post(site, "fedex", "fedex", carried(each.barcode, code), FIRST_MILE)
            assert answer.status_code == 200, answer.text
    are(site, parcels, "RDTPF")

    hub = token(site.service.settings, "hub", "scan", publisher="leeds-hub", bounds=Bounds(hubs=frozenset({"leeds"})))
    station = visit()
    page = station.page
    page.add_init_script(STATION)
    station.open("/hub")
    page.locator("#token").fill(hub)
    page.keyboard.press("Enter")
    expect(page.locator("#field")).to_be_focused()
    scan(page, whole.barcode, "Received")
    expect(page.locator("#number")).to_have_text(whole.return_id)
    for each in (in_part, third, refused):
        scan(page, each.square, "Received")
    are(site, parcels, "DS")

    mode(page, "process")
    scan(page, whole.square, "Check the items")
    scan(page, "SHOE-42", "Counted")
    scan(page, whole.square, "Processed")
    scan(page, in_part.square, "Check the items")
    scan(page, "SHOE-42", "Counted")
    scan(page, "HAT-1", "Counted")
    hat = page.locator("[data-sku='HAT-1']")
    hat.get_by_role("button", name="Rejected").click()
    hat.get_by_role("group", name="Reason for HAT-1").get_by_role("button", name="Worn or used").click()
    scan(page, in_part.square, "Processed")
    scan(page, third.square, "Check the items")
    scan(page, "HAT-1", "Counted")
    scan(page, third.square, "Processed")
    scan(page, refused.square, "Check the items")
    page.get_by_role("button", name="Reject the return").click()
    page.locator("#reasons").get_by_role("button", name="Wrong item").click()
    expect(page.locator("#said")).to_have_text("Rejected")
    delivered = (whole, in_part, third)
    are(site, delivered, "RP")
    are(site, [refused], "RR")

    mode(page, "consolidate")
    scan(page, "CN-4711", "Connote open")
    for each in delivered:
        scan(page, each.barcode, "In the connote")
    scan(page, refused.square, "Rejected before")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Export").click()
    expect(page.locator("#said")).to_have_text("Exported")
    are(site, delivered, "RE")

    arrived = {"shipments": [{"id": "CN-4711", "events": [{"timestamp": now(), "statusCode": "delivered"}]}]}
    answer = post(site, "dhl-final-mile", "dhl", arrived, FINAL_MILE)
    assert answer.status_code == 200, answer.text
    are(site, delivered, "RDBTC")

    for each in delivered:
        consumer.open(each.square)
        expect(consumer.page.get_by_role("heading", level=1)).to_have_text("Return Delivered Back To Retailer")
    consumer.open(f"/track/{refused.barcode}")
    expect(consumer.page.get_by_role("heading", level=1)).to_have_text("Return Rejected")
    read = {"authorization": f"Bearer {token(site.service.settings, 'read')}"}
    found = httpx.get(f"{site.url}/v1/connotes/CN-4711", headers=read, timeout=30).json()
    assert {each["return_id"] for each in found["items"]} == {each.return_id for each in delivered}
