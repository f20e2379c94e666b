"""A wrong description never costs a fact: what is wrong with it is left out, named, and kept as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import TypeAdapter, ValidationError

from service.domain.milestones import Milestone
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound, Parser
from service.wire.judging.descriptions import country, location_of, not_understood, order_number, require_understood
from service.wire.reasons import Invalid
from tests.unit.wire.events import DATA, record, with_data

PARSER = Parser(CarrierTables.load())
CREATED, SCAN, DEPOT = models.RETURN_CREATED, models.CARRIER_SCANNED, models.HUB_DEPOT_SCANNED
PROCESSED, EXPORTED, REJECTED = models.HUB_PROCESSED, models.HUB_EXPORTED, models.HUB_REJECTED


def parsed(event_type: str, **members: Any) -> Inbound:
    return PARSER.parse(record(with_data(event_type, **members)))


@pytest.mark.parametrize(
    ("event_type", "members"),
    (
        (SCAN, {"signed_by": ""}),
        (SCAN, {"local_time": ""}),
        (SCAN, {"location": ""}),
        (SCAN, {"location": {"name": "Auckland", "country": ""}}),
        (CREATED, {"order_number": ""}),
        (CREATED, {"destination_country": "", "origin_country": ""}),
        (CREATED, {"items": ""}),
        (EXPORTED, {"mawb": ""}),
        (PROCESSED, {"omnirps_tracking_number": ""}),
        (models.CONNOTE_DELIVERED, {"carrier": ""}),
        (CREATED, {"destination_country": "nz", "origin_country": "UK"}),
        (SCAN, {"location": {"country": " gb "}}),
    ),
    ids=repr,
)
def test_what_says_nothing_or_says_it_in_another_letter_case_is_understood(
    event_type: str, members: dict[str, Any]
) -> None:
    inbound = parsed(event_type, **members)

    assert inbound.not_understood == ()
    assert json.loads(inbound.data) == DATA[event_type] | members, "it is kept as it came"
    assert not_understood(event_type, DATA[event_type] | members) == (), "the desk says the same of it later"


@pytest.mark.parametrize(
    ("event_type", "members", "ignored"),
    (
        (CREATED, {"destination_country": "GBR"}, ("destination_country",)),
        (CREATED, {"origin_country": "NEW ZEALAND", "order_number": "9" * 129}, ("order_number", "origin_country")),
        (CREATED, {"order_number": 4711}, ("order_number",)),
        (CREATED, {"items": [{"sku": "S", "quantity": "1"}]}, ("items.quantity",)),
        (CREATED, {"items": [{"sku": "S", "quantity": 0.5}]}, ("items.quantity",)),
        (CREATED, {"items": {"sku": "S"}}, ("items",)),
        (SCAN, {"location": "Auckland"}, ("location",)),
        (
            SCAN,
            {"location": {"name": ["Auckland"], "code": "AKL", "country": {}}},
            ("location.name", "location.country"),
        ),
        (SCAN, {"signed_by": 7, "description": []}, ("description", "signed_by")),
        (PROCESSED, {"items": [{"sku": "S", "quantity": 1, "outcome": "burnt"}]}, ("items.outcome",)),
        (REJECTED, {"note": 1}, ("note",)),
        (models.CONNOTE_DELIVERED, {"carrier": "NZ Post"}, ("carrier",)),
    ),
    ids=repr,
)
def test_what_is_still_wrong_is_left_out_and_named(
    event_type: str, members: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    inbound = parsed(event_type, **members)

    assert inbound.not_understood == ignored
    assert json.loads(inbound.data) == DATA[event_type] | members, "it is kept as it came"
    assert not_understood(event_type, DATA[event_type] | members) == ignored, "the desk says the same of it later"


def test_of_a_place_what_can_be_understood_is() -> None:
    inbound = parsed(SCAN, location={"name": ["Auckland"], "code": "AKL", "country": "nz"})

    assert inbound.event.location == {"code": "AKL", "country": "NZ"}
    assert location_of(SCAN, {"location": {"name": "x" * 257, "code": 1, "country": "NZL"}}) is None


def test_an_order_number_that_is_none_is_not_the_returns() -> None:
    for wrong in ("", 4711, "9" * 129, ["A"]):
        attributes = parsed(CREATED, order_number=wrong).event.attributes
        assert attributes is not None
        assert attributes.order_number is None


@pytest.mark.parametrize("member", ("return_id", "retailer", "route", "carrier", "tracking_number"))
@pytest.mark.parametrize("wrong", ("", 1, None, "?"))
def test_a_fact_stays_strict_whatever_is_wrong_beside_it(member: str, wrong: object) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parsed(CREATED, **{member: wrong, "destination_country": "GBR"})

    assert [path for path, _ in caught.value.faults] == [f"data.{member}"]


def test_every_fault_of_a_fact_is_told_at_once() -> None:
    with pytest.raises(InvalidEvent) as caught:
        parsed(CREATED, return_id="?", retailer="ACME", route="air", carrier=1)

    told = [path for path, _ in caught.value.faults]
    assert told == ["data.return_id", "data.retailer", "data.route", "data.carrier"]
    assert all(f"{path}: " in caught.value.detail for path in told)


def test_a_hub_may_give_its_reason_at_length() -> None:
    assert parsed(REJECTED, reason="x" * 4096).event.milestone is Milestone.RR
    with pytest.raises(InvalidEvent, match=r"data\.reason"):
        parsed(REJECTED, reason="x" * 4097)


@pytest.mark.parametrize("code", ("OP-33 ", " OP-33", "OP-33\n", "\u00a0OP-33\ufeff"))
def test_a_code_is_read_without_the_white_space_around_it(code: str) -> None:
    inbound = parsed(SCAN, code=code)

    assert (inbound.code, inbound.event.milestone) == ("OP-33", parsed(SCAN, code="OP-33").event.milestone)
    assert CarrierTables.load().understand("omniparcel", code) == CarrierTables.load().understand("omniparcel", "OP-33")


def test_a_code_of_white_space_is_none() -> None:
    with pytest.raises(InvalidEvent, match=r"data\.code: more than white space"):
        parsed(SCAN, code=" \n")


def test_a_local_time_that_says_nothing_is_absent_and_a_wrong_one_is_a_fault() -> None:
    assert parsed(SCAN, local_time="").zone_source == "event"
    with pytest.raises(InvalidEvent) as caught:
        parsed(SCAN, local_time="soon")
    assert caught.value.reason == Invalid.BAD_TIME


def test_a_type_that_nobody_knows_is_answered_with_those_that_are() -> None:
    with pytest.raises(InvalidEvent) as caught:
        PARSER.parse(record({**with_data(DEPOT), "type": "com.omnirps.hub.scanned.v1"}))

    assert caught.value.reason == Invalid.UNKNOWN_TYPE
    assert all(known in caught.value.detail for known in models.MODELS)


def test_an_event_on_the_wrong_topic_is_told_the_right_one() -> None:
    parser = Parser(CarrierTables.load(), {"in.scans": (SCAN,), "in.hubs": (DEPOT,)})
    with pytest.raises(InvalidEvent, match=r"does not belong on this topic but on in\.hubs"):
        parser.parse(replace(record(with_data(DEPOT)), topic="in.scans"))


@pytest.mark.parametrize("said", ("ZZ", "EN", "XX", "nk"))
def test_two_letters_that_are_no_country_are_left_out_of_what_is_understood(said: str) -> None:
    inbound = parsed(SCAN, location={"name": "Auckland", "country": said})

    assert inbound.event.location == {"name": "Auckland"}
    assert inbound.not_understood == ("location.country",)
    with pytest.raises(InvalidEvent):  # of what nobody has sent yet all is to be right
        require_understood(CREATED, {**with_data(CREATED)["data"], "origin_country": said})


@pytest.mark.parametrize("event_type", models.MODELS)
def test_of_what_nobody_has_sent_yet_everything_has_to_be_understood(event_type: str) -> None:
    require_understood(event_type, DATA[event_type])

    with pytest.raises(InvalidEvent) as caught:
        require_understood(event_type, {})
    assert caught.value.reason == Invalid.MISSING_FIELD
    assert {path for path, _ in caught.value.faults} <= {f"data.{member}" for member in DATA[event_type]}


@given(st.text(max_size=20))
def test_a_country_is_two_letters_or_none(text: str) -> None:
    found = country(text)

    assert found is None or len(found) == 2
    assert country(country(text)) == country(text)


def test_a_list_full_of_mistakes_costs_no_more_than_one() -> None:
    items = [{"sku": "S", "quantity": "1"}] * 5000

    assert parsed(CREATED, items=items).not_understood == ("items.quantity",)
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(models.ReturnCreatedData).validate_python(DATA[CREATED] | {"items": items})
    assert caught.value.error_count() == 1


@pytest.mark.parametrize(("member", "longest"), (("name", 256), ("code", 64)), ids=("a place's name", "a place's code"))
def test_a_text_is_understood_up_to_its_length(member: str, longest: int) -> None:
    for event_type in (SCAN, DEPOT, models.CONNOTE_DELIVERED):
        assert location_of(event_type, {"location": {member: "x" * longest}}) == {member: "x" * longest}
        assert location_of(event_type, {"location": {member: "x" * (longest + 1)}}) is None
    created = DATA[CREATED]
    assert order_number(created | {"order_number": "9" * 128}) == "9" * 128
    assert order_number(created | {"order_number": "9" * 129}) is None


@pytest.mark.parametrize("value", (7, True, None, ["GB"], {"code": "GB"}, "", " ", "G", "G1"))
def test_what_is_no_country_is_none(value: object) -> None:
    assert country(value) is None
    assert location_of(SCAN, {"location": {"code": "AKL", "country": value}}) == {"code": "AKL"}


@pytest.mark.parametrize("value", ("Auckland", 7, ["Auckland"], True))
def test_what_is_no_place_is_none(value: object) -> None:
    assert location_of(SCAN, {"location": value}) is None


def test_in_a_list_a_member_is_named_once_however_often_it_is_wrong() -> None:
    items = [{"sku": "S", "quantity": 1, "condition": 1, "reason": 2}, {"sku": "S", "quantity": 1, "condition": []}]

    assert not_understood(PROCESSED, DATA[PROCESSED] | {"items": items}) == ("items.condition", "items.reason")


def test_of_a_type_of_our_own_everything_is_understood() -> None:
    assert not_understood("com.omnirps.return.reconciled.v1", {"published": 7}) == ()
    assert not_understood(DEPOT, DATA[DEPOT]) == ()


@pytest.mark.parametrize("data", (None, [], "text", 7))
def test_data_that_is_no_object_is_no_description(data: object) -> None:
    with pytest.raises(InvalidEvent) as caught:
        PARSER.parse(record(with_data(DEPOT) | {"data": data}))

    assert [path for path, _ in caught.value.faults] == ["data"]


def test_what_is_wrong_with_the_envelope_costs_the_event_whatever_its_name_is_among_descriptions() -> None:
    with pytest.raises(InvalidEvent) as caught:
        PARSER.parse(record(with_data(SCAN, signed_by=7) | {"datacontenttype": "text/plain"}))

    assert [path for path, _ in caught.value.faults] == ["datacontenttype"]
