"""A Kafka record as the service handles it: bytes and coordinates, nothing decoded."""

from __future__ import annotations

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """One message of an input topic. `timestamp` is Kafka's, in milliseconds since 1970-01-01 UTC.

    `topic_id` is the 16 bytes of Kafka's id of the topic, one object for all records of a topic; None: not known.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    topic_id: bytes | None = None
