"""Record batches as no ordinary producer makes them: packed by any codec, with a header that may lie."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from typing import Final

import cramjam
from aiokafka.codec import snappy_encode
from kafka.record.util import calc_crc32c

CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
AT: Final = 1_795_600_000_000  # Kafka's timestamp, in milliseconds


def varint(number: int) -> bytes:
    """A number as Kafka writes it."""
    zigzag = (number << 1) ^ (number >> 63)
    made = bytearray()
    while zigzag > 0x7F:
        made.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*made, zigzag])


def record(offset: int, value: bytes | None, headers: Sequence[tuple[bytes, bytes | None]] = ()) -> bytes:
    """One record of a batch's body; `offset` counts from the batch's first."""
    said = varint(-1) if value is None else varint(len(value)) + value
    body = bytearray(b"\0" + varint(0) + varint(offset) + varint(1) + b"k" + said + varint(len(headers)))
    for name, text in headers:
        body += varint(len(name)) + name + (varint(-1) if text is None else varint(len(text)) + text)
    return varint(len(body)) + bytes(body)


def body(*values: bytes | None) -> bytes:
    """Records of these values."""
    return b"".join(record(n, value) for n, value in enumerate(values))


def pack(codec: str, plain: bytes) -> bytes:
    """The body as this codec writes it."""
    if codec == "gzip":
        return gzip.compress(plain)
    if codec == "snappy":
        return bytes(snappy_encode(plain))
    if codec == "lz4":
        return bytes(cramjam.lz4.compress(plain))
    return bytes(cramjam.zstd.compress(plain)) if codec == "zstd" else plain


def batch(
    packed: bytes, count: int, codec: int | str = 0, *, first: int = 0, last_delta: int | None = None, flags: int = 0
) -> bytes:
    """A batch around a packed body, its checksum right."""
    attributes = (CODECS[codec] if isinstance(codec, str) else codec) | flags
    delta = count - 1 if last_delta is None else last_delta
    counts = struct.pack(">hiqqqhii", attributes, delta, AT, AT, -1, -1, -1, count)
    head = struct.pack(">qiib", first, 49 + len(packed), -1, 2)
    return head + struct.pack(">I", calc_crc32c(counts + packed)) + counts + packed
