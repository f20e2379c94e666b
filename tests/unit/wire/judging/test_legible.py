"""What JSON can say and nobody can keep costs a description that description, and a fact the event."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.events import Sense
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.cloudevents import MAX_BYTES
from service.wire.inbound import Inbound, Parser
from service.wire.judging.legible import split
from service.wire.reasons import Invalid
from tests.unit.wire.events import DATA, envelope, record, with_data

PARSER = Parser(CarrierTables.load())
SCAN, PROCESSED, CREATED = models.CARRIER_SCANNED, models.HUB_PROCESSED, models.RETURN_CREATED
# A value as JSON has it, and what is kept of it.
ILLEGIBLE = (
    (r'"an emoji cut in two \ud83d"', "an emoji cut in two \ufffd"),
    (r'"\udc00 and \ud83d\ude00 whole"', "\ufffd and \U0001f600 whole"),
    (r'"\ud800\u0041"', "\ufffdA"),
    (r'"\\\u0000 \\u0000"', "\\\ufffd \\u0000"),
    ("1e400", None),
    ("-1E+999", None),
    ("9" * 5000, None),
)


def parsed(event_type: str, member: str, fragment: str) -> Inbound:
    """An event with the member's value written as it stands."""
    text = json.dumps(with_data(event_type, **{member: "HERE"}))
    return PARSER.parse(record(text.replace('"HERE"', fragment).encode()))


@pytest.mark.parametrize(("fragment", "kept"), ILLEGIBLE, ids=range(len(ILLEGIBLE)))
@pytest.mark.parametrize("event_type", (SCAN, PROCESSED))
def test_of_a_member_that_nobody_knows_it_costs_nothing(event_type: str, fragment: str, kept: str | None) -> None:
    inbound = parsed(event_type, "further", fragment)

    assert json.loads(inbound.data) == DATA[event_type] | {"further": kept}
    assert inbound.not_understood == ()


@pytest.mark.parametrize(("fragment", "kept"), ILLEGIBLE, ids=range(len(ILLEGIBLE)))
def test_of_a_description_it_costs_the_description_and_is_said(fragment: str, kept: str | None) -> None:
    inbound = parsed(SCAN, "description", fragment)

    assert json.loads(inbound.data) == DATA[SCAN] | {"description": kept}
    assert inbound.not_understood == ("description",)


# In the last three a name stands there as well that another one is mended to.
PLACES = (
    r'{"name": "Auck\ud83d"}',
    r'{"\u0000": 1}',
    '{"code": 1e400}',
    r'"\u0000"',
    r'{"\ud800": 1, "\ufffd": 2}',
    r'{"\ufffe": 2, "\ud800": [1]}',
    r'{"\ufffe": 2, "\ud800": {"name": "Auckland"}}',
)


@pytest.mark.parametrize("fragment", PLACES)
def test_of_a_place_the_member_is_named_and_not_what_the_publisher_wrote_within(fragment: str) -> None:
    assert parsed(SCAN, "location", fragment).not_understood[-1:] == ("location",)


@pytest.mark.parametrize("code", ("\ue000", r"\ue000", r"\uE000", "\ue000\ue001", r"\ue000\uE001\ue002"))
def test_what_stands_for_the_private_use_of_somebody_is_legible(code: str) -> None:
    text = json.dumps(with_data(SCAN, code="HERE", further="CUT"))
    message = text.replace("HERE", code).replace('"CUT"', r'"\ud83d"').encode()

    assert PARSER.parse(record(message)).event.sense is Sense.UNMAPPED


def test_also_where_somebody_writes_all_of_it() -> None:
    every = "".join(map(chr, range(0xE000, 0xF900)))
    text = json.dumps(with_data(SCAN, further="THERE", more=every), ensure_ascii=False)

    inbound = PARSER.parse(record(text.replace('"THERE"', r'"\ud83d"').encode()))

    assert json.loads(inbound.data)["more"] == every


@pytest.mark.parametrize(("fragment", "_kept"), ILLEGIBLE, ids=range(len(ILLEGIBLE)))
@pytest.mark.parametrize(("event_type", "member"), ((SCAN, "code"), (PROCESSED, "hub"), (CREATED, "retailer")))
def test_of_a_fact_it_costs_the_event(event_type: str, member: str, fragment: str, _kept: str | None) -> None:
    with pytest.raises(InvalidEvent) as refused:
        parsed(event_type, member, fragment)

    assert refused.value.reason in (Invalid.NUL_CHARACTER, Invalid.LONE_SURROGATE, Invalid.NUMBER_OUT_OF_RANGE)
    assert [path for path, _ in refused.value.faults] == [f"data.{member}"]
    assert refused.value.detail.startswith(f"data.{member}: holds U+0000, half of a character, or a number")


def test_all_of_them_are_named() -> None:
    text = json.dumps(envelope(SCAN)).replace('"COLLECTED"', r'"\ud800"').replace('"/tests/publisher"', r'"a\u0000"')
    text = text if r"\ud800" in text else text.replace('"code": "', r'"code": "\ud800')

    with pytest.raises(InvalidEvent) as refused:
        PARSER.parse(record(text.encode()))

    assert [path for path, _ in refused.value.faults] == ["source", "data.code"]


@pytest.mark.parametrize("attribute", ("id", "source", "type", "time", "subject", "more"))
def test_of_the_envelope_it_costs_the_event(attribute: str) -> None:
    text = json.dumps(envelope(SCAN) | {attribute: "HERE"}).replace('"HERE"', r'"a\u0000"').encode()

    with pytest.raises(InvalidEvent) as refused:
        PARSER.parse(record(text))

    assert refused.value.reason == Invalid.NUL_CHARACTER
    # One that CloudEvents does not define is the publisher's own word.
    assert [path for path, _ in refused.value.faults] == ["the event" if attribute == "more" else attribute]


@pytest.mark.parametrize(
    ("members", "path"),
    (
        ({"data": "HERE"}, "data"),
        ({"data": ["HERE"]}, "data"),
        ({"more": {"HERE": 1}}, "the event"),
        ({"more": {"within": "HERE"}}, "the event"),
        ({"time": {"HERE": 1}}, "time"),
    ),
)
def test_the_envelope_is_named_no_deeper_than_its_attributes(members: dict[str, Any], path: str) -> None:
    text = json.dumps(envelope(SCAN) | members).replace("HERE", r"\ud83d").encode()

    with pytest.raises(InvalidEvent) as refused:
        PARSER.parse(record(text))

    assert [path for path, _ in refused.value.faults] == [path]


def test_what_is_wrong_behind_it_is_still_found() -> None:
    with pytest.raises(InvalidEvent) as refused:
        PARSER.parse(record(rb'{"specversion":"1.0","data":{"note":"\ud800"},,}'))

    assert refused.value.reason == Invalid.NOT_JSON


@pytest.mark.parametrize("number", ("9" * 4300, "-" + "9" * 4299, "-" + "9" * 400, "-1", "-1e300"), ids=len)
def test_a_number_that_can_be_read_is_kept_beside_what_cannot(number: str) -> None:
    inbound = parsed(SCAN, "further", rf'["\ud83d", {number}]')

    assert json.loads(inbound.data)["further"] == ["\ufffd", json.loads(number)]


TEXTS = st.text(st.sampled_from('a\0\\"\ud83d\ude00\udc00\ufffd\ufffe{[:,1e'), max_size=8)
VALUES = st.recursive(
    TEXTS | st.integers() | st.just(float("inf")) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_a_description_is_the_fact_is_taken(value: Any) -> None:
    said = json.dumps(value).replace("Infinity", "1e999")

    inbound = parsed(SCAN, "further", said)

    assert inbound.event == parsed(SCAN, "further", inbound_member(inbound)).event, "what is kept is the same event"


# They become one name in what is mended, or stand there already.
NAMES = st.sampled_from(("\ud800", "\udc00", "\0", chr(0xFFFD), "\ufffe", "\ue000", "a"))
NAMED = st.dictionaries(NAMES, st.lists(st.integers(0, 1), max_size=2) | st.dictionaries(NAMES, st.booleans()))


@given(NAMED, st.booleans())
@example(value={"\ufffe": [1], "\ud800": [1, 0]}, is_place=True)
@example(value={"\ufffe": [1], "\ud800": [1]}, is_place=True)
def test_names_that_become_one_cost_the_description_alone(value: dict[str, Any], is_place: bool) -> None:
    """And no message ends in another error: it would stop its partition for everyone."""
    inbound = parsed(SCAN, "location" if is_place else "further", json.dumps(value))

    is_illegible = any(character in json.dumps(value) for character in ("\\ud800", "\\udc00", "\\u0000"))
    assert inbound.event.label == (DATA[SCAN]["carrier"], DATA[SCAN]["tracking_number"])
    assert is_illegible is any(each.startswith("location") for each in inbound.not_understood) or not is_place


@given(NAMED, st.sampled_from(("first", "last")))
def test_names_that_nobody_can_read_beside_facts_cost_none_of_them(value: dict[str, Any], where: str) -> None:
    more = {name: each for name, each in value.items() if name != "a"}
    data = more | with_data(SCAN)["data"] if where == "first" else with_data(SCAN)["data"] | more

    inbound = PARSER.parse(record(json.dumps(with_data(SCAN) | {"data": data}).encode()))

    assert inbound.event.label == (DATA[SCAN]["carrier"], DATA[SCAN]["tracking_number"])


@given(NAMED)
def test_names_that_nobody_can_read_in_the_envelope_end_in_no_other_error(value: dict[str, Any]) -> None:
    with suppress(InvalidEvent):
        PARSER.parse(record(json.dumps(value | with_data(SCAN)).encode()))


@pytest.mark.parametrize("sign", ("", "-"))
def test_an_integer_is_kept_beside_what_is_not_as_it_is_alone(sign: str) -> None:
    number = sign + "9" * 4300

    assert (
        parsed(SCAN, "further", rf'[{number}, "\ud800"]').data == parsed(SCAN, "further", rf'[{number}, "\ufffd"]').data
    )


def inbound_member(inbound: Inbound) -> str:
    return json.dumps(json.loads(inbound.data)["further"])


@pytest.mark.parametrize(
    "tail",
    (
        lambda room: b'"' + rb"\"" * (room // 2),
        lambda room: b'"' + b"a" * room,
        lambda room: b"[" * room,
        lambda room: b'"' + rb"\u0000" * (room // 6) + b'"}}',
        lambda room: b"9" * room,
        lambda room: b"1." * (room // 2),
        lambda room: b'""' * (room // 2),
    ),
    ids=range(7),
)
def test_no_message_makes_it_work_for_more_than_its_size(tail: Any) -> None:
    head = rb'{"specversion":"1.0","type":"t","data":{"a":"\ud800","b":'
    message = record(head + tail(MAX_BYTES - len(head) - 8))

    began = time.process_time()
    with pytest.raises(InvalidEvent):
        PARSER.parse(message)

    assert time.process_time() - began < 5, "what is not linear takes minutes"


@given(st.lists(VALUES, max_size=5), st.sampled_from(((",", ":"), (" ,\n", ": "))))
def test_a_batch_is_split_into_its_values_as_they_stand(values: list[Any], separators: tuple[str, str]) -> None:
    pieces = [json.dumps(value, separators=separators).replace("Infinity", "1e999") for value in values]

    assert split(f"[ {separators[0].join(pieces)} ]".encode()) == [piece.encode() for piece in pieces]


def test_values_that_are_mended_alike_are_told_apart() -> None:
    assert split(rb'["\ud800",1,"\u0000",2,"\ud801"]') == [rb'"\ud800"', b"1", rb'"\u0000"', b"2", rb'"\ud801"']


@pytest.mark.parametrize("body", (b"", b"{}", b"[", b"\xff", b"[{]", rb'["\ud800"', rb'["\ud800",]', rb'"\ud800"'))
def test_what_is_no_batch_is_none(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        split(body)
