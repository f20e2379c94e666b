"""A dead letter that is larger than its topic takes goes there as a stub: what it was, how large, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from service.wire.outbound import Message, told_of_letter
from service.wire.record import Record

# Of all messages that the service writes. Brokers take 1 MiB by default, and the topic of dead letters 2.
LARGEST: Final = 8 * 1024 * 1024
_BATCH: Final = 61  # bytes of a batch's header
_ERROR: Final = 500  # characters

Headers = Iterable[tuple[str, bytes | None]]


def size_of(message: Message) -> int:
    """How many bytes a batch takes that holds this message alone: what brokers compare with max.message.bytes."""
    return _BATCH + _size(message.key, message.value, message.headers)


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    body = 3 + _field(key) + _field(value)  # attributes and, of the first record, no difference in time and offset
    number = 0
    for name, text in headers:
        number += 1
        body += _field(name.encode()) + _field(text)
    body += _varint(number)
    return _varint(body) + body


def _field(text: bytes | None) -> int:
    return 1 if text is None else _varint(len(text)) + len(text)


def _varint(number: int) -> int:
    """How many bytes it takes in zigzag, seven bits a byte."""
    return max(1, ((number << 1).bit_length() + 6) // 7)


def stub_of(record: Record, reason: str, error: str, letter_no: int, size: int, most: int) -> Message:
    """The letter in so many bytes: no value; the key, or its size and digest; of the headers the first that fit.

    At least it is what the service tells of the letter itself, in about a kilobyte.
    """
    told = told_of_letter(record, reason, error[:_ERROR])
    told |= {"dlq.stub": "true", "dlq.size": size, "dlq.letter": letter_no}
    key = record.key
    if key is not None and len(key) > most // 4:
        told |= {"dlq.key_size": len(key), "dlq.key_sha256": sha256(key).hexdigest()}
        key = None
    ours = [(name, str(value).encode()) for name, value in told.items()]
    fitting = list[tuple[str, bytes | None]]()
    last = ("dlq.headers_left_out", str(len(record.headers)).encode())
    room = most - _BATCH - _size(key, None, [*ours, last])
    for header in record.headers:
        # A header more may make the counts before it longer, by two bytes each.
        room -= _field(header[0].encode()) + _field(header[1]) + 4
        if room < 0:
            break
        fitting.append(header)
    left_out = len(record.headers) - len(fitting)
    if left_out:
        ours.append((last[0], str(left_out).encode()))
    return Message(key, None, (*fitting, *ours))
