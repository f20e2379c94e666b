"""The public pages of numbers that several returns claim, and of returns that were closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from httpx import Client, Response

from service.web.html.catalogue import LANGUAGES, load
from tests.integration.application.journal.test_labels import closed, created, scan
from tests.integration.web.public.test_pages import pages, texts
from tests.support.journals import ingest

pytestmark = pytest.mark.postgres
REASONS = ("cancelled", "lost", "abandoned", "other")


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with pages(database) as client:
        yield client


def listed(answer: Response) -> list[str]:
    """What a list of several returns says of each."""
    assert answer.status_code == 200
    items = answer.text.partition('<ul class="several">')[2].partition("</ul>")[0]
    return [" ".join(re.sub(r"<[^>]*>", " ", item).split()) for item in re.findall(r"<li>(.*?)</li>", items, re.DOTALL)]


def test_of_returns_in_one_box_each_is_shown_by_their_number(client: Client, database: str) -> None:
    ingest(database, [created("R-1", "2026-11-18")])
    ingest(database, [created("R-2", "2026-11-20")])
    ingest(database, [scan("COLLECTED", "2026-11-21")])

    for page in ("track", "first-mile"):
        answer = client.get(f"/{page}/T-1")
        assert listed(answer) == ["R-2 Return In Transit", "R-1 Return In Transit"]
        assert all(f'href="/{page}/{return_id}"' in answer.text for return_id in ("R-1", "R-2"))
    assert "R-2" not in texts(client.get("/track/R-1"))


def test_a_number_that_was_given_again_shows_who_has_it_now(client: Client, database: str) -> None:
    ingest(database, [created("R-1", "2026-02-01", route="first_mile_only"), scan("DELIVERED", "2026-02-04")])
    ingest(database, [created("R-2", "2026-11-20")])
    before = texts(client.get("/track/T-1"))
    ingest(database, [scan("COLLECTED", "2026-11-21")])

    now, old = texts(client.get("/track/T-1")), texts(client.get("/track/R-1"))
    scans = texts(client.get("/first-mile/T-1"))

    assert ("Return label made" in before, "delivered" in before) == (True, False)
    assert ("Nov 21" in now, "Feb" in now) == (True, False)
    assert ("Feb 4" in old, "Nov 21" in old) == (True, False)
    assert ("COLLECTED" in scans, "DELIVERED" in scans) == (True, False)


@pytest.mark.parametrize("order", ((0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)))
def test_of_carriers_with_one_number_the_newest_claim_is_shown_whatever_was_known_last(
    client: Client, database: str, order: tuple[int, ...]
) -> None:
    returns = [
        created("R-1", "2026-06-01"),
        created("R-2", "2026-01-10", carrier="nzpost"),
        created("R-3", "2026-03-20", carrier="nzpost"),  # its label is contested, and so its claims are written down
    ]
    for place in order:
        ingest(database, [returns[place]])

    assert "Jun 1" in texts(client.get("/track/T-1"))

    ingest(database, [created("R-4", "2026-08-02", carrier="omniparcel")])
    assert "Aug 2" in texts(client.get("/track/T-1"))


def test_of_two_retailers_in_one_label_the_later_one_s_page_knows_nothing_of_the_other(
    client: Client, database: str
) -> None:
    ingest(database, [created("R-1", "2026-11-18"), scan("COLLECTED", "2026-11-21")])
    ingest(database, [created("R-2", "2026-11-20", retailer="zenith")])
    ingest(database, [scan("DELIVERED", "2026-11-22")])

    assert listed(client.get("/track/T-1")) == ["R-2 Return Created", "R-1 Transferred to Sorting Facility"]
    for page in ("track", "first-mile"):
        ours, theirs = client.get(f"/{page}/R-1"), client.get(f"/{page}/R-2")
        assert "R-2" not in ours.text
        assert "R-1" not in theirs.text
        assert ("Nov 21" in texts(ours), "Nov 21" in texts(theirs)) == (True, False)
        assert ("Nov 22" in texts(ours), "Nov 22" in texts(theirs)) == (True, False)
    assert all(retailer not in client.get("/track/T-1").text for retailer in ("acme", "zenith"))


def test_a_closed_return_says_why_in_every_language_and_that_nothing_follows(client: Client, database: str) -> None:
    events = [created(f"R-{reason}", "2026-11-18", f"T-{reason}") for reason in REASONS]
    for reason in REASONS:
        ending = closed(f"R-{reason}", "2026-11-20")
        events.append(ending | {"data": ending["data"] | {"reason": reason}})
    ingest(database, events)

    for language in LANGUAGES:
        words = load()[language].texts
        for reason in REASONS:
            for page in ("track", "first-mile"):
                said = texts(client.get(f"/{page}/R-{reason}?lang={language}"))
                assert words[f"closed.{reason}"] in said
                assert words["next.RC"] not in said
                assert words["lead.RC"] not in said


def test_a_closed_return_says_so_in_the_list_of_its_box_and_goes_on_once_something_later_counts(
    client: Client, database: str
) -> None:
    ingest(database, [created("R-1", "2026-11-18")])
    ingest(database, [created("R-2", "2026-11-18", id_="second")])
    ingest(database, [closed("R-1", "2026-11-20")])
    lost = "The parcel is lost. Whoever looks after the return knows."

    assert listed(client.get("/track/T-1")) == ["R-2 Return Created", f"R-1 Return Created {lost}"]
    ingest(database, [scan("COLLECTED", "2026-11-21")])
    assert listed(client.get("/track/T-1")) == ["R-2 Return In Transit", "R-1 Return In Transit"]
    for page in ("track", "first-mile"):
        assert lost not in texts(client.get(f"/{page}/R-1"))
