"""A consumer keeps the page open while carriers, the hub and the line haul publish what happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from service.domain.milestones import NAMES, RANKED, Milestone
from service.web.html.catalogue import load
from tests.support.site import Site, complete, rejected, straight_to_retailer
from tests.support.visiting import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PROCESSES: Final = ("ingest",)
RC, RT, RDTPF, DS, RP, RE, RDBTC = RANKED
ENGLISH: Final = load()["en"]
# Survives what the page does to itself, and no reload.
STAY: Final = "window.stayed = true"
STAYED: Final = "window.stayed === true"


def status(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def step(page: Page, milestone: Milestone) -> Locator:
    return page.locator(".steps > li").filter(has_text=NAMES[milestone])


def open_when_known(visitor: Visitor, number: str) -> Page:
    """The page of a return that has just been created: it is there without a reload when the service knows it."""
    page = visitor.open(f"/track/{number}")
    expect(page.locator(".steps")).to_be_visible()
    page.evaluate(STAY)
    return page


def test_a_return_is_followed_live_from_created_to_delivered(site: Site, visit: Callable[..., Visitor]) -> None:
    story = site.story(complete)
    page = visit().open(f"/track/{story.told(RC)['tracking_number']}")
    page.evaluate(STAY)
    expect(status(page)).to_have_text("Nothing to show for this number yet")

    for milestone in RANKED:
        site.publish(*story.of(milestone))

        expect(status(page)).to_have_text(NAMES[milestone])
        expect(step(page, milestone)).to_have_attribute("aria-current", "step")
        expect(page.get_by_role("status")).to_contain_text(NAMES[milestone])

    expect(page.locator(".step.done")).to_have_count(6)
    expect(page.locator(".step.current.complete")).to_have_count(1)
    assert page.evaluate(STAYED), "the page was loaded again"


def test_the_carriers_word_of_a_delivery_is_told_as_that(site: Site, visit: Callable[..., Visitor]) -> None:
    story = site.story(complete, 1)
    site.publish(*story.of(RC), *story.of(RT), *story.of(RDTPF))

    page = open_when_known(visit(), story.return_id)

    expect(status(page)).to_have_text("Transferred to Sorting Facility")
    expect(page.locator("main")).to_contain_text("The carrier reports that your parcel was delivered")
    expect(page.locator("main")).to_contain_text("The returns hub has not confirmed it yet.")


def test_a_rejection_comes_with_its_reason_and_with_what_happens_next(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    story = site.story(rejected)
    *before, rejection = (m for m in story.messages if m.event and m.event.milestone is not None)
    assert rejection.event
    assert rejection.event.milestone is Milestone.RR
    site.publish(*before)
    page = open_when_known(visit(), story.return_id)
    expect(status(page)).to_have_text("Return Processed" if story.of(RP) else "Depot Scan")

    site.publish(rejection)

    expect(status(page)).to_have_text("Return Rejected")
    expect(page.locator(".panel.stop")).to_contain_text(ENGLISH(f"rejection.{story.told(Milestone.RR)['reason']}"))
    expect(page.locator(".panel").filter(has_text="What happens next")).to_contain_text("customer service")
    expect(step(page, RDBTC)).to_have_count(0)
    expect(step(page, Milestone.RR)).to_have_attribute("aria-current", "step")
    assert page.evaluate(STAYED)


def test_a_late_scan_fills_its_gap_and_takes_nothing_back(site: Site, visit: Callable[..., Visitor]) -> None:
    story = site.story(complete, 2)
    site.publish(*story.of(RC), *story.of(RDTPF), *story.of(DS))
    page = open_when_known(visit(), story.return_id)
    expect(status(page)).to_have_text("Depot Scan")
    expect(step(page, RT)).to_contain_text("passed without a scan")

    site.publish(story.of(RT)[0])

    expect(step(page, RT)).to_contain_text("done")
    expect(page.locator(".events")).to_contain_text("First scan by the carrier")
    expect(status(page)).to_have_text("Depot Scan")
    assert page.evaluate(STAYED)


def test_a_return_without_a_hub_ends_with_the_first_mile(site: Site, visit: Callable[..., Visitor]) -> None:
    story = site.story(straight_to_retailer)
    site.publish(*story.of(RC))
    page = open_when_known(visit(), story.return_id)

    site.publish(*story.of(RT), *story.of(RDTPF))

    expect(status(page)).to_have_text("Transferred to Sorting Facility")
    expect(page.locator("main")).to_contain_text("is its last status")
    expect(page.locator(".steps > li")).to_have_count(3)
    assert page.evaluate(STAYED)


def test_what_happened_while_the_service_was_away_is_shown_when_it_is_back(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    story = site.story(complete, 3)
    site.publish(*story.of(RC))
    visitor = visit()
    page = open_when_known(visitor, story.return_id)
    expect(page.get_by_text("This page updates by itself.")).to_be_visible()

    site.stop_serving()
    expect(page.get_by_text("This page updates by itself.")).to_be_hidden()
    site.publish(*story.of(RT), *story.of(RDTPF), *story.of(DS))
    site.serve()

    expect(status(page)).to_have_text("Depot Scan")
    expect(page.get_by_text("This page updates by itself.")).to_be_visible()
    assert page.evaluate(STAYED)
    visitor.excuse(r"net::ERR_")


def test_the_first_mile_is_followed_to_its_end_and_leads_to_the_whole_return(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    story = site.story(complete, 4)
    site.publish(*story.of(RC))
    visitor = visit()
    page = visitor.open(f"/first-mile/{story.return_id}")
    expect(status(page)).to_have_text("Carrier scans")
    page.evaluate(STAY)

    site.publish(*story.of(RT), *story.of(RDTPF), *story.of(DS))

    expect(page.locator(".event")).to_have_count(len(story.of(RT)) + 1)
    expect(page.locator("main")).to_contain_text("No further events are shown here.")
    expect(page.locator("main")).not_to_contain_text("Received at the returns hub")
    assert page.evaluate(STAYED)
    page.get_by_role("link", name="See the whole return").click()
    expect(status(page)).to_have_text("Depot Scan")
