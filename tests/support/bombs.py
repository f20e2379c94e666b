"""Small batches that unpack to very much, made without ever holding that."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cramjam
import pytest
from aiokafka.codec import lz4_encode, snappy_encode, zstd_encode
from kafka import KafkaProducer
from kafka import codec as kafka_codec
from kafka.record import default_records

from tests.support.batches import varint

_PIECE = 1024 * 1024


def with_every_codec(patch: pytest.MonkeyPatch) -> None:
    """kafka-python's producer with every codec; it brings gzip alone."""
    known = KafkaProducer._COMPRESSORS
    for name, encode in (("snappy", snappy_encode), ("lz4", lz4_encode), ("zstd", zstd_encode)):
        patch.setattr(kafka_codec, f"has_{name}", lambda: True)
        patch.setitem(known, name, (lambda: True, known[name][1]))
        patch.setattr(default_records, f"{name}_encode", encode)


def packed(codec: str, records: int, size: int) -> bytes:
    """The body of a batch of so many records, each with a value of so many MiB."""
    file = io.BytesIO()
    stream: Any
    if codec == "gzip":
        stream = gzip.GzipFile(fileobj=file, mode="wb")
    else:
        # Kafka does not read LZ4 blocks that refer to each other.
        options = {"level": 9, "block_linked": False} if codec == "lz4" else {}
        stream = getattr(cramjam, codec).Compressor(**options)
    write = stream.write if codec == "gzip" else stream.compress
    for offset in range(records):
        value = varint(size * _PIECE)
        head = b"\0" + varint(0) + varint(offset) + varint(1) + b"k" + value
        write(varint(len(head) + size * _PIECE + 1) + head)
        for _ in range(size):
            write(b"x" * _PIECE)
        write(b"\0")
    if codec == "gzip":
        stream.close()
        return file.getvalue()
    return bytes(stream.finish())


@contextmanager
def in_place_of(patch: pytest.MonkeyPatch, codec: str, body: bytes) -> Iterator[None]:
    """Whatever a producer packs goes as this; it must have as many records."""
    with patch.context() as inner:
        inner.setattr(default_records, f"{codec}_encode", lambda _: body)
        yield
