"""Parts of a return's document that stand in no message of the other tests."""

from __future__ import annotations

import pytest

from service.domain.events import Event, Sense
from service.wire.documents import return_document, tracking_url
from tests.unit.domain.histories import in_order, play, story

CLOSED = Event("ops", "c", 5_000_000, Sense.CLOSES, because="lost")


def test_a_closed_return_says_why_and_when_until_something_later_counts() -> None:
    open_, closed, went_on = (
        return_document("R-1", play(in_order(events)).state)["closed"]
        for events in (story("RC@1"), [*story("RC@1"), CLOSED], [*story("RC@1"), CLOSED, *story("RT@6000000")])
    )

    assert closed == {"reason": "lost", "at": "1970-01-01T00:00:05Z"}
    assert (open_, went_on) == (None, None)


@pytest.mark.parametrize(
    ("public_url", "address"),
    (
        (None, None),
        ("https://x.example", "https://x.example/track/R-1"),
        ("https://x.example/", "https://x.example/track/R-1"),
        ("https://x.example/BOX//", "https://x.example/BOX/track/R-1"),
    ),
)
def test_a_return_is_seen_below_the_address_of_the_pages(public_url: str | None, address: str | None) -> None:
    assert tracking_url(public_url, "R-1") == address
