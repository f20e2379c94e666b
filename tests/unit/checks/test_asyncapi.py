"""The AsyncAPI document: all topics, every reference resolved, every example valid by its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator

from service.config import Settings
from tests.checks import schemas
from tests.checks.asyncapi import TOPICS, document
from tests.checks.json_schemas import input_schemas, output_schemas
from tests.checks.yaml_text import to_yaml

SCHEMAS: Final = input_schemas() | output_schemas()
EXAMPLES: Final = {
    event_type: json.loads((schemas.FOLDER / "examples" / "valid" / event_type / "full.json").read_text())
    for event_type in SCHEMAS
}
DOCUMENT: Final = document(SCHEMAS, EXAMPLES)
TOPIC_SETTINGS: Final = {
    name: field.default for name, field in Settings.model_fields.items() if name in {topic.setting for topic in TOPICS}
}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            assert len(value) == 1, "nothing stands beside a reference"
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(reference: str) -> Any:
    target: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    return target


def test_the_document_is_asyncapi_3_with_info() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()


def test_all_eight_topics_are_channels_under_their_default_names() -> None:
    addresses = [channel["address"] for channel in DOCUMENT["channels"].values()]

    assert sorted(addresses) == sorted(TOPIC_SETTINGS.values())
    assert len(addresses) == 8


def test_the_service_takes_in_four_topics_and_publishes_four() -> None:
    actions = [operation["action"] for operation in DOCUMENT["operations"].values()]

    assert (actions.count("receive"), actions.count("send")) == (4, 4)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))

    assert found
    for reference in found:
        assert resolved(reference) is not None


def test_every_message_is_on_exactly_one_topic_and_has_a_kafka_key() -> None:
    used = [ref["$ref"] for channel in DOCUMENT["channels"].values() for ref in channel["messages"].values()]
    messages = DOCUMENT["components"]["messages"]

    assert sorted(used) == sorted(f"#/components/messages/{name}" for name in messages)
    assert messages.keys() == {*SCHEMAS, "dead-letter"}
    for message in messages.values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_only_the_current_status_is_compacted() -> None:
    compacted = [
        channel["address"]
        for channel in DOCUMENT["channels"].values()
        if "compact" in channel["bindings"]["kafka"].get("topicConfiguration", {}).get("cleanup.policy", ())
    ]

    assert compacted == ["returns.current-status"]


@pytest.mark.parametrize("event_type", sorted(SCHEMAS))
def test_every_example_is_valid_by_the_schema_in_the_document(event_type: str) -> None:
    message = DOCUMENT["components"]["messages"][event_type]
    schema = {**resolved(message["payload"]["$ref"]), "components": DOCUMENT["components"]}

    (example,) = message["examples"]

    assert list(Draft7Validator(schema).iter_errors(example["payload"])) == []
    assert not Draft7Validator(schema).is_valid({**example["payload"], "id": 7})


def test_schemas_of_one_name_are_one_schema() -> None:
    seen: dict[str, Any] = {}
    for schema in SCHEMAS.values():
        for name, definition in {**schema["$defs"], schema["title"]: schema}.items():
            assert seen.setdefault(name, definition) == definition


@pytest.mark.parametrize(
    ("value", "text"),
    (
        ({"a": "plain words", "b": 1, "c": None}, "a: plain words\nb: 1\nc: null\n"),
        ({"a": {"b": [1, {"c": True, "d": []}]}}, "a:\n  b:\n    - 1\n    - c: true\n      d: []\n"),
        ({"a": [["x"], {}]}, "a:\n  - - x\n  - {}\n"),
        ({"$ref": "#/x"}, '"$ref": "#/x"\n'),
        (
            {"v": "1.0", "w": "yes", "x": "a: b", "e": "", "z": "a\nb"},
            'v: "1.0"\nw: "yes"\nx: "a: b"\ne: ""\nz: "a\\nb"\n',
        ),
    ),
)
def test_values_are_written_as_yaml(value: dict[str, Any], text: str) -> None:
    assert to_yaml(value) == text
