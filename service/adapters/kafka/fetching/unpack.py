"""What a compressed batch becomes, within a bound: a few kilobytes may unpack to gigabytes, or to millions of objects.

No size that a publisher wrote down is believed. Each codec stops by itself when its output is full.
"""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

import cramjam

RECORD_WEIGHT: Final = 256  # bytes that a record takes beside its own
HEADER_WEIGHT: Final = 128  # likewise a header

_FIRST_RATIO: Final = 8  # events seldom pack any better; what does is unpacked again, into more room
_LEAST_ROOM: Final = 64 * 1024
_FULL: Final = "failed to write whole buffer"  # Rust's words for an output that is full
_XERIAL: Final = b"\x82SNAPPY\x00"  # what Java wraps snappy's blocks in
_XERIAL_HEADER: Final = 16
_INT: Final = Struct(">i")
_VARINT_BITS: Final = 63
CODECS: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}


class TooLarge(Exception):
    """It takes more memory than it may."""


class Unreadable(Exception):
    """It is not what it says it is."""


def unpack(codec: int, packed: memoryview, most: int) -> bytes | bytearray | memoryview:
    """The bytes behind `packed`. Raises TooLarge beyond `most` bytes, and Unreadable."""
    try:
        if codec == 1:
            return _gunzip(packed, most)
        if codec == 2:
            return _unsnap(packed, most)
        if codec in CODECS:
            return _into_room(cramjam.lz4 if CODECS[codec] == "lz4" else cramjam.zstd, packed, most)
    except (cramjam.DecompressionError, zlib.error, OSError, EOFError, struct_error) as problem:
        raise Unreadable(type(problem).__name__) from problem
    raise Unreadable(f"codec {codec}")


def _gunzip(packed: memoryview, most: int) -> bytes:
    with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
        unpacked = file.read(most + 1)
    if len(unpacked) > most:
        raise TooLarge
    return unpacked


def _into_room(codec: Any, packed: memoryview, most: int) -> memoryview:
    """Into a buffer of a fixed size, and if that is full into a larger one."""
    size = min(most, max(_LEAST_ROOM, len(packed) * _FIRST_RATIO))
    while True:
        room = bytearray(size)
        try:
            length = codec.decompress_into(packed, room)
        except cramjam.DecompressionError as problem:
            if _FULL not in str(problem):
                raise
            if size >= most:
                raise TooLarge from None
        else:
            return memoryview(room)[:length]
        size = min(most, size * _FIRST_RATIO)


def _unsnap(packed: memoryview, most: int) -> bytearray:
    blocks = _xerial_blocks(packed) if bytes(packed[: len(_XERIAL)]) == _XERIAL else [packed]
    # snappy's blocks say their size, and the decoder makes room for what they say: that counts, whatever they hold.
    sizes = [cramjam.snappy.decompress_raw_len(block) for block in blocks]
    if sum(sizes) > most:
        raise TooLarge
    unpacked = bytearray(sum(sizes))
    at = 0
    for block, size in zip(blocks, sizes, strict=True):
        if cramjam.snappy.decompress_raw_into(block, memoryview(unpacked)[at : at + size]) != size:
            raise Unreadable("snappy block")
        at += size
    return unpacked


def _xerial_blocks(packed: memoryview) -> list[memoryview]:
    blocks, at = list[memoryview](), _XERIAL_HEADER
    while at < len(packed):
        (length,) = _INT.unpack_from(packed, at)
        at += _INT.size
        # One of no length would be read again and again.
        if not 0 < length <= len(packed) - at:
            raise Unreadable("snappy block")
        blocks.append(packed[at : at + length])
        at += length
    return blocks


def weigh(body: bytes | bytearray | memoryview, records: int, most: int) -> int:
    """How much memory the records of an unpacked batch take, in bytes, as far as they say it themselves.

    Looks at lengths only. Raises TooLarge as soon as it is more than `most`, and Unreadable.
    """
    weight, at, end = len(body), 0, len(body)
    try:
        for _ in range(records):
            length, at = _varint(body, at)
            next_at = at + length
            if length < 0 or next_at > end:
                raise Unreadable("record length")
            weight += RECORD_WEIGHT + HEADER_WEIGHT * _headers(body, at)
            if weight > most:
                raise TooLarge
            at = next_at
    except IndexError:
        raise Unreadable("record length") from None
    return weight


def _headers(body: bytes | bytearray | memoryview, at: int) -> int:
    """How many headers the record says it has, whose attributes begin at `at`."""
    at += 1  # attributes
    for _ in range(2):  # timestamp, offset
        _, at = _varint(body, at)
    for _ in range(2):  # key, value
        length, at = _varint(body, at)
        at += max(0, length)
    count, _ = _varint(body, at)
    if count < 0:
        raise Unreadable("header count")
    return count


def _varint(body: bytes | bytearray | memoryview, at: int) -> tuple[int, int]:
    """A number in zigzag and where the next one begins."""
    byte = body[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    number, shift = byte & 0x7F, 7
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
        if shift > _VARINT_BITS:
            raise Unreadable("varint")
