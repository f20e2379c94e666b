"""Fetched bytes to records. What kafka-python's own parser makes of the same bytes is the measure."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from service.adapters.kafka.fetching.records import PartitionRecords
from service.wire.record import Record

TP = TopicPartition("in", 3)
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


def batch(first: int, *values: bytes | None, headers: Any = (CONTENT_TYPE,), magic: int = 2, codec: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(magic, codec, 1_000_000, offset=first)
    for number, value in enumerate(values):
        builder.append(1_700_000_000_000 + number, b"key", value, list(headers) if magic == 2 else [])
    builder.close()
    return bytes(builder.buffer())


def read(data: bytes, fetch_offset: int = 0) -> tuple[list[Record], Any]:
    fetched = PartitionRecords(fetch_offset, TP, MemoryRecords(data), isolation_level=IsolationLevel.READ_COMMITTED)
    return fetched.take(), fetched


def test_records_are_what_the_client_itself_reads() -> None:
    data = batch(0, b"a", None, b"c", headers=[CONTENT_TYPE, ("null", None)]) + batch(3, b"d", headers=())
    theirs = Fetcher.PartitionRecords(0, TP, MemoryRecords(data)).take()

    ours, fetched = read(data)

    assert ours == [
        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in theirs
    ]
    assert fetched.next_fetch_offset == 4
    assert not fetched, "it is drained"


@pytest.mark.parametrize("magic", (0, 1))
def test_batches_of_old_brokers_are_read_too(magic: int) -> None:
    ours, fetched = read(batch(0, b"a", b"b", magic=magic) + batch(2, b"c"))

    assert [(record.offset, record.value) for record in ours] == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert fetched.next_fetch_offset == 3


def test_a_fetch_in_the_middle_of_a_batch_begins_at_its_offset() -> None:
    ours, _ = read(batch(0, b"a", b"b", b"c"), fetch_offset=2)

    assert [record.offset for record in ours] == [2]


def test_a_batch_that_the_fetch_cut_off_is_left_to_the_next_one() -> None:
    ours, fetched = read(batch(0, b"a") + batch(1, b"b")[:-1])

    assert [record.offset for record in ours] == [0]
    assert fetched.next_fetch_offset == 1


def test_a_flipped_bit_is_found() -> None:
    data = bytearray(batch(0, b"value"))
    data[-8] ^= 1

    with pytest.raises(CorruptRecordError, match="in 3"):
        read(bytes(data))


def test_a_header_whose_name_is_not_utf8_holds_up_nothing() -> None:
    # Such a name comes from a C client; the parser gives up on the whole batch, and so the partition stood still.
    data = batch(0, b"a", headers=[("name", b"1")]) + batch(1, b"b")
    broken = bytearray(data)
    at = broken.index(b"name")
    broken[at : at + 4] = b"n\xffm\xfe"
    broken = _with_checksum(broken, len(batch(0, b"a", headers=[("name", b"1")])))

    ours, _ = read(bytes(broken))

    assert [(record.offset, record.value) for record in ours] == [(0, b"a"), (1, b"b")]
    assert ours[0].headers == (("n\\xffm\\xfe", b"1"),)


def _with_checksum(data: bytearray, end: int) -> bytearray:
    """The first batch's checksum made right again."""
    from kafka.record.util import calc_crc32c

    data[17:21] = calc_crc32c(memoryview(data)[21:end]).to_bytes(4, "big")
    return data
