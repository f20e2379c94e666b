"""`verify` on a real database: what it says of what was put there by hand."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.any_batch import ANY_BATCH
from tests.support.api import project
from tests.support.journals import creation, differences, event, ingest, scan


def change(database: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def listed(database: str) -> str:
    """A database with two returns in its lists, and more events than those have come to."""
    ingest(database, [creation("R-1"), creation("R-2", route="first_mile_only"), scan("COLLECTED", "10:00", "R-1")])
    project(database)
    ingest(database, [scan("DELIVERED", "11:00", "R-1"), creation("R-3")])
    return database


def test_lists_and_figures_that_are_behind_are_right_as_far_as_they_are(listed: str) -> None:
    assert differences(listed) == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    (
        (
            "UPDATE search_returns SET status = 'RC', version = 1 WHERE return_id = 'R-1'",
            "R-1: listed as version 1 with status RC, and its history says version 2 with status RT",
        ),
        (
            "DELETE FROM search_returns WHERE return_id = 'R-2'",
            "R-2: listed as nothing, and its history says version 1 with status RC",
        ),
        (
            "UPDATE search_returns SET return_no = (SELECT max(return_no) FROM returns) WHERE return_id = 'R-2'",
            "R-3: listed as version 1 with status RC, and its history says nothing",
        ),
        (
            "UPDATE search_counts SET returns = 5 WHERE status = 'RT'",
            "figures: 5 returns of omnirps with status RT, and there are 1",
        ),
        (
            "DELETE FROM search_counts WHERE route = 'first_mile_only'",
            "figures: 0 returns of first_mile_only with status RC, and there are 1",
        ),
        (
            "UPDATE search_days SET returns = 3 WHERE milestone = 'RT'",
            "figures: 3 returns of omnirps reached RT on 2026-11-20, and 1 did",
        ),
        (
            "INSERT INTO search_connotes VALUES ('C-1', 'acme', 'generic', 2, 1, NULL, NULL)",
            "figures: under connote C-1 2 returns of acme and generic are on their way and 1 delivered, and there are 0 and 0",
        ),
    ),
)
def test_what_readers_see_wrongly_is_differences(listed: str, statement: str, sentence: str) -> None:
    change(listed, statement)

    assert sentence in differences(listed)


def test_events_that_a_minute_lacks_are_differences(listed: str) -> None:
    change(listed, "UPDATE search_minutes SET events = events + 4")

    (sentence,) = differences(listed)

    assert sentence.startswith("figures: 7 events in the minute ")
    assert sentence.endswith(", and there were 3")


def test_an_event_that_is_parked_although_its_return_is_known_is_differences(database: str) -> None:
    ingest(database, [event("com.omnirps.hub.depot-scanned.v1", "ds-1", "10:00", return_id="R-1", hub="akl-1")])
    change(database, ANY_BATCH)
    change(database, "INSERT INTO returns (return_id) VALUES ('R-1')")

    assert "event ds-1 of /test is parked although its return R-1 is known" in differences(database)
