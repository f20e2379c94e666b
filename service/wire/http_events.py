"""CloudEvents over HTTP (the protocol binding of CloudEvents 1.0): structured, binary and batched mode in, dictionaries out.

In binary mode the values of `ce-` headers are percent-encoded, which Kafka's headers are not. What comes out is the
event as in structured mode, its payload under `data`, whichever mode it came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from service.errors import InvalidEvent
from service.wire import cloudevents
from service.wire.judging.legible import ILLEGIBLE, legible, split
from service.wire.reasons import Invalid
from service.wire.record import Record

BATCH_MEDIA_TYPE: Final = "application/cloudevents-batch+json"
MOST_EVENTS: Final = 500  # of a batch

_PREFIX: Final = "ce-"


class Mended(dict[str, Any]):
    """An event without what nobody can read in it (see `legible`); `ignored` are the members of its data of which that is so."""

    ignored: tuple[str, ...] = ()


def read_events(
    content_type: str | None, headers: Iterable[tuple[str, str]], body: bytes, *, most: int | None = MOST_EVENTS
) -> list[dict[str, Any] | InvalidEvent]:
    """The events of a request, in their order; in the place of one that is none, what is wrong with it.

    Raises InvalidEvent where the request as a whole is not understood: no batch, or one of more than `most`.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == BATCH_MEDIA_TYPE:
        return [_structured(value) for value in _batch(body, most)]
    if media_type.startswith("application/cloudevents"):
        return [_structured(body, content_type)]
    try:
        attributes = tuple(
            (f"ce_{name[len(_PREFIX) :].lower()}", unquote(value, errors="strict").encode())
            for name, value in headers
            if name.lower().startswith(_PREFIX)
        )
    except UnicodeError:
        return [InvalidEvent(Invalid.NOT_UTF8, "a ce- header: not UTF-8, percent-encoded")]
    if not attributes:
        return [_structured(body)]
    kind = (("content-type", content_type.encode()),) if content_type is not None else ()
    return [_decoded(body, (*kind, *attributes))]


def _batch(body: bytes, most: int | None) -> list[bytes]:
    try:
        events = split(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidEvent(Invalid.NOT_JSON, "the body: a JSON array of events is expected") from None
    if most is not None and len(events) > most:
        raise InvalidEvent(Invalid.TOO_LARGE, f"the body: a batch has at most {most} events")
    return events


def _structured(value: bytes, content_type: str | None = None) -> dict[str, Any] | InvalidEvent:
    return _decoded(value, (("content-type", (content_type or cloudevents.MEDIA_TYPE).encode()),))


def _decoded(value: bytes, headers: tuple[tuple[str, bytes | None], ...]) -> dict[str, Any] | InvalidEvent:
    record = Record("", 0, 0, 0, None, value, headers)
    try:
        return cloudevents.decode(record)
    except InvalidEvent as error:
        return _legible(record, error) if error.reason in ILLEGIBLE else error.with_traceback(None)


def _legible(record: Record, error: InvalidEvent) -> Mended | InvalidEvent:
    try:
        event, ignored = legible(record, error)
    except InvalidEvent as refused:
        return refused.with_traceback(None)  # its frames refer to the body, and one of them to it
    mended = Mended(event)
    mended.ignored = ignored
    return mended
