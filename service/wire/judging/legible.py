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

ILLEGIBLE: Final = frozenset({Invalid.NUL_CHARACTER, Invalid.LONE_SURROGATE, Invalid.NUMBER_OUT_OF_RANGE})
"""Why `cloudevents.decode` refuses a record that may be an event all the same."""

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
_CHARACTER: Final = "\ufffd"  # stands in the place of one that nobody can read
_MARKS: Final = range(0xE000, 0xF900)  # Unicode's private use area
_OF_MARKS: Final = re.compile(f"[{chr(_MARKS[0])}-{chr(_MARKS[-1])}]")
_ESCAPED_MARK: Final = re.compile(rb"\\u([eEfF][0-9a-fA-F]{3})")


def legible(record: Record, error: InvalidEvent) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The event of a record that `cloudevents.decode` refused with this error, without what nobody can read: U+FFFD stands
    for a character, null for a number. And the members of its data, those that describe, of which that is so.

    The error's reason is one of `ILLEGIBLE`. Raises InvalidEvent where it is the fact that nobody can read.
    """
    value = record.value or b""
    mark = _mark(value)
    # What is written in its place, and, to see where that is, what is nowhere else.
    event, marked = (
        cloudevents.decode(replace(record, value=_mended(value, _escaped(character), number)))
        for character, number in ((_CHARACTER, b"null"), (mark, b'"' + _escaped(mark) + b'"'))
    )
    return event, illegible(event.get("type"), list(_marked(marked, mark, ())), error)


def split(batch: bytes) -> list[bytes]:
    """The values of a JSON array as they stand, also where nobody can read all of one.

    Raises msgspec.MsgspecError or UnicodeDecodeError where it is no such array, RecursionError where it is too deep to say.
    """
    try:
        return [bytes(raw) for raw in _VALUES.decode(batch)]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # What stands in the place of an escape is as long, so what is found in the one stands there in the other.
        mended, at, found = _mended(batch, _escaped(_CHARACTER), None), 0, []
        for raw in _VALUES.decode(mended):
            at = mended.index(raw, at)
            found.append(batch[at : at + len(raw)])
            at += len(raw)
        return found


def _escaped(character: str) -> bytes:
    return rb"\u%04x" % ord(character)


def _mended(value: bytes, character: bytes, number: bytes | None) -> bytes:
    def mend(found: re.Match[bytes]) -> bytes:
        text = found.group()
        if text[:1] == b'"':
            return _ESCAPE.sub(lambda escape: character if escape[1] else escape[0], text) if b"\\" in text else text
        return text if number is None or not _is_beyond(text) else number

    return _TEXT_OR_NUMBER.sub(mend, value)


def _is_beyond(number: bytes) -> bool:
    if (digits := number.lstrip(b"-")).isdigit():
        return len(digits) > _LONGEST_INTEGER
    return math.isinf(float(number))


def _mark(value: bytes) -> str:
    """A character that is nowhere in the value, as it stands or escaped; any, where somebody wrote all of them."""
    there = set(_OF_MARKS.findall(value.decode(errors="replace")))
    there.update(chr(int(digits, 16)) for digits in _ESCAPED_MARK.findall(value))
    return next((mark for mark in map(chr, _MARKS) if mark not in there), chr(_MARKS[0]))


def _marked(event: object, mark: str, path: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    """Where the mark stands, in a name or a value; no deeper than the parser reads."""
    if isinstance(event, dict):
        for name, value in event.items():
            if mark in name:
                yield (*path, name.replace(mark, _CHARACTER))
            else:
                yield from _marked(value, mark, (*path, name))
    elif isinstance(event, list):
        for place, value in enumerate(event):
            yield from _marked(value, mark, (*path, place))
    elif isinstance(event, str) and mark in event:
        yield path
