"""Why a message is a dead letter: a closed list of stable machine words, used in headers, metrics and the API."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final


@unique
class Invalid(StrEnum):
    """The `reason` of an invalid message. Words are added, never renamed: people filter and replay by them."""

    EMPTY = "empty"  # no value (a tombstone), or one of zero bytes
    TOO_LARGE = "too_large"  # value or headers over 256 KiB; over 8 MiB nothing of it is kept
    NOT_UTF8 = "not_utf8"  # value or an attribute's header is not UTF-8
    NOT_JSON = "not_json"  # the value is not one JSON text; NaN and Infinity are not JSON
    TOO_DEEP = "too_deep"  # nested beyond what a parser should follow
    LONE_SURROGATE = "lone_surrogate"  # half of a UTF-16 pair in a \u escape: no character
    NUL_CHARACTER = "nul_character"  # U+0000 in a text: PostgreSQL cannot keep it
    NUMBER_OUT_OF_RANGE = "number_out_of_range"  # neither a double nor an integer of up to 4,300 digits
    NOT_CLOUDEVENT = "not_cloudevent"  # JSON, but neither a structured nor a binary CloudEvent
    UNSUPPORTED_SPECVERSION = "unsupported_specversion"  # a CloudEvent of another version than 1.0
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"  # an event format or data that is not JSON
    UNKNOWN_TYPE = "unknown_type"  # a CloudEvent of a type that the service does not take in
    WRONG_TOPIC = "wrong_topic"  # a known type on a topic where its publishers do not write
    NOT_ALLOWED = "not_allowed"  # its publisher may not say this
    KEY_MISMATCH = "key_mismatch"  # its key is not the one that its data has
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"  # a field has another JSON type than it should
    BAD_VALUE = "bad_value"  # a field's value breaks its pattern, list or length
    BAD_TIME = "bad_time"  # not RFC 3339 with an offset, an impossible date, or two times at once
    NO_ZONE = "no_zone"  # a local time, but the carrier's table names no zone
    TIME_OUT_OF_RANGE = "time_out_of_range"  # over 48 h after its receipt, before 2000, or an old creation
    BATCH_TOO_LARGE = "batch_too_large"  # it came in a batch that takes too much memory unpacked; known by coordinates
    UNREADABLE_BATCH = "unreadable_batch"  # it came in a batch that is damaged as its producer wrote it; likewise
    REJECTED_VALUE = "rejected_value"  # passed every check here, and PostgreSQL refused it all the same


DESCRIPTIONS: Final[dict[Invalid, str]] = {
    Invalid.EMPTY: "The message has no value.",
    Invalid.TOO_LARGE: "The message is larger than 256 KiB.",
    Invalid.NOT_UTF8: "The message is not UTF-8.",
    Invalid.NOT_JSON: "The message is not JSON.",
    Invalid.TOO_DEEP: "The JSON is nested too deep.",
    Invalid.LONE_SURROGATE: "A \\u escape names half of a character.",
    Invalid.NUL_CHARACTER: "A text holds the character U+0000.",
    Invalid.NUMBER_OUT_OF_RANGE: "A number is too large.",
    Invalid.NOT_CLOUDEVENT: "The message is not a CloudEvent.",
    Invalid.UNSUPPORTED_SPECVERSION: "The CloudEvents version is not 1.0.",
    Invalid.UNSUPPORTED_CONTENT_TYPE: "The content type is not JSON.",
    Invalid.UNKNOWN_TYPE: "The event's type is not known.",
    Invalid.WRONG_TOPIC: "The event's type does not belong on this topic.",
    Invalid.NOT_ALLOWED: "The publisher may not send this.",
    Invalid.KEY_MISMATCH: "The message's key contradicts its data.",
    Invalid.MISSING_FIELD: "A required field is missing.",
    Invalid.WRONG_TYPE: "A field has the wrong JSON type.",
    Invalid.BAD_VALUE: "A field's value is not allowed.",
    Invalid.BAD_TIME: "A time is not RFC 3339 with an offset, or impossible.",
    Invalid.NO_ZONE: "A local time came from a carrier whose table names no zone.",
    Invalid.TIME_OUT_OF_RANGE: "The event's time lies too far in the future, or too far back.",
    Invalid.BATCH_TOO_LARGE: "The batch it came in is too large once it is unpacked; nothing of it is kept.",
    Invalid.UNREADABLE_BATCH: "The batch it came in is damaged, as its producer wrote it; nothing of it is kept.",
    Invalid.REJECTED_VALUE: "The database refused a value.",
}
