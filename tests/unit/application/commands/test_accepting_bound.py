"""What a bound token sends is judged by whose it is: by its words alone where the event is wrong, else by its return, too."""

from __future__ import annotations

from typing import Any

import pytest

from service.application.access.bounds import Bounds
from service.application.commands.accepting import Accepting, InputMessage, Judged, Sender
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from tests.support.journals import creation, event, scan
from tests.unit.application.access.test_bounds import bounds
from tests.unit.application.commands.test_speaking import Returns

PARSER = Parser(CarrierTables.load(), models.TYPES_BY_TOPIC_SETTING)
TOPICS = {event_type: setting for setting, types in models.TYPES_BY_TOPIC_SETTING.items() for event_type in types}
NOT_KNOWN = ("data.tracking_number", "no return of it is known, and the token is bound to bravo")
NO_SCAN = ("type", "the token may not send it, it lacks the scope scan")
NO_CODE = ("data.code", "string should have at least 1 character")


def judged(bound: Bounds, document: dict[str, Any], *scopes: str) -> tuple[Judged, int]:
    """What was found, and how often it was looked whose return it is."""
    returns, published = Returns(), list[InputMessage]()
    use_case = Accepting(PARSER, TOPICS, published.extend, returns)
    (found,) = use_case.accept([document], Sender("nzpost", scopes, bound))
    assert published == ([] if found.message is None else [found.message])
    return found, returns.asked


def faults(found: Judged) -> list[tuple[str, str]]:
    return [] if found.error is None else list(found.error.faults)


def test_whose_the_return_is_that_an_event_names_decides() -> None:
    own, another = (judged(bounds(retailer), scan("COLLECTED", "11:00"), "scan") for retailer in ("acme", "bravo"))

    assert (own[0].status, faults(own[0]), own[1]) == ("accepted", [], 1)
    assert (another[0].status, faults(another[0]), another[1]) == ("invalid", [NOT_KNOWN], 1)
    assert (another[0].inbound, another[0].message) == (None, None)


def test_what_a_token_is_not_bound_to_is_told_and_not_published() -> None:
    found, _ = judged(bounds(carriers="gls"), scan("COLLECTED", "11:00"), "scan")

    assert (found.status, faults(found)) == ("invalid", [("data.carrier", "the token is bound to gls")])


@pytest.mark.parametrize(
    ("bound", "document", "scope", "expected"),
    (
        (bounds("bravo"), scan("COLLECTED", "11:00"), "hub", [NO_SCAN]),
        (bounds("bravo"), scan("", "11:00"), "scan", [NO_CODE]),
        (
            bounds(carriers="gls"),
            scan("", "11:00"),
            "scan",
            [NO_CODE, ("data.carrier", "the token is bound to gls")],
        ),
        (
            bounds("bravo"),
            {**creation(), "source": ""},
            "create",
            [("source", "string should have at least 1 character"), ("data.retailer", "the token is bound to bravo")],
        ),
        (
            bounds(hubs="akl1"),
            event(models.HUB_PROCESSED, "", "11:00", return_id="R-1001", hub="syd1"),
            "hub",
            [("id", "string should have at least 1 character"), ("data.hub", "the token is bound to akl1")],
        ),
    ),
)
def test_of_what_is_wrong_its_words_alone_are_held_against_the_bounds(
    bound: Bounds, document: dict[str, Any], scope: str, expected: list[tuple[str, str]]
) -> None:
    found, asked = judged(bound, document, scope)

    assert (found.status, faults(found)) == ("invalid", expected)
    assert asked == 0


@pytest.mark.parametrize("data", ([], "text", 7, None))
def test_of_data_that_is_no_object_nothing_is_held_against_the_bounds(data: object) -> None:
    found, _ = judged(bounds(carriers="gls"), {**scan("", "11:00"), "data": data}, "scan")

    assert [path for path, _ in faults(found)] == ["data"]


def test_of_an_event_without_a_type_nothing_is_held_against_the_bounds_either() -> None:
    untyped = scan("COLLECTED", "11:00")
    del untyped["type"]

    found, _ = judged(bounds(carriers="gls"), untyped, "scan")

    assert faults(found) == [("type", "missing")]
