"""What JSON can say and nobody can keep: U+0000, half a character, a number beyond any double. A text that was cut in the
middle of an emoji is such a one. In a description it costs the description, as whatever else is wrong there does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from service.errors import InvalidEvent
from service.wire import cloudevents
from service.wire.judging.descriptions import illegible
from service.wire.reasons import Invalid
from service.wire.record import Record

_ILLEGIBLE: Final = frozenset({Invalid.NUL_CHARACTER, Invalid.LONE_SURROGATE, Invalid.NUMBER_OUT_OF_RANGE})

_TEXT_OR_NUMBER: Final = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?',
    re.DOTALL,
)
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u0000|u[dD][89a-fA-F]..)|.)",
    re.DOTALL,
)
_VALUES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_LONGEST_INTEGER: Final = 4300  # digits, as the parser has it
# What stands in its place, and something else that may stand there: where the two differ is where it was.
_IN_PLACE: Final = (rb"\ufffd", b"null")
_OTHERWISE: Final = (rb"\ufffe", b"0")


def legible(record: Record, error: InvalidEvent) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The event of a record that `cloudevents.decode` refused with this error, without what nobody can read: U+FFFD stands
    for a character, null for a number. And the members of its data, those that describe, of which that is so.

    Raises InvalidEvent: the same error for anything else, and where it is the fact that nobody can read.
    """
    if error.reason not in _ILLEGIBLE:
        raise error
    event, other = (
        cloudevents.decode(replace(record, value=_mended(record.value or b"", *instead)))
        for instead in (_IN_PLACE, _OTHERWISE)
    )
    return event, illegible(event.get("type"), list(_differences(event, other, ())), error)


def split(batch: bytes) -> list[bytes]:
    """The values of a JSON array as they stand, also where nobody can read all of one.

    Raises msgspec.MsgspecError or UnicodeDecodeError where it is no such array, RecursionError where it is too deep to say.
    """
    try:
        return [bytes(raw) for raw in _VALUES.decode(batch)]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # What stands in the place of an escape is as long, so what is found in the one stands there in the other.
        mended, at, found = _mended(batch, _IN_PLACE[0], None), 0, []
        for raw in _VALUES.decode(mended):
            at = mended.index(raw, at)
            found.append(batch[at : at + len(raw)])
            at += len(raw)
        return found


def _mended(value: bytes, character: bytes, number: bytes | None) -> bytes:
    def mend(found: re.Match[bytes]) -> bytes:
        text = found.group()
        if text[:1] == b'"':
            return _ESCAPE.sub(lambda escape: character if escape[1] else escape[0], text) if b"\\" in text else text
        return text if number is None or not _is_beyond(text) else number

    return _TEXT_OR_NUMBER.sub(mend, value)


def _is_beyond(number: bytes) -> bool:
    if number.lstrip(b"-").isdigit():
        return len(number) > _LONGEST_INTEGER
    return math.isinf(float(number))


def _differences(one: object, other: object, path: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    """Where two events differ that are of one shape; no deeper than the parser reads."""
    if isinstance(one, dict) and isinstance(other, dict):
        for (name, value), (other_name, other_value) in zip(one.items(), other.items(), strict=False):
            if name != other_name:
                yield (*path, name)
            else:
                yield from _differences(value, other_value, (*path, name))
    elif isinstance(one, list) and isinstance(other, list):
        for place, (value, other_value) in enumerate(zip(one, other, strict=True)):
            yield from _differences(value, other_value, (*path, place))
    elif one != other:
        yield path
