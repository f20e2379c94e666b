"""What a token is bound to, and what of a return is seen within it."""

from __future__ import annotations

import pytest

from service.application.access.bounds import EVERYTHING, UNBOUND, Bounds
from service.application.access.within import data_within, may_ask, state_within
from service.domain.events import Attributes
from service.domain.journey import NEW, State, replay
from service.domain.milestones import Milestone, Route
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from tests.support.journals import DS, creation, event, scan
from tests.unit.wire.events import record

PARSER = Parser(CarrierTables.load())
ACME = Attributes("acme", Route.OMNIRPS, "generic", "TR-1001", "A-4711")
HUB = Bounds(hubs=frozenset({"akl1"}))


def bounds(retailers: str = "", carriers: str = "", hubs: str = "") -> Bounds:
    return Bounds(*(frozenset(kind.split()) for kind in (retailers, carriers, hubs)))


@pytest.mark.parametrize(
    ("bound", "covers"),
    (
        (UNBOUND, True),
        (bounds("acme"), True),
        (bounds("bravo acme"), True),
        (bounds("bravo"), False),
        (bounds(carriers="generic"), True),
        (bounds(carriers="nzpost"), False),
        (bounds(hubs="mel1"), True),
        (bounds("acme", "nzpost"), False),
        (bounds("bravo", "generic"), False),
        (bounds("acme", "generic", "mel1"), True),
    ),
)
def test_a_return_is_seen_that_is_within_every_kind_of_bound(bound: Bounds, covers: bool) -> None:
    assert bound.cover(ACME) is covers


def test_a_hub_sees_no_return_whose_route_leads_past_it() -> None:
    assert not HUB.cover(ACME._replace(route=Route.FIRST_MILE_ONLY))


@pytest.mark.parametrize("bound", (bounds("acme"), bounds(carriers="generic"), HUB))
def test_everything_is_for_who_is_not_bound_in_anything(bound: Bounds) -> None:
    assert bound.everything is None
    assert UNBOUND.everything is EVERYTHING


def known() -> State:
    street = {"name": "12 High Street", "country": "GB"}
    depot = {"name": "Leeds depot", "code": "LDS", "country": "GB"}
    events = [
        creation(order_number="A-4711"),
        scan("COLLECTED", "10:00", location=street),
        event(DS, "ds", "11:00", return_id="R-1001", hub="akl1", location=depot),
    ]
    return replay([PARSER.parse(record(each)).event for each in events])


def test_what_is_seen_of_a_return_is_all_of_it_nothing_or_for_a_hub_nothing_personal() -> None:
    state = known()

    seen = state_within(HUB, state)

    assert state_within(bounds("acme"), state) is state
    assert state_within(UNBOUND, state) is state
    assert state_within(bounds("bravo"), state) is None
    assert seen is not None
    assert seen.evidence.attributes == ACME._replace(order_number=None)
    assert seen.timeline.counts[Milestone.RT].location == {"country": "GB"}
    assert seen.timeline.counts[Milestone.DS].location == {"name": "Leeds depot", "code": "LDS", "country": "GB"}
    assert (seen.version, seen.seq, seen.timeline.status) == (state.version, state.seq, Milestone.DS)


def test_a_return_without_its_creation_is_seen_by_nobody_who_is_bound() -> None:
    assert state_within(bounds("acme"), NEW) is None
    assert state_within(UNBOUND, NEW) is NEW


def test_of_the_data_of_an_event_a_hub_sees_what_is_known_to_be_nobodys() -> None:
    data = {
        "return_id": "R-1001",
        "order_number": "A-4711",
        "sender": {"name": "Ann"},
        "signed_by": "Ann",
        "note": "call Ann",
        "location": {"name": "12 High Street", "country": "GB"},
        "items": [{"sku": "S-1", "quantity": 1, "description": "A shoe", "outcome": "accepted"}, "what"],
    }

    assert data_within(bounds("acme"), data) is data
    assert data_within(HUB, data) == {
        "return_id": "R-1001",
        "location": {"country": "GB"},
        "items": [{"sku": "S-1", "quantity": 1, "outcome": "accepted"}],
    }
    assert data_within(HUB, {"location": {"name": "12 High Street"}, "items": "none"}) == {}
    assert data_within(HUB, {"mawb": {"of": "Ann"}, "location": {"code": "X", "name": ["Ann"]}}) == {
        "location": {"code": "X"}
    }


@pytest.mark.parametrize(
    ("bound", "asked", "may"),
    (
        (UNBOUND, {"order_number": "A"}, True),
        (bounds("acme"), {"order_number": "A"}, True),
        (HUB, {"order_number": "A"}, False),
        (bounds("acme"), {"retailer": "acme"}, True),
        (bounds("acme"), {"retailer": "bravo"}, False),
        (bounds("acme"), {"carrier": "nzpost"}, True),
        (bounds(carriers="nzpost"), {"carrier": "generic"}, False),
    ),
)
def test_nobody_finds_by_what_is_not_seen(bound: Bounds, asked: dict[str, str], may: bool) -> None:
    values = {"retailer": None, "carrier": None, "order_number": None, **asked}

    assert may_ask(bound, **values) is may
