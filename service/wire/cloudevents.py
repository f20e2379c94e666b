"""The CloudEvents 1.0 envelope over Kafka: structured and binary mode in, structured mode out.

Both modes come in as one dictionary of attributes with the payload under `data`, as in structured mode. Header
values are plain UTF-8: percent-encoding belongs to CloudEvents over HTTP, and decoding it here would give the same
event two identities, one a mode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pydantic_core

from service.errors import InvalidEvent
from service.wire.reasons import Invalid
from service.wire.record import Record

MAX_BYTES: Final = 256 * 1024
MEDIA_TYPE: Final = "application/cloudevents+json"
STRUCTURED_HEADERS: Final[tuple[tuple[str, bytes], ...]] = (("content-type", MEDIA_TYPE.encode()),)

_PREFIX: Final = "ce_"
# What libraries write, so often that it has to be cheap.
_UTF8: Final = ("", *(f";{space}charset={charset}" for space in (" ", "") for charset in ("utf-8", "UTF-8")))
_STRUCTURED: Final = frozenset(MEDIA_TYPE + parameter for parameter in _UTF8)
_STRUCTURED_ALONE: Final = frozenset(("content-type", content_type.encode()) for content_type in _STRUCTURED)
_JSON: Final = frozenset("application/json" + parameter for parameter in _UTF8)
_FEW: Final = 4096  # characters in headers, four bytes each at most: well below what is too large
_SHALLOW: Final = 150  # brackets; with so few nothing is nested too deep
_LONGEST_SOURCE: Final = 512  # characters
_decode: Final = msgspec.json.Decoder().decode


def decode(record: Record) -> dict[str, Any]:
    """The record's CloudEvent: its attributes, and its payload under `data`.

    A key that occurs twice in a JSON object, or a header twice: the last one counts. Raises InvalidEvent.
    """
    value = record.value
    if not value:
        if (unread := record.unread) is not None:
            raise InvalidEvent(unread.reason, unread.error)
        raise InvalidEvent(Invalid.EMPTY, "the message has no value")
    if len(value) > MAX_BYTES:
        raise InvalidEvent(Invalid.TOO_LARGE, f"the value is larger than {MAX_BYTES} bytes")
    headers = record.headers
    if not headers or (len(headers) == 1 and headers[0] in _STRUCTURED_ALONE):
        return _structured(value)
    attributes: dict[str, Any] | None = _usual_attributes(headers)
    if attributes is None:
        content_type, attributes = _attributes(headers)
    else:
        content_type = attributes.pop(_CONTENT_TYPE, None)
    if content_type in _JSON:
        content_type = None  # needs no further judgement
    elif content_type in _STRUCTURED:
        return _structured(value)
    elif content_type is not None and content_type.lower().startswith("application/cloudevents"):
        _require_json_format(content_type)
        return _structured(value)
    if "specversion" not in attributes:
        if attributes:
            raise InvalidEvent(Invalid.NOT_CLOUDEVENT, "binary mode: the header ce_specversion is missing")
        return _structured(value)
    attributes["data"] = _json(value, "data")
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return attributes


def source_of(record: Record, envelope: Mapping[str, Any] | None) -> str | None:
    """Whom a message that is no event says that it is of, so far as it can be read: the source of its envelope, if there is
    one, of its headers, or of a value that is an object and no CloudEvent. None for one that is longer than a source may be.
    """
    source: object = None
    if envelope is not None:
        source = envelope.get("source")
    elif (raw := next((value for name, value in record.headers if name == f"{_PREFIX}source"), None)) is not None:
        source = raw.decode(errors="replace")
    elif record.value and len(record.value) <= MAX_BYTES:
        source = _source_within(record.value)
    return source if isinstance(source, str) and 0 < len(source) <= _LONGEST_SOURCE and "\0" not in source else None


def _source_within(value: bytes) -> object:
    """What stands there under `source`; None where it is no object, or none that can be read."""
    try:
        parsed = _decode(value) if value.count(b"{") + value.count(b"[") <= _SHALLOW else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return parsed.get("source") if isinstance(parsed, dict) else None


def encode(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> bytes:
    """A structured-mode value; send it with `STRUCTURED_HEADERS`.

    `attributes` are those of the event but for `specversion`, in the order in which they are to stand. The one place
    where events are built:

    >>> encode({"id": "1", "source": "/s", "type": "t"}, {"return_id": "R-1001"})
    b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"return_id":"R-1001"}}'
    """
    return encode_event({"specversion": "1.0", **attributes, "data": data})


def encode_event(event: Mapping[str, Any]) -> bytes:
    """The same of an event that is whole: its attributes, and its payload under `data`."""
    try:
        return pydantic_core.to_json(event)
    except ValueError:  # half a UTF-16 pair in a text that somebody gave: who decodes it says so of the escape
        return json.dumps(event).encode()


def _structured(value: bytes) -> dict[str, Any]:
    event = _json(value, "")
    if type(event) is not dict or "specversion" not in event:
        raise InvalidEvent(
            Invalid.NOT_CLOUDEVENT, "neither a JSON object with a specversion, nor a message with ce_ headers"
        )
    if event.get("data_base64") is not None:
        raise InvalidEvent(Invalid.UNSUPPORTED_CONTENT_TYPE, "data_base64: binary data; JSON is expected under data")
    return event


def _usual_attributes(headers: tuple[tuple[str, bytes | None], ...]) -> dict[str, str] | None:
    """The attributes, the content type among them, where nothing about the headers is unusual; None: look closer."""
    attributes: dict[str, str] = {}
    others = 0
    try:
        for name, value in headers:
            if name in _ATTRIBUTES:
                attributes[_ATTRIBUTES[name]] = value.decode()  # type: ignore[union-attr] # AttributeError
            elif _attribute(name.lower()) is None:
                others += 1
            else:
                return None
    except (AttributeError, UnicodeDecodeError):
        return None
    # What goes for each of them is asked once. One that occurs twice hides a value from that.
    text = "".join(attributes.values())
    is_usual = len(text) <= _FEW and "\0" not in text and len(attributes) + others == len(headers)
    return attributes if is_usual else None


def _attributes(headers: tuple[tuple[str, bytes | None], ...]) -> tuple[str | None, dict[str, Any]]:
    """The content type and the attributes among the headers; all others are not ours."""
    content_type = None
    attributes: dict[str, Any] = {}
    size = 0
    for raw_name, value in headers:
        name = _ATTRIBUTES.get(raw_name) or _attribute(raw_name.lower())
        if value is None or name is None:
            continue
        size += len(raw_name) + len(value)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise InvalidEvent(Invalid.NOT_UTF8, f"{_header(raw_name)}: not UTF-8") from None
        if "\0" in text or "\0" in name:
            raise InvalidEvent(Invalid.NUL_CHARACTER, f"{_header(raw_name)}: holds the character U+0000")
        if name is _CONTENT_TYPE:
            content_type = text
        else:
            attributes[name] = text
    if size > MAX_BYTES:
        raise InvalidEvent(Invalid.TOO_LARGE, f"the attributes in the headers are larger than {MAX_BYTES} bytes")
    return content_type, attributes


def _attribute(header: str) -> str | None:
    """The attribute in a header whose name is in lower case; None for one that is not ours."""
    known = _ATTRIBUTES.get(header)
    return known or (header[len(_PREFIX) :] if header.startswith(_PREFIX) else None)


def _header(name: str) -> str:
    # Names of attributes that CloudEvents does not define are the publisher's text: not repeated in errors.
    name = name.lower()
    return f"header {name}" if name in _ATTRIBUTES else "a ce_ header"


_CONTENT_TYPE: Final = "Content-Type"  # no attribute's name, as those are in lower case
_ATTRIBUTES: Final = {
    f"{_PREFIX}{attribute}": attribute
    for attribute in ("specversion", "id", "source", "type", "time", "subject", "dataschema")
} | {"content-type": _CONTENT_TYPE}


def _require_json_format(content_type: str) -> None:
    media_type, _, parameters = content_type.lower().partition(";")
    if media_type.strip() != MEDIA_TYPE:
        raise InvalidEvent(Invalid.UNSUPPORTED_CONTENT_TYPE, f"header content-type: {MEDIA_TYPE} is expected")
    for parameter in parameters.split(";"):
        name, _, charset = parameter.partition("=")
        if name.strip() == "charset" and charset.strip().strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise InvalidEvent(Invalid.UNSUPPORTED_CONTENT_TYPE, "header content-type: the charset has to be UTF-8")


def _json(value: bytes, where: str) -> Any:
    try:
        # Half the time of the next best; what is deep it would refuse, or spend the stack on.
        parsed = _decode(value) if value.count(b"{") + value.count(b"[") <= _SHALLOW else _strictly(value, where)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        parsed = _strictly(value, where)
    # Scans of the bytes; an escaped backslash before the same digits is no NUL, so look again on a hit.
    if b"\\" in value and b"\\u0000" in value and _holds_nul(parsed):
        raise InvalidEvent(Invalid.NUL_CHARACTER, f"{where or 'the event'}: a text holds the character U+0000")
    return parsed


def _strictly(value: bytes, where: str) -> Any:
    """The value of what is deep or in doubt. The parser that has the last word tells what is wrong, and where."""
    try:
        parsed = pydantic_core.from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise _not_json(value, str(error)) from None
    # 1e400 is JSON, reads as infinity and would be written as what is not JSON; looked for again on a hit, because
    # the word may stand in a text, there too where such a number stands beside it.
    text = pydantic_core.to_json(parsed)
    if b"Infinity" in text and text != pydantic_core.to_json(parsed, inf_nan_mode="null"):
        raise InvalidEvent(Invalid.NUMBER_OUT_OF_RANGE, f"{where or 'the event'}: a number is too large for a double")
    return parsed


def _not_json(value: bytes, parser_says: str) -> InvalidEvent:
    """Which of the ways not to be JSON; the parser's text names a position and never the value."""
    position = parser_says[parser_says.rfind(" at line") + 1 :] if " at line" in parser_says else "somewhere"
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return InvalidEvent(Invalid.NOT_UTF8, f"not UTF-8 at byte {error.start}")
    for words, reason, detail in _PARSER_ERRORS:
        if words in parser_says:
            return InvalidEvent(reason, f"{detail} {position}")
    return InvalidEvent(Invalid.NOT_JSON, f"not JSON {position}")


_PARSER_ERRORS: Final = (
    ("recursion limit", Invalid.TOO_DEEP, "nested deeper than 200 levels"),
    ("number out of range", Invalid.NUMBER_OUT_OF_RANGE, "an integer of more than 4,300 digits"),
    ("surrogate", Invalid.LONE_SURROGATE, "half of a surrogate pair"),
    ("end of hex escape", Invalid.LONE_SURROGATE, "half of a surrogate pair"),
)


def _holds_nul(parsed: Any) -> bool:
    waiting = [parsed]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False
