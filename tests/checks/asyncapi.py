"""The AsyncAPI 3.0 document of all eight topics, made from the same models as the JSON Schemas."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from service.config import Settings
from service.wire import models, published
from service.wire.cloudevents import MEDIA_TYPE
from service.wire.judging.moments import FUTURE_LIMIT_HOURS
from service.wire.reasons import DESCRIPTIONS, Invalid

BINDING_VERSION: Final = "0.5.0"
PARTITIONS: Final = 12
_SCHEMAS: Final = "#/components/schemas/"


class Topic(NamedTuple):
    """A topic: its setting, what stands in its key, and the event types it carries."""

    setting: str
    title: str
    description: str
    key: str
    key_pattern: str | None
    types: tuple[str, ...]
    is_input: bool
    is_compacted: bool = False


_RETURN_KEY: Final = ("The return_id.", models.NUMBER_PATTERN)
TOPICS: Final = (
    Topic(
        "topic_returns",
        "Creations of returns",
        "Published by the OmniReturns portal and API.",
        *_RETURN_KEY,
        models.TYPES_BY_TOPIC_SETTING["topic_returns"],
        is_input=True,
    ),
    Topic(
        "topic_scans",
        "Scans of first-mile carriers",
        "Published by carrier integrations. A scan finds its return by carrier and tracking number.",
        "carrier/tracking_number",
        r"^[a-z0-9][a-z0-9_-]{0,39}/[A-Za-z0-9][A-Za-z0-9._-]{2,63}$",
        models.TYPES_BY_TOPIC_SETTING["topic_scans"],
        is_input=True,
    ),
    Topic(
        "topic_hub_events",
        "Events of the hubs, and voids",
        "Published by hubs; voids by operators too.",
        *_RETURN_KEY,
        models.TYPES_BY_TOPIC_SETTING["topic_hub_events"],
        is_input=True,
    ),
    Topic(
        "topic_deliveries",
        "Deliveries of connotes",
        "Published by final-mile carriers and hubs. A delivery concerns every return exported under the connote.",
        "The connote.",
        models.NUMBER_PATTERN,
        models.TYPES_BY_TOPIC_SETTING["topic_deliveries"],
        is_input=True,
    ),
    Topic(
        "topic_status_changes",
        "Status changes",
        "One message per milestone of a return that moved, in version order per return, exactly once for a "
        "read_committed consumer. Applied in order, they are the return's timeline.",
        *_RETURN_KEY,
        (published.STATUS_CHANGED,),
        is_input=False,
    ),
    Topic(
        "topic_current_status",
        "Current status",
        "The latest of every return; compacted.",
        *_RETURN_KEY,
        (published.CURRENT_STATUS,),
        is_input=False,
        is_compacted=True,
    ),
    Topic(
        "topic_exceptions",
        "Exceptions",
        "Events that were held, refused or unmapped, and why.",
        *_RETURN_KEY,
        (published.EXCEPTION,),
        is_input=False,
    ),
    Topic(
        "topic_dead_letters",
        "Dead letters",
        "Messages that are no events: the original key, value and headers byte for byte, and headers that say why.",
        "The original key, which may be any bytes or none.",
        None,
        (),
        is_input=False,
    ),
)
_DEAD_LETTER: Final = "dead-letter"
_DLQ_HEADERS: Final = {
    "dlq.reason": "Why, a stable word; more may come: "
    + " ".join(f"{reason.value} ({DESCRIPTIONS[reason][:-1].lower()})," for reason in Invalid).rstrip(",")
    + ".",
    "dlq.error": "Why, in a sentence that names the field and never repeats its value.",
    "dlq.topic": "The topic on which the message was.",
    "dlq.partition": "Its partition there, a decimal number.",
    "dlq.offset": "Its offset there, a decimal number.",
    "dlq.timestamp": "Its timestamp there, in milliseconds since 1970-01-01 UTC, a decimal number.",
}
_STUB_HEADERS: Final = {
    "dlq.stub": "true: the letter is larger than the topic takes. It has no value here, nor what of key and headers does not fit.",
    "dlq.size": "Of a stub: the length of the value in bytes, a decimal number.",
    "dlq.letter": "Of a stub: the letter's number; GET /v1/dead-letters/{number} has the whole.",
    "dlq.key_size": "Of a stub without its key: the length of the key in bytes, a decimal number.",
    "dlq.key_sha256": "Of a stub without its key: the key's SHA-256, hexadecimal.",
    "dlq.headers_left_out": "Of a stub without some of its headers: how many, a decimal number.",
}


def document(schemas: dict[str, dict[str, Any]], examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The document, given the schema and an example of each event type."""
    components: dict[str, Any] = {}
    messages = {event_type: _message(event_type, schemas, examples, components) for event_type in schemas}
    messages[_DEAD_LETTER] = _dead_letter()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Returns status service",
            "version": "1.0.0",
            "description": "Takes in what happens to consumer returns, and tells every milestone of their way back. "
            "Names of topics are settings; these are the defaults.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": MEDIA_TYPE,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The Kafka cluster of the deployment.",
                "variables": {"bootstrap": {"default": "localhost:9092", "description": "A broker to start from."}},
            }
        },
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": {_operation_id(topic): _operation(topic) for topic in TOPICS},
        "components": {"messages": messages, "schemas": dict(sorted(components.items()))},
    }


def _channel_id(topic: Topic) -> str:
    return topic.setting.removeprefix("topic_").replace("_", "-")


def _operation_id(topic: Topic) -> str:
    return f"{'take-in' if topic.is_input else 'publish'}-{_channel_id(topic)}"


def _address(topic: Topic) -> str:
    address: str = Settings.model_fields[topic.setting].default
    return address


def _message_ids(topic: Topic) -> tuple[str, ...]:
    return topic.types or (_DEAD_LETTER,)


def _channel(topic: Topic) -> dict[str, Any]:
    binding: dict[str, Any] = {"topic": _address(topic), "partitions": PARTITIONS}
    if topic.is_compacted:
        binding["topicConfiguration"] = {"cleanup.policy": ["compact"]}
    return {
        "address": _address(topic),
        "title": topic.title,
        "description": topic.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_ids(topic)},
        "bindings": {"kafka": {**binding, "bindingVersion": BINDING_VERSION}},
    }


def _operation(topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{_channel_id(topic)}"
    return {
        "action": "receive" if topic.is_input else "send",
        "channel": {"$ref": channel},
        "title": f"The service {'takes in' if topic.is_input else 'publishes'}: {topic.title}",
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _message_ids(topic)],
    }


def _message(
    event_type: str, schemas: dict[str, dict[str, Any]], examples: dict[str, dict[str, Any]], components: dict[str, Any]
) -> dict[str, Any]:
    schema = schemas[event_type]
    topic = next(topic for topic in TOPICS if event_type in topic.types)
    for name, definition in schema.get("$defs", {}).items():
        components[name] = _portable(definition)
    name = schema["title"]
    components[name] = _portable({k: v for k, v in schema.items() if not k.startswith("$")})
    description = schema["description"]
    if topic.is_input:
        description += (
            " Binary mode (ce_ headers, data as the value) is taken as well."
            f" Beyond the schema: at most 256 KiB, and time at most {FUTURE_LIMIT_HOURS} h after its receipt"
            " (the later of Kafka's timestamp and the service's clock) and not before the year 2000."
        )
    return {
        "name": event_type,
        "title": name,
        "description": description,
        "contentType": MEDIA_TYPE,
        "headers": {
            "type": "object",
            "properties": {"content-type": {"type": "string", "const": MEDIA_TYPE}},
        },
        "payload": {"$ref": _SCHEMAS + name},
        "bindings": {"kafka": {"key": _key(topic), "bindingVersion": BINDING_VERSION}},
        "examples": [{"payload": examples[event_type]}],
    }


def _key(topic: Topic) -> dict[str, Any]:
    key = {"type": "string", "description": topic.key}
    return key if topic.key_pattern is None else {**key, "pattern": topic.key_pattern}


def _dead_letter() -> dict[str, Any]:
    topic = TOPICS[-1]
    return {
        "name": _DEAD_LETTER,
        "title": "DeadLetter",
        "description": topic.description,
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": list(_DLQ_HEADERS),
            "properties": {
                name: {"type": "string", "description": text} for name, text in (_DLQ_HEADERS | _STUB_HEADERS).items()
            },
        },
        "payload": {"description": "Whatever came; no value where none came, none is kept, or it does not fit."},
        "bindings": {"kafka": {"key": _key(topic), "bindingVersion": BINDING_VERSION}},
    }


def _portable(schema: Any) -> Any:
    """The schema for AsyncAPI's dialect: definitions among the components, nothing beside a reference."""
    if isinstance(schema, list):
        return [_portable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    portable = {key: _portable(value) for key, value in schema.items()}
    reference = portable.pop("$ref", None)
    if reference is None:
        return portable
    target = {"$ref": _SCHEMAS + reference.removeprefix("#/$defs/")}
    return {**portable, "allOf": [target]} if portable else target
