"""Reading the public pages: with what a person has, in the language, light and width that a person has it in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Page, Route, expect

from service.web.html.catalogue import load
from tests.support.axe import LIGHTS, violations_by_page
from tests.support.journals import DS, RP, RR, creation, event, ingest, scan
from tests.support.site import Site
from tests.support.thorough import share
from tests.support.visiting import WIDEST, Visitor, overflowing, torn
from tests.support.waiting import eventually

# A test looks at many pages, and axe takes its time over each.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]
WEIGHT: Final = 60 * 1024
# The narrowest window that WCAG knows, where the steps turn from a column into a row, and a usual one.
WIDTHS: Final = (320, 991, 992, 1280)
LEEDS: Final = {"name": "Leeds depot", "code": "LBA", "country": "GB"}
# Whatever can be on a public page is on one of these.
PAGES: Final = (
    "/track",
    "/track/NOBODY",
    "/track/CREATED",
    "/track/GAP",
    "/track/DONE",
    "/track/REJECTED",
    "/track/STRAIGHT",
    "/first-mile/CREATED",
    "/first-mile/DONE",
    "/track/CLOSED",
    "/first-mile/CLOSED",
    "/track/TBOX",
)


@pytest.fixture(scope="module", autouse=True)
def returns(site: Site) -> None:
    """Returns at every turn of the way."""

    def at_hub(type_: str, time: str, return_id: str, **data: object) -> dict[str, object]:
        return event(type_, f"{return_id}-{type_}", time, return_id=return_id, hub="lhr", **data)

    connote = {"connote": "C-1"}
    ingest(
        site.database,
        [
            creation("CREATED", carrier="omniparcel", tracking_number="OP-CREATED"),
            creation("GAP"),
            scan("DELIVERED", "11:00", "GAP", location=LEEDS),
            creation("DONE", tracking_number="TDONE"),
            scan("COLLECTED", "10:00", "DONE", location=LEEDS),
            scan(
                "IN_TRANSIT", "10:30", "DONE", location={"name": "Donaudampfschifffahrtsgesellschaft", "country": "AT"}
            ),
            scan("NEW_CODE_OF_A_CARRIER_THAT_LIKES_LONG_CODES", "10:40", "DONE"),
            scan("DELIVERED", "11:00", "DONE", location=LEEDS),
            at_hub(DS, "12:00", "DONE"),
            at_hub(RP, "13:00", "DONE"),
            at_hub("com.omnirps.hub.exported.v1", "14:00", "DONE", **connote),
            event("com.omnirps.connote.delivered.v1", "delivered", "20:00", **connote),
            creation("REJECTED"),
            scan("DELIVERED", "11:00", "REJECTED", location=LEEDS),
            at_hub(DS, "12:00", "REJECTED"),
            at_hub(RR, "13:00", "REJECTED", reason="worn_or_used"),
            creation("STRAIGHT", route="first_mile_only"),
            scan("COLLECTED", "10:00", "STRAIGHT"),
            scan("DELIVERED", "11:00", "STRAIGHT", location=LEEDS),
            creation("CLOSED"),
            ended("CLOSED", "lost"),
            creation("BOXED-1", tracking_number="TBOX"),
            creation("BOXED-2", tracking_number="TBOX"),
            ended("BOXED-1", "cancelled"),
        ],
    )


def ended(return_id: str, reason: str) -> dict[str, object]:
    """Nothing further is expected of it."""
    about = {"return_id": return_id, "by": "agent", "reason": reason}
    return event("com.omnirps.return.closed.v1", f"{return_id}-closed", "15:00", **about)


def whole(page: Page) -> None:
    """Wait until the page has all that it loads, its live note included."""
    page.wait_for_load_state("load")
    if page.locator("#live").count():
        expect(page.locator("#live")).to_be_visible()


@pytest.mark.shared_out
@pytest.mark.parametrize("number", range(len(LIGHTS)))
def test_axe_finds_nothing_in_either_light_or_direction(site: Site, visit: Callable[..., Visitor], number: int) -> None:
    language, light = LIGHTS[number]
    pages = share(PAGES, len(LIGHTS), number)
    assert violations_by_page(visit(locale=language, color_scheme=light), pages) == {}


@pytest.mark.shared_out
@pytest.mark.parametrize("language", WIDEST)
def test_nothing_is_cut_off_at_any_width(site: Site, visit: Callable[..., Visitor], language: str) -> None:
    page = visit(locale=language).page
    found: dict[tuple[str, int], list[str]] = {}

    for path in PAGES:
        page.goto(path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            found[path, width] = [*overflowing(page), *torn(page)]

    assert not {where: said for where, said in found.items() if said}


def test_without_scripts_all_of_it_is_there(site: Site, visit: Callable[..., Visitor]) -> None:
    page = visit(java_script_enabled=False).open("/track")

    page.get_by_label("Return number or tracking number").fill("tdone")
    page.get_by_role("button", name="Track return").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Return Delivered Back To Retailer")
    expect(page.locator(".steps > li")).to_have_count(7)
    expect(page.locator("main")).to_contain_text("Delivered back to the retailer")
    # Nobody promises what only a script does.
    expect(page.get_by_text("This page updates by itself.")).to_be_hidden()
    page.get_by_role("link", name="See the carrier’s own scans").click()
    expect(page.locator(".event")).to_have_count(4)
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_in_the_dark_the_page_is_dark(site: Site, visit: Callable[..., Visitor]) -> None:
    def paper(light: str) -> list[int]:
        page = visit(color_scheme=light).open("/track/REJECTED")
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return [int(part) for part in re.findall(r"\d+", colour)]

    assert max(paper("dark")) < 60
    assert min(paper("light")) > 200


def test_arabic_runs_from_right_to_left(site: Site, visit: Callable[..., Visitor]) -> None:
    page = visit(locale="ar").open("/track/DONE")

    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_role("heading", level=1)).to_have_text(load()["ar"]("status.RDBTC"))
    places = [step.bounding_box() for step in page.locator(".steps > li").all()]
    lefts = [place["x"] for place in places if place]
    assert lefts == sorted(lefts, reverse=True)
    assert len(lefts) == 7


def test_the_language_is_changed_on_the_page_and_stays(site: Site, visit: Callable[..., Visitor]) -> None:
    page = visit(locale="fr").open("/track/DONE")
    expect(page.locator("html")).to_have_attribute("lang", "fr")

    for language, catalogue in load().items():
        page.get_by_role("link", name=catalogue.own_name).click()

        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.get_by_role("heading", level=1)).to_have_text(catalogue("status.RDBTC"))
    page.get_by_role("link", name=load()["ar"]("form.again")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(load()["ar"]("form.title"))


def test_a_number_that_leads_nowhere_gets_help_and_another_try(site: Site, visit: Callable[..., Visitor]) -> None:
    page = visit().open("/track/NOBODY")
    unknown = page.locator("main").inner_text()

    page.get_by_label("Return number or tracking number").fill("<b>no number</b>")
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{site.url}/track/-")
    assert page.locator("main").inner_text() == unknown
    expect(page.locator("main")).to_contain_text("The number has a typing error.")
    page.get_by_label("Return number or tracking number").fill(" done ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Return Delivered Back To Retailer")


def test_the_keyboard_is_enough(site: Site, visit: Callable[..., Visitor]) -> None:
    page = visit().open("/track")
    focused = page.locator("*:focus")

    page.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    expect(focused).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(focused).to_have_id("number")
    page.keyboard.type("DONE")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Return Delivered Back To Retailer")

    links = page.get_by_role("link").count()
    reached = []
    for _ in range(links):
        page.keyboard.press("Tab")
        reached.append(focused.inner_text())
        ring = focused.evaluate("element => getComputedStyle(element).outlineStyle")
        assert ring != "none", f"nothing shows that {reached[-1]!r} has the focus"
    assert reached[0] == "Skip to the content"
    assert {"Try another number", "See the carrier’s own scans", "Deutsch"} <= set(reached)


def test_a_page_weighs_little(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    whole(visitor.open("/track/DONE?lang=ar"))

    answers = [answer for answer in visitor.responses if answer.request.resource_type != "eventsource"]

    assert {"document", "script", "stylesheet"} <= {answer.request.resource_type for answer in answers}
    assert all(answer.url.startswith(site.url) for answer in answers)
    assert sum(len(answer.body()) for answer in answers) < WEIGHT


def test_a_page_is_painted_before_its_script_is_there(site: Site, visit: Callable[..., Visitor]) -> None:
    page = visit().page
    held: list[Route] = []
    page.route(re.compile(r"\.js$"), lambda route: held.append(route))  # noqa: PLW0108 - it has to be a function

    page.goto("/track/DONE", wait_until="commit")

    eventually(lambda: page.evaluate("performance.getEntriesByName('first-contentful-paint').length"), 20)
    expect(page.locator(".steps > li")).to_have_count(7)
    assert held
    held[0].continue_()
    whole(page)
