"""How strict the models of input events are, and what their JSON Schemas say beyond their members."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, with_config

_EITHER_TIME: Final[dict[str, Any]] = {
    "oneOf": [
        {"required": ["time"], "properties": {"time": {"type": "string"}}},
        {"properties": {"data": {"required": ["local_time"], "properties": {"local_time": {"type": "string"}}}}},
    ]
}
_OF_RETURN_OR_CONNOTE: Final[dict[str, Any]] = {
    "if": {"not": {"required": ["return_id"]}},
    "then": {"required": ["connote"]},
}
_NO_BASE64: Final[dict[str, Any]] = {"data_base64": {"type": "null", "description": "`data` has to be JSON."}}


def _closed_over_base64(schema: dict[str, Any]) -> None:
    schema["properties"].update(_NO_BASE64)


def _scanned_extra(schema: dict[str, Any]) -> None:
    _closed_over_base64(schema)
    schema.update(_EITHER_TIME)


data = with_config(ConfigDict(extra="allow", strict=True))
of_return_or_connote = with_config(ConfigDict(extra="allow", strict=True, json_schema_extra=_OF_RETURN_OR_CONNOTE))
event = with_config(ConfigDict(extra="allow", strict=True, json_schema_extra=_closed_over_base64))
scanned = with_config(ConfigDict(extra="allow", strict=True, json_schema_extra=_scanned_extra))
