"""The check itself, both ways: what breaks somebody is named with its place, what adds something passes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.checks.compatibility import Relying, Schema, breaks
from tests.checks.json_schemas import input_schemas, output_schemas

OLD: Final[Schema] = {
    "type": "object",
    "required": ["id", "data"],
    "additionalProperties": True,
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 64},
        "data": {"$ref": "#/$defs/Data"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "$defs": {
        "Data": {
            "type": "object",
            "required": ["kind"],
            "properties": {
                "kind": {"enum": ["a", "b"], "type": "string"},
                "code": {"type": "string", "pattern": "^[A-Z]+$"},
                "count": {"type": "integer", "minimum": 0},
                "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
                "where": {"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}]},
            },
        },
        "Item": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}},
    },
}
Change = Callable[[dict[str, Any]], object]


def data(schema: Schema) -> dict[str, Any]:
    members: dict[str, Any] = schema["$defs"]["Data"]["properties"]
    return members


def item(schema: Schema) -> dict[str, Any]:
    definition: dict[str, Any] = schema["$defs"]["Item"]
    return definition


def judged(change: Change, relying: Relying) -> list[str]:
    new = copy.deepcopy(OLD)
    change(new)
    return breaks(OLD, new, relying)


HARMLESS: Final[dict[str, Change]] = {
    "nothing": lambda _: None,
    "a new description": lambda s: s.update(description="new"),
    "a new optional member": lambda s: data(s).update(more={"type": "string", "pattern": "^x$"}),
    "a new optional member of an item": lambda s: item(s)["properties"].update(more={"type": "integer"}),
    "another name of a definition": lambda s: (
        s["$defs"].update(Thing=s["$defs"].pop("Item")),
        data(s)["items"]["items"].update({"$ref": "#/$defs/Thing"}),
        data(s)["where"]["anyOf"][0].update({"$ref": "#/$defs/Thing"}),
    ),
}
# What allows more; it breaks subscribers, at this place.
WIDER: Final[dict[str, tuple[Change, str]]] = {
    "a longer text": (lambda s: s["properties"]["id"].update(maxLength=65), "id: by maxLength"),
    "a text without a limit": (lambda s: s["properties"]["id"].pop("maxLength"), "id: by maxLength"),
    "an empty text": (lambda s: s["properties"]["id"].pop("minLength"), "id: by minLength"),
    "a further value": (lambda s: data(s)["kind"]["enum"].append("c"), "data.kind: the value 'c'"),
    "any value": (lambda s: data(s)["kind"].pop("enum"), "data.kind: a value out of a list"),
    "any pattern": (lambda s: data(s)["code"].pop("pattern"), "data.code: by pattern"),
    "a fraction": (lambda s: data(s)["count"].update(type="number"), "data.count: the type number"),
    "a further type": (lambda s: data(s)["count"].update(type=["integer", "string"]), "data.count: the type string"),
    "null": (
        lambda s: data(s).update(code={"anyOf": [{"type": "string", "pattern": "^[A-Z]+$"}, {"type": "null"}]}),
        "data.code: the type null",
    ),
    "any type": (lambda s: data(s)["count"].pop("type"), "data.count: any type"),
    "a smaller number": (lambda s: data(s)["count"].update(minimum=-1), "data.count: by minimum"),
    "a member that may be missing": (lambda s: s["$defs"]["Data"]["required"].remove("kind"), "data.kind: the member"),
    "a member of an item that may be missing": (lambda s: item(s)["required"].remove("sku"), "data.items[].sku: the"),
}
# What allows less; it breaks publishers, at this place.
NARROWER: Final[dict[str, tuple[Change, str]]] = {
    "a shorter text": (lambda s: s["properties"]["id"].update(maxLength=63), "id: by maxLength"),
    "a new lower limit": (lambda s: data(s)["code"].update(minLength=2), "data.code: by minLength"),
    "a value less": (lambda s: data(s)["kind"]["enum"].remove("b"), "data.kind: the value 'b'"),
    "one value": (lambda s: data(s).update(kind={"const": "a", "type": "string"}), "data.kind: the value 'b'"),
    "a new list of values": (lambda s: data(s)["code"].update(enum=["A"]), "data.code: a value out of a list"),
    "a new format": (lambda s: s["properties"]["id"].update(format="uuid"), "id: by format"),
    "no null": (lambda s: s["properties"].update(note={"type": "string"}), "note: the type null"),
    "a new required member": (
        lambda s: (data(s).update(more={"type": "string"}), s["$defs"]["Data"]["required"].append("more")),
        "data.more: the member is required now",
    ),
    "a member that was optional": (lambda s: s["$defs"]["Data"]["required"].append("code"), "data.code: the member"),
    "a required member of an item": (lambda s: item(s)["required"].append("more"), "data.items[].more: the member"),
    "no unknown members": (lambda s: s.update(additionalProperties=False), "(event): an unknown member"),
}
# What breaks both, or may: two patterns cannot be compared.
OTHER: Final[dict[str, tuple[Change, str]]] = {
    "another pattern": (lambda s: data(s)["code"].update(pattern="^[A-Y]+$"), "data.code: by pattern"),
    "another type": (lambda s: data(s)["count"].update(type="string"), "data.count: the type"),
    "another type beside null": (
        lambda s: s["properties"]["note"]["anyOf"][0].update(type="integer"),
        "note: the type",
    ),
    "a member that is gone": (lambda s: data(s).pop("code"), "data.code: the member is gone"),
    "a member of an item that is gone": (lambda s: item(s)["properties"].pop("sku"), "data.items[].sku: the member"),
    "a keyword that nobody taught the check": (
        lambda s: data(s)["count"].update(dependentSchemas={}),
        "data.count: this check cannot judge dependentSchemas",
    ),
}


@pytest.mark.parametrize("relying", tuple(Relying))
@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_adds_or_explains_passes(change: Change, relying: Relying) -> None:
    assert judged(change, relying) == []


@pytest.mark.parametrize(("change", "place"), WIDER.values(), ids=WIDER)
def test_what_allows_more_breaks_subscribers_only(change: Change, place: str) -> None:
    complaints = judged(change, Relying.SUBSCRIBERS)

    assert complaints[0].startswith(place)
    assert judged(change, Relying.PUBLISHERS) == []


@pytest.mark.parametrize(("change", "place"), NARROWER.values(), ids=NARROWER)
def test_what_allows_less_breaks_publishers_only(change: Change, place: str) -> None:
    complaints = judged(change, Relying.PUBLISHERS)

    assert complaints[0].startswith(place)
    assert judged(change, Relying.SUBSCRIBERS) == []


@pytest.mark.parametrize("relying", tuple(Relying))
@pytest.mark.parametrize(("change", "place"), OTHER.values(), ids=OTHER)
def test_some_changes_break_both(change: Change, place: str, relying: Relying) -> None:
    assert judged(change, relying)[0].startswith(place)


@pytest.mark.parametrize("schema", (*input_schemas().values(), *output_schemas().values()), ids=lambda s: s["title"])
def test_every_schema_can_take_its_own_place(schema: Schema) -> None:
    for relying in Relying:
        assert breaks(schema, copy.deepcopy(schema), relying) == []


def test_the_rule_of_two_times_may_not_change() -> None:
    old = input_schemas()["com.omnirps.carrier.scanned.v1"]
    new = copy.deepcopy(old)
    new["oneOf"].pop()

    assert breaks(old, new, Relying.PUBLISHERS) == ["(event): by oneOf, something was allowed and is not any more"]
