"""A Kafka record as the service handles it: bytes and coordinates, nothing decoded."""

from __future__ import annotations

from msgspec import Struct


class Unread(Struct, frozen=True, gc=False):
    """Why a record is known by its coordinates alone: a word of `reasons.Invalid`, and a sentence.

    `first` is the offset of the first record that was left unread for the same cause: one batch is one mishap,
    however many records it holds.
    """

    reason: str
    error: str
    first: int


class Record(Struct, frozen=True, gc=False):
    """One message of an input topic. `timestamp` is Kafka's, in milliseconds since 1970-01-01 UTC.

    It is the broker's own where `broker_time` says so (LogAppendTime); else the publisher's, who may set it to any 64
    bits. Of a record with `unread` there are coordinates only: no key, value or headers. `topic_id` is the 16 bytes of
    Kafka's id of the topic, one object for all records of a topic; None: not known.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    topic_id: bytes | None = None
    broker_time: bool = False
    unread: Unread | None = None
