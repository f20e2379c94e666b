"""The JSON Schemas of every message, made from the models of the wire."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from service.wire import models, published

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Plain(GenerateJsonSchema):
    """Without a title on each field: it would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - asked for each
        return False


def input_schemas() -> dict[str, dict[str, Any]]:
    """By event type, the structured CloudEvents that publishers send."""
    return {event_type: _schema(event_type, model) for event_type, model in models.MODELS.items()}


def output_schemas() -> dict[str, dict[str, Any]]:
    """By event type, the structured CloudEvents that subscribers get."""
    return {event_type: _schema(event_type, model) for event_type, model in published.MODELS.items()}


def _schema(event_type: str, model: Any) -> dict[str, Any]:
    schema = TypeAdapter(model).json_schema(schema_generator=_Plain)
    return {"$schema": DIALECT, "$id": f"urn:omnirps:schema:{event_type}", **_tidy(schema)}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """What it is first, then the members, definitions last."""
    first = ("title", "description", "type", "required")
    rest = [key for key in schema if key not in first and key != "$defs"]
    return {key: schema[key] for key in (*first, *rest, "$defs") if key in schema}
