from __future__ import annotations

import json
import re
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.commands.creation import (
    SOURCE,
    Created,
    CreationRequest,
    KeyReused,
    ReturnExists,
    new_return_id,
)
from service.errors import InvalidEvent, Retryable
from service.wire.models import RETURN_CREATED
from service.wire.numbering.ranges import parse_ranges
from tests.support.creations import RANGES, World
from tests.unit.application.access.test_bounds import bounds

DATA: dict[str, Any] = {"retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": "T-1"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def numbered() -> World:
    return World(RANGES)


def test_what_kafka_did_not_take_is_published_when_the_request_comes_again(world: World) -> None:
    request = CreationRequest("t", "k", DATA, UNBOUND)
    world.kafka_is_away = True
    with pytest.raises(Retryable):
        world.creating.create(request)
    kept = world.kept.rows["t", "key:k"]
    world.kafka_is_away = False

    created = world.creating.create(request)
    again = world.creating.create(request)

    assert world.published == [(kept.return_id, kept.event)]
    assert created.return_id == again.return_id == kept.return_id
    assert created.document == again.document


def test_a_creation_that_is_old_by_now_is_answered_as_it_was(world: World) -> None:
    request = CreationRequest("t", "k", DATA, UNBOUND)
    created = world.creating.create(request)
    world.now += timedelta(days=500)

    assert world.creating.create(request) == created._replace(again=True)
    assert world.creating.find(UNBOUND, created.return_id) == created.document
    assert len(world.published) == 1


def test_where_the_answer_of_kafka_cannot_be_noted_the_same_event_goes_out_again(world: World) -> None:
    request = CreationRequest("t", "k", DATA, UNBOUND)
    world.kept.is_away = True

    first, second = world.creating.create(request), world.creating.create(request)

    assert first.return_id == second.return_id
    assert len(world.published) == 2
    assert len(set(world.published)) == 1


def test_a_request_without_key_or_number_is_a_new_return_each_time(world: World) -> None:
    first, second = (
        world.creating.create(CreationRequest("t", None, DATA, UNBOUND)),
        world.creating.create(CreationRequest("t", None, DATA, UNBOUND)),
    )

    assert first.return_id != second.return_id
    assert world.kept.rows == {}


def test_keys_and_numbers_hold_for_one_request(world: World) -> None:
    world.creating.create(CreationRequest("t", "k", {**DATA, "return_id": "R-1"}, UNBOUND))

    with pytest.raises(KeyReused):
        world.creating.create(CreationRequest("t", "k", {**DATA, "return_id": "R-2"}, UNBOUND))
    with pytest.raises(ReturnExists):
        world.creating.create(CreationRequest("t", None, {**DATA, "return_id": "R-1"}, UNBOUND))
    with pytest.raises(ReturnExists):
        world.creating.create(CreationRequest("other", "k", {**DATA, "return_id": "R-1"}, UNBOUND))
    assert len(world.published) == 1


def test_what_ingestion_would_refuse_is_neither_kept_nor_published(world: World) -> None:
    with pytest.raises(InvalidEvent):
        world.creating.create(CreationRequest("t", "k", {**DATA, "retailer": "ACME"}, UNBOUND))

    assert (world.kept.rows, world.published) == ({}, [])


def test_a_null_number_is_none(world: World) -> None:
    created = world.creating.create(CreationRequest("t", None, {**DATA, "return_id": None}, UNBOUND))

    assert json.loads(world.published[0][1])["data"]["return_id"] == created.return_id


def test_a_number_is_or_and_twelve_characters_that_nobody_mistakes() -> None:
    for _ in range(50):
        assert re.fullmatch("OR[0-9A-HJKMNP-TV-Z]{12}", new_return_id())


def test_the_event_is_what_was_asked_for_under_the_number_of_the_return(world: World) -> None:
    created = world.creating.create(CreationRequest("t", None, DATA, UNBOUND))

    ((key, value),) = world.published
    event = json.loads(value)
    assert key == created.return_id == event["subject"] == event["data"]["return_id"]
    assert event["data"] == {**DATA, "return_id": created.return_id}
    assert (event["specversion"], event["type"], event["source"]) == ("1.0", RETURN_CREATED, SOURCE)
    assert (event["datacontenttype"], event["time"]) == ("application/json", "2026-11-20T09:00:00Z")
    assert created.document["return_id"] == created.return_id
    assert created.document["status"] == "RC"


def test_only_a_request_that_came_before_is_answered_as_one_that_did(world: World) -> None:
    asked = CreationRequest("t", "k", DATA, UNBOUND)

    first, second = world.creating.create(asked), world.creating.create(asked)

    assert (first.again, second.again) == (False, True)
    unnamed = world.creating.create(CreationRequest("t", None, DATA, UNBOUND))
    assert unnamed == Created(unnamed.return_id, {**first.document, "return_id": unnamed.return_id}, again=False)


def test_the_same_data_in_another_order_are_the_same_request(world: World) -> None:
    first = world.creating.create(CreationRequest("t", "k", DATA, UNBOUND))

    assert (
        world.creating.create(CreationRequest("t", "k", dict(reversed(DATA.items())), UNBOUND)).return_id
        == first.return_id
    )


def test_a_request_is_known_again_by_what_every_release_makes_of_its_data(world: World) -> None:
    world.creating.create(CreationRequest("t", "k", DATA, UNBOUND))

    canonical = b'{"carrier":"generic","retailer":"acme","route":"omnirps","tracking_number":"T-1"}'
    assert world.kept.rows["t", "key:k"].fingerprint == sha256(canonical).digest()


def test_a_key_is_one_of_a_token_and_a_number_is_not_a_key(world: World) -> None:
    world.creating.create(CreationRequest("t", "k", DATA, UNBOUND))
    world.creating.create(CreationRequest("t", None, {**DATA, "return_id": "R-1"}, UNBOUND))

    assert list(world.kept.rows) == [("t", "key:k"), ("t", "return:R-1")]
    assert all(row.published for row in world.kept.rows.values())


def test_half_a_character_is_refused_in_the_words_of_ingestion(world: World) -> None:
    with pytest.raises(InvalidEvent) as refused:
        world.creating.create(CreationRequest("t", None, {**DATA, "order_number": "\ud800"}, UNBOUND))

    assert refused.value.reason == "lone_surrogate"


def test_numbers_are_new_each_time() -> None:
    assert len({new_return_id() for _ in range(1000)}) == 1000


UNNUMBERED = {name: value for name, value in DATA.items() if name != "tracking_number"}


def test_a_return_without_a_number_gets_one_of_its_carriers_range_and_keeps_it(numbered: World) -> None:
    request = CreationRequest("t", "k", UNNUMBERED, UNBOUND)

    first, again = numbered.creating.create(request), numbered.creating.create(request)
    other = numbered.creating.create(CreationRequest("t", None, {**UNNUMBERED, "tracking_number": None}, UNBOUND))

    assert first.document["tracking_number"] == again.document["tracking_number"] == "RR000000005NZ"
    assert (first.again, again.again) == (False, True)
    assert other.document["tracking_number"] == "RR000000014NZ"
    assert json.loads(numbered.published[-1][1])["data"]["tracking_number"] == "RR000000014NZ"


def test_a_number_that_is_given_is_left_alone(numbered: World) -> None:
    created = numbered.creating.create(CreationRequest("t", "k", DATA, UNBOUND))

    assert created.document["tracking_number"] == "T-1"
    assert numbered.kept.numbers == 0


def test_what_ingestion_would_refuse_takes_no_number(numbered: World) -> None:
    for wrong in ({"route": "by sea"}, {"items": [{"sku": "x", "quantity": -1}]}):
        with pytest.raises(InvalidEvent):
            numbered.creating.create(CreationRequest("t", "k", {**UNNUMBERED, **wrong}, UNBOUND))

    assert numbered.kept.numbers == 0


@pytest.mark.parametrize(
    ("wrong", "expected"),
    (
        ({"route": "by sea", "destination_country": "Oceania"}, ["route", "destination_country"]),
        ({"route": "by sea", "items": [{"sku": "x", "quantity": -1}]}, ["route", "items[0].quantity"]),
        ({"destination_country": "Oceania"}, ["destination_country"]),
        (
            {"tracking_number": "no number", "destination_country": "Oceania"},
            ["tracking_number", "destination_country"],
        ),
    ),
)
def test_all_that_is_wrong_is_told_descriptions_too_and_a_number_that_is_to_be_is_not(
    numbered: World, wrong: dict[str, Any], expected: list[str]
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        numbered.creating.check(UNBOUND, {**UNNUMBERED, **wrong})

    assert [path for path, _ in refused.value.faults] == [f"data.{each}" for each in expected]


@pytest.mark.parametrize("carrier", ("dhl", None, 7))
def test_a_carrier_without_a_range_needs_a_number(numbered: World, carrier: object) -> None:
    with pytest.raises(InvalidEvent, match="tracking_number: a number is expected; generic has a range"):
        numbered.creating.create(CreationRequest("t", "k", {**UNNUMBERED, "carrier": carrier}, UNBOUND))


def test_all_carriers_that_have_a_range_are_named() -> None:
    text = '[[range]]\ncarrier = "{}"\ncheck = "none"\nprefix = "{}"\nfirst = "00"\nlast = "99"\n'
    ranges = parse_ranges(text.format("nzpost", "N") + text.format("gls", "G"), "")

    with pytest.raises(InvalidEvent, match="; gls, nzpost has a range of numbers here to take one from"):
        World(ranges).creating.check(UNBOUND, UNNUMBERED)


def test_without_ranges_it_is_said_that_there_are_none(world: World) -> None:
    with pytest.raises(InvalidEvent, match="no carrier has a range"):
        world.creating.create(CreationRequest("t", "k", UNNUMBERED, UNBOUND))


def test_a_return_is_found_from_when_kafka_has_it(world: World) -> None:
    world.kafka_is_away = True
    with pytest.raises(Retryable):
        world.creating.create(CreationRequest("t", "k", {**DATA, "return_id": "R-1"}, UNBOUND))
    before = world.creating.find(UNBOUND, "R-1")
    world.kafka_is_away = False
    created = world.creating.create(CreationRequest("t", "k", {**DATA, "return_id": "R-1"}, UNBOUND))

    assert before is None
    assert world.creating.find(UNBOUND, "R-1") == created.document
    assert world.creating.find(UNBOUND, "R-2") is None


@pytest.mark.parametrize(
    ("bound", "is_seen"),
    ((UNBOUND, True), (bounds("acme"), True), (bounds("bravo"), False), (bounds(carriers="gls"), False)),
)
def test_a_return_is_found_within_bounds(world: World, bound: Bounds, *, is_seen: bool) -> None:
    created = world.creating.create(CreationRequest("t", None, {**DATA, "return_id": "R-1"}, UNBOUND))

    assert world.creating.find(bound, "R-1") == (created.document if is_seen else None)


def test_what_kafka_did_not_take_of_our_own_is_published_once_it_is_resumed(world: World) -> None:
    world.kafka_is_away = True
    with pytest.raises(Retryable):
        world.creating.create(CreationRequest(None, "k", DATA, UNBOUND))
    world.kafka_is_away = False

    resumed, again = world.creating.resume("k"), world.creating.resume("k")

    kept, document = world.creating.kept("k") or pytest.fail("nothing is kept")
    assert resumed == again == Created(kept.return_id, document, again=True)
    assert world.published == [(kept.return_id, kept.event)]
    with pytest.raises(KeyError):
        world.creating.resume("another")
