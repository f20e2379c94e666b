"""/returns/new in a real browser: from the retailer's link to the label, its codes, and the tracking page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from service.web.html.catalogue import LANGUAGES
from service.wire.omnireturns.links import sign
from tests.support.axe import violations, violations_in_both_lights
from tests.support.codes import codes
from tests.support.site import Site
from tests.support.visiting import Visitor, overflowing, torn

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
_HERE: Final = Path(__file__).parent
PROCESSES: Final = ("ingest",)
SETTINGS: Final = {
    "RETURNS_NUMBERS_FILE": str(_HERE / "omnireturns-numbers.toml"),
    "RETURNS_PORTAL_FILE": str(_HERE / "omnireturns-portal.toml"),
}
WIDTHS: Final = (320, 1280)


@pytest.fixture(scope="module", autouse=True)
def known_address(site: Site) -> None:
    """Labels lead to the pages once it is said where these are reached."""
    site.stop_serving()
    site.serve(RETURNS_PUBLIC_URL=site.url)


def link(order: str, **changed: Any) -> str:
    """The address that the retailer sends."""
    said = {
        "retailer": "acme",
        "order_number": order,
        "items": [
            {"sku": "SHOE-42", "quantity": 2, "description": "Donaudampfschifffahrtsgesellschaftslaufschuh"},
            {"sku": "HAT-1", "quantity": 1},
        ],
        "expires": int(time.time()) + 3600,
    }
    return f"/returns/new?link={sign({**said, **changed}, 'a secret of the tests')}"


def make(page: Page) -> str:
    """Choose a shoe and send the form; the number of the return."""
    page.get_by_role("combobox").nth(0).select_option("1")
    page.get_by_role("combobox").nth(1).select_option("too_small")
    page.locator("form.return button").click()
    return page.locator(".numbers dd").nth(0).inner_text()


def test_a_consumer_makes_a_return_prints_its_label_and_follows_it_without_scripts(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(java_script_enabled=False)
    page = visitor.open(link("A-1"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Fjord Outdoor")

    page.get_by_label("How many").first.select_option("1")
    page.get_by_role("button", name="Make the return").click()
    expect(page.get_by_role("alert")).to_contain_text("a reason for each")
    visitor.excuse(r"status of 422")
    page.get_by_label("Why").first.select_option("damaged")
    page.get_by_role("button", name="Make the return").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your return is made")
    return_id, number = page.locator(".numbers dd").all_inner_texts()
    expect(page.get_by_role("img", name=f"QR code of the tracking number {number}")).to_be_visible()
    page.get_by_label("Name").fill("Åsa Ström")
    page.get_by_label("Address").fill("Storgatan 1\n111 22 Stockholm")
    with page.expect_navigation() as label:
        page.get_by_role("button", name="Picture").click()
    assert codes(label.value.body()) == {
        "Code128": number,
        "QRCode": f"{site.url}/track/{return_id}",
    }
    page.go_back()
    page.get_by_role("link", name="See where your return is").click()
    expect(page).to_have_url(f"{site.url}/track/{return_id}")
    for _ in range(40):  # without scripts the page does not update by itself
        if page.get_by_role("heading", level=1).inner_text() == "Return Created":
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Return Created")


def test_a_return_is_cancelled_and_a_link_of_nobody_is_refused(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open(link("A-2"))
    return_id = make(page)

    page.get_by_role("button", name="Cancel this return").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This return is cancelled")
    expect(page.locator("main")).to_contain_text(return_id)
    page.goto(link("A-2") + "0")
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work")
    page.goto(link("A-2", expires=1))
    expect(page.get_by_role("heading", level=1)).to_have_text("This link has expired")
    visitor.excuse(r"status of 4(03|10)")


def test_axe_finds_nothing_in_either_light_nor_from_right_to_left_and_nothing_is_cut_off(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    address = link("A-3")
    page = visit().open(address)
    found: dict[str, list[str]] = {}

    for state in ("new", "made", "cancelled"):
        found[state] = violations_in_both_lights(page)
        for language in LANGUAGES:
            page.goto(f"{address}&lang={language}")
            if language == "ar":
                found[f"{state} {language}"] = violations(page)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                found[f"{state} {language} {width}"] = [*overflowing(page), *torn(page)]
        page.goto(f"{address}&lang=en")
        if state == "new":
            make(page)
        elif state == "made":
            page.get_by_role("button", name="Cancel this return").click()

    assert not {where: said for where, said in found.items() if said}
