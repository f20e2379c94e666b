from __future__ import annotations

import json

import pytest

from service.application.commands.portal import CANCELLED, Made, NotChosen, UnderWay
from service.errors import Retryable
from service.wire.omnireturns.links import ExpiredLink, WrongLink
from tests.support.portals import FILE, Consumers, link

CHOSEN = {"quantity.0": "1", "reason.0": "too_small", "quantity.1": "0"}


def test_what_is_chosen_becomes_a_return_with_a_number_of_the_carrier() -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())

    before = consumers.portals.made(invitation)
    made = consumers.portals.make(invitation, CHOSEN)

    assert before is None
    ((return_id, event),) = consumers.world.published
    assert json.loads(event)["data"] == {
        "return_id": made.return_id,
        "retailer": "acme",
        "route": "omnirps",
        "carrier": "generic",
        "tracking_number": "RR000000005NZ",
        "order_number": "A-4711",
        "origin_country": "GB",
        "items": [{"sku": "SHOE-42", "quantity": 1, "description": "Running shoe", "reason": "too_small"}],
    }
    assert return_id == made.return_id
    found = consumers.portals.made(invitation)
    assert found is not None
    assert (found.return_id, found.document, found.cancelled) == (made.return_id, made.document, False)


def test_one_link_makes_one_return_whatever_is_chosen_when_it_is_sent_again() -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())

    first = consumers.portals.make(invitation, CHOSEN)
    again = consumers.portals.make(invitation, {**CHOSEN, "quantity.0": "2"})

    assert again.return_id == first.return_id
    assert len(consumers.world.published) == 1
    assert consumers.world.kept.numbers == 1


def test_what_kafka_did_not_take_is_made_with_the_first_choice_when_the_form_comes_again() -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())
    consumers.world.kafka_is_away = True
    with pytest.raises(Retryable):
        consumers.portals.make(invitation, CHOSEN)
    before = consumers.portals.made(invitation)
    consumers.world.kafka_is_away = False

    made = consumers.portals.make(invitation, {**CHOSEN, "quantity.0": "2"})

    assert before is None
    assert len(consumers.world.published) == 1
    assert consumers.portals.made(invitation) == made


def test_an_item_without_a_description_has_none_and_countries_are_those_that_are_known() -> None:
    consumers = Consumers(FILE.replace('origin_country = "GB"', 'destination_country = "NO"'))

    consumers.portals.make(consumers.portals.invitation(link()), {"quantity.1": "001", "reason.1": "other"})

    data = json.loads(consumers.world.published[0][1])["data"]
    assert data.pop("return_id").startswith("OR")
    assert data == {
        "retailer": "acme",
        "route": "omnirps",
        "carrier": "generic",
        "tracking_number": "RR000000005NZ",
        "order_number": "A-4711",
        "destination_country": "NO",
        "items": [{"sku": "HAT-1", "quantity": 1, "reason": "other"}],
    }


@pytest.mark.parametrize(
    ("chosen", "where"),
    (
        ({}, ("quantity.0",)),
        ({"quantity.0": "0", "quantity.1": "0"}, ("quantity.0",)),
        ({"quantity.0": "1"}, ("reason.0",)),
        ({"quantity.0": "1", "reason.0": "bored"}, ("reason.0",)),
        ({"quantity.0": "3", "reason.0": "other"}, ("quantity.0",)),
        ({"quantity.0": "-1", "quantity.1": "x"}, ("quantity.0", "quantity.1")),
        ({"quantity.0": "٢", "reason.0": "other"}, ("quantity.0",)),
        ({"quantity.0": "0001", "reason.0": "other"}, ("quantity.0",)),
        ({"quantity.1": "9" * 5000, "reason.1": "other"}, ("quantity.1",)),
    ),
)
def test_nothing_or_nonsense_chosen_makes_no_return(chosen: dict[str, str], where: tuple[str, ...]) -> None:
    consumers = Consumers()

    with pytest.raises(NotChosen) as refused:
        consumers.portals.make(consumers.portals.invitation(link()), chosen)

    assert refused.value.where == where
    assert consumers.world.kept.rows == {}


def test_a_return_that_is_cancelled_is_closed_once_in_the_consumers_name() -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())
    consumers.portals.cancel(invitation)
    made = consumers.portals.make(invitation, CHOSEN)

    consumers.portals.cancel(invitation)
    consumers.portals.cancel(invitation)

    (event,) = (json.loads(event) for event in consumers.closed)
    created = json.loads(consumers.world.published[0][1])
    assert (event["type"], event["source"]) == ("com.omnirps.return.closed.v1", created["source"])
    assert event["data"] == {
        "return_id": made.return_id,
        "by": "consumer",
        "reason": "cancelled",
        "note": CANCELLED,
    }
    found = consumers.portals.made(invitation)
    assert found is not None
    assert found.cancelled
    assert consumers.portals.make(invitation, CHOSEN).cancelled


@pytest.mark.parametrize(("status", "closed"), (("RC", 1), ("RT", 0), ("DS", 0)))
def test_a_parcel_that_the_carrier_has_is_not_cancelled(status: str, closed: int) -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())
    made = consumers.portals.make(invitation, CHOSEN)
    consumers.status[made.return_id] = status

    if closed:
        consumers.portals.cancel(invitation)
    else:
        with pytest.raises(UnderWay):
            consumers.portals.cancel(invitation)

    assert len(consumers.closed) == closed


@pytest.mark.parametrize(("status", "is_under_way"), ((None, False), ("RC", False), ("RT", True), ("RDBTC", True)))
def test_a_return_that_its_consumer_cancelled_and_the_carrier_has_is_under_way(
    status: str | None, *, is_under_way: bool
) -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())
    made = consumers.portals.make(invitation, CHOSEN)
    consumers.portals.cancel(invitation)
    if status is not None:
        consumers.status[made.return_id] = status

    assert consumers.portals.made(invitation) == Made(made.return_id, made.document, True, is_under_way)


def test_a_return_that_was_not_cancelled_is_not_told_to_be_under_way_all_the_same() -> None:
    consumers = Consumers()
    invitation = consumers.portals.invitation(link())
    made = consumers.portals.make(invitation, CHOSEN)
    consumers.status[made.return_id] = "RT"

    assert consumers.portals.made(invitation) == made == Made(made.return_id, made.document, cancelled=False)


def test_a_link_is_asked_for_its_time_and_its_signature() -> None:
    consumers = Consumers()

    with pytest.raises(ExpiredLink):
        consumers.portals.invitation(link(expires=1))
    with pytest.raises(WrongLink):
        consumers.portals.invitation(link() + "0")
