"""What stands at the ends of the status changes: the last change of each partition."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec
from kafka import TopicPartition

from service.application.journal.publish import Tail
from service.errors import Retryable
from service.wire.outbound import SOURCE
from service.wire.published import STATUS_CHANGED

_FIRST_LOOK: Final = 8  # offsets from the end; the last of them are markers of transactions
_LONGEST_LOOK: Final = 200_000  # what aborted transactions and others may have left there
_SECONDS: Final = 30.0
_POLL_MS: Final = 200


class _Data(msgspec.Struct):
    return_id: str
    version: int


class _Message(msgspec.Struct):
    type: str
    source: str
    data: msgspec.Raw


_message = msgspec.json.Decoder(_Message).decode
_data = msgspec.json.Decoder(_Data).decode


def change_in(value: bytes | None) -> tuple[str, int] | None:
    """The return and the version that a message of the status changes tells of; None where it is none of ours."""
    try:
        message = _message(value or b"")
        if (message.type, message.source) != (STATUS_CHANGED, SOURCE):
            return None
        data = _data(message.data)
    except msgspec.MsgspecError:
        return None
    return data.return_id, data.version


def read_tails(consumer: Any, topic: str, partitions: int, waiting: Callable[[], None]) -> dict[int, Tail]:
    """The last change of each partition, as a committed reader sees it; of those without one nothing.

    Raises Retryable while a transaction is open behind it, or when it takes too long; kafka-python's errors otherwise.
    """
    all_of_them = [TopicPartition(topic, n) for n in range(partitions)]
    begins, ends = consumer.beginning_offsets(all_of_them), consumer.end_offsets(all_of_them)
    wanted = {tp: end for tp, end in ends.items() if end > begins[tp]}
    tails = dict[int, Tail]()
    look, deadline = _FIRST_LOOK, time.monotonic() + _SECONDS
    while wanted:
        consumer.assign(list(wanted))
        for tp, end in wanted.items():
            consumer.seek(tp, max(begins[tp], end - look))
        _read(consumer, wanted, tails, waiting, deadline)
        _refuse_open(consumer, wanted)
        wanted = {tp: end for tp, end in wanted.items() if tp.partition not in tails and begins[tp] < end - look}
        look *= 16
        if look > _LONGEST_LOOK:
            break
    return tails


def _read(
    consumer: Any,
    ends: Mapping[TopicPartition, int],
    tails: dict[int, Tail],
    waiting: Callable[[], None],
    deadline: float,
) -> None:
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        if time.monotonic() > deadline:
            raise Retryable("Kafka: the ends of the status changes could not be read in time", cause="kafka")
        waiting()
        for tp, records in consumer.poll(timeout_ms=_POLL_MS).items():
            for record in records:
                if record.offset < ends[tp] and (change := change_in(record.value)) is not None:
                    tails[tp.partition] = Tail(record.offset, *change)


def _refuse_open(consumer: Any, partitions: Collection[TopicPartition]) -> None:
    """What stands behind an open transaction is hidden: no end can be told."""
    for tp in partitions:
        high_water = consumer.highwater(tp)
        if high_water is not None and high_water > consumer.position(tp):
            raise Retryable(f"Kafka: a transaction is open in {tp.topic} {tp.partition}", cause="pending")
