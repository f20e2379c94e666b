"""A dead letter as it is kept: one row for whoever publishes, replays or lists it, and one way to read it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic_core import to_json

from service.wire.reasons import Invalid
from service.wire.record import Record, Unread
from service.wire.stored import to_micros

Header = tuple[str, bytes | None]


class KeptLetter(NamedTuple):
    """A row of the dead letters, under the names of its columns.

    `attempts` counts how often it was tried, the first time included. `size` is the length of the value in bytes, and
    None for a message without one; of a value that is longer than was asked for there is the size alone. `resolved_at`
    is None while it is open. `n` is the number of its batch, where it is read in the order of the log. With
    `fits` false it is more than the slice it was read in may take: then neither key, value nor headers are there.
    """

    letter_no: int
    topic: str
    topic_id: UUID | None
    partition: int
    offset: int
    published_at: datetime
    key: bytes | None
    value: bytes | None
    size: int | None
    headers: Sequence[Sequence[str | None]]  # names and values, these in base 64
    reason: str
    error: str
    attempts: int
    recorded_at: datetime
    resolved_at: datetime | None = None
    n: int = 0
    fits: bool = True

    @property
    def is_resolved(self) -> bool:
        """Whether it became an event after all."""
        return self.resolved_at is not None

    @property
    def is_whole(self) -> bool:
        """Whether the value, if the message had one, is there."""
        return self.value is not None or not self.size

    def record(self) -> Record:
        """The message as it came, decoded anew at each call."""
        # No body, and yet no tombstone: it was never kept, or is longer than was asked for. The reason stays what it was.
        is_unread = self.value is None and self.reason != Invalid.EMPTY
        return Record(
            self.topic,
            self.partition,
            self.offset,
            to_micros(self.published_at) // 1000,
            self.key,
            self.value,
            headers_of(self.headers),
            None if self.topic_id is None else self.topic_id.bytes,
            unread=Unread(self.reason, self.error, self.offset) if is_unread else None,
        )


def headers_of(kept: Iterable[Sequence[str | None]]) -> tuple[Header, ...]:
    """A message's headers from their JSON.

    >>> headers_of([["a", "eA=="], ["b", None]])
    (('a', b'x'), ('b', None))
    """
    return tuple((str(name), None if value is None else b64decode(value)) for name, value in kept)


def headers_text(headers: Iterable[Header]) -> str:
    """A message's headers as they are kept: JSON, values in base 64."""
    return to_json([(name, None if value is None else b64encode(value).decode()) for name, value in headers]).decode()
