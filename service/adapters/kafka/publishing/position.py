"""The relay's position as it stands in Kafka: the committed offset of a group that nobody consumes with.

The offset is the number of the batch. Its metadata says the rest: the batch's id, the place inside the batch, and the ids
of the output topics that the position was for. What anybody else commits there has no such metadata.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from kafka.structs import OffsetAndMetadata

from service.application.journal.slices import Position


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    batch: str
    within: str
    topics: list[str]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Metadata).decode


def to_offset(position: Position, topic_ids: Sequence[str]) -> OffsetAndMetadata:
    """What is committed for the position."""
    metadata = _Metadata(position.batch_id, position.within, list(topic_ids))
    return OffsetAndMetadata(position.n, _encode(metadata).decode(), -1)


def from_offset(found: OffsetAndMetadata) -> tuple[Position, list[str]]:
    """The position that was committed, and the ids of its topics; raises ValueError where it was none of ours."""
    try:
        metadata = _decode(found.metadata or "")
    except msgspec.MsgspecError:
        raise ValueError("not written by a relay") from None
    if not metadata.batch and found.offset:
        raise ValueError("names no batch")
    return Position.parse(found.offset, metadata.within, metadata.batch), metadata.topics
