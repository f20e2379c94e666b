"""The published schemas and their examples: the models and an independent validator judge alike."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter, ValidationError

from service.domain.events import WHITE_SPACE
from service.errors import InvalidEvent
from service.wire import models, published
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.reasons import Invalid
from tests.checks.json_schemas import input_schemas, output_schemas
from tests.unit.wire.events import envelope, record

SCHEMAS: Final = Path(__file__).resolve().parents[3] / "schemas"
VALID: Final = sorted(SCHEMAS.glob("examples/valid/*/*.json"))
FORGIVEN: Final = sorted(SCHEMAS.glob("examples/forgiven/*/*.json"))
INVALID: Final = sorted(SCHEMAS.glob("examples/invalid/*/*.json"))
# What a schema cannot tell, because it depends on a clock, on tables or on what a database can keep.
BEYOND_SCHEMA: Final = frozenset(
    {
        Invalid.TIME_OUT_OF_RANGE,
        Invalid.NO_ZONE,
        Invalid.NUL_CHARACTER,
        Invalid.LONE_SURROGATE,
        Invalid.NUMBER_OUT_OF_RANGE,
        Invalid.TOO_DEEP,
        Invalid.TOO_LARGE,
        Invalid.NOT_JSON,  # a number written as NaN or Infinity by this test's own writer
    }
)
PARSER: Final = Parser(CarrierTables.load())
FORMATS: Final = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    # The validator leaves this format to an add-on; patterns hold the form, this one finds impossible dates.
    return not isinstance(value, str) or datetime.fromisoformat(value.upper()) is not None


def validator(event_type: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{event_type}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


VALIDATORS: Final = {event_type: validator(event_type) for event_type in models.MODELS | published.MODELS}


def rejection(event_type: str, event: dict[str, Any]) -> str | None:
    """Why the models refuse the event; None where they take it."""
    if event_type in published.MODELS:
        try:
            TypeAdapter(published.MODELS[event_type]).validate_python(event)
        except ValidationError as error:
            return error.errors()[0]["type"]
        return None
    try:
        PARSER.parse(record(json.dumps(event).encode()))
    except InvalidEvent as error:
        return error.reason
    return None


@pytest.mark.parametrize("event_type", VALIDATORS)
def test_the_schemas_that_are_published_are_those_of_the_models(event_type: str) -> None:
    of_models = {**input_schemas(), **output_schemas()}[event_type]

    assert of_models == json.loads((SCHEMAS / f"{event_type}.json").read_text(encoding="utf-8"))


def example(path: Path) -> tuple[str, dict[str, Any]]:
    return path.parent.name, json.loads(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", VALID, ids=name)
def test_a_valid_example_is_valid_to_both(path: Path) -> None:
    event_type, event = example(path)

    assert list(VALIDATORS[event_type].iter_errors(event)) == []
    assert rejection(event_type, event) is None


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_an_invalid_example_is_invalid_to_both(path: Path) -> None:
    event_type, event = example(path)
    reason = path.name.split(".")[0]
    beyond_schema = path.stem.endswith(".beyond-schema")

    assert VALIDATORS[event_type].is_valid(event) is beyond_schema
    refused_for = rejection(event_type, event)
    assert refused_for is not None
    if event_type in models.MODELS:
        assert refused_for == reason


@pytest.mark.parametrize("path", FORGIVEN, ids=name)
def test_a_forgiven_example_is_taken_and_says_what_of_it_is_ignored(path: Path) -> None:
    event_type, event = example(path)

    assert not VALIDATORS[event_type].is_valid(event)
    (ignored,) = PARSER.parse(record(json.dumps(event).encode())).not_understood
    assert path.stem.startswith(ignored)


def test_every_type_has_valid_and_invalid_examples() -> None:
    types = set(VALIDATORS)

    assert {path.parent.name for path in VALID} == types
    assert {path.parent.name for path in INVALID} == types


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("published/*.json")), ids=lambda path: str(path.stem))
def test_what_was_published_still_describes_the_valid_examples(path: Path) -> None:
    published_validator = Draft202012Validator(json.loads(path.read_text(encoding="utf-8")), format_checker=FORMATS)

    for file in VALID:
        if file.parent.name == path.stem:
            assert list(published_validator.iter_errors(example(file)[1])) == []


# Python's validator reads a pattern's $ as "before a last line feed too"; other validators and the service do not.
texts = st.text(max_size=12).filter(lambda text: not text.endswith("\n"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["NZ", "nz", "1.0", "omnirps", "TK100342334NZ", "akl-1", "2026-11-23T09:12:13Z", "2026-11-23"])
    | st.sampled_from(["application/json", "APPLICATION/JSON ; charset=utf-8", "2026-11-23T22:12:13", "x" * 600]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["sku", "quantity", "name", "code", "country"]) | texts, inner, max_size=3)
    ),
    max_leaves=5,
)


def places(event: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every member and item in an event."""
    inside = event.items() if isinstance(event, dict) else enumerate(event) if isinstance(event, list) else ()
    return [place for key, value in inside for place in [(*path, key), *places(value, (*path, key))]]


def describes(event_type: str, event: dict[str, Any], path: list[Any]) -> bool:
    """Whether the path leads to an optional member of the data, or to a local time that is as good as absent."""
    if event["data"].get("local_time") == "" and path in ([], ["data", "local_time"]):
        return True
    schema: Any = VALIDATORS[event_type].schema
    data = schema["$defs"][schema["properties"]["data"]["$ref"].split("/")[-1]]
    optional = data["properties"].keys() - set(data["required"]) - {"local_time", "return_id", "connote"}
    return len(path) > 1 and path[0] == "data" and path[1] in optional


@given(st.sampled_from(sorted(models.MODELS)), st.data())
def test_any_change_of_an_event_is_judged_alike(event_type: str, data: st.DataObject) -> None:
    event = copy.deepcopy(envelope(event_type))
    for _ in range(data.draw(st.integers(1, 2))):
        *parents, last = data.draw(st.sampled_from(places(event)))
        parent: Any = event
        for step in parents:
            parent = parent[step]
        action = data.draw(st.sampled_from(["remove", "replace", "add"]))
        if action == "remove":
            del parent[last]
        elif action == "replace" or isinstance(parent, list):
            parent[last] = data.draw(values)
        else:
            more = ["local_time", "data_base64", "location", "subject", "items"]
            parent[data.draw(st.sampled_from(more) | texts)] = data.draw(values)

    reason = rejection(event_type, event)
    errors = list(VALIDATORS[event_type].iter_errors(event))

    if reason is None:
        # What is wrong with a description is what it costs, and no more.
        assert all(describes(event_type, event, list(error.absolute_path)) for error in errors)
        ignored = PARSER.parse(record(json.dumps(event).encode())).not_understood
        assert {member.split(".")[0] for member in ignored} <= {error.absolute_path[1] for error in errors}
    elif not errors:
        is_blank = event_type == models.CARRIER_SCANNED and not event["data"]["code"].strip(WHITE_SPACE)
        is_two_times = reason == Invalid.BAD_TIME and "local_time" in event["data"]
        assert reason in BEYOND_SCHEMA or is_two_times or (reason == Invalid.BAD_VALUE and is_blank)
