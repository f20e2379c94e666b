"""What goes in the place of a dead letter that is larger than its topic takes."""

from __future__ import annotations

from random import Random

import pytest

from service.wire.outbound import Message, dead_letter
from service.wire.record import Record
from service.wire.stubs import size_of, stub_of
from tests.support.batches import batch, varint

ERROR = "not JSON at line 1 column 1"


def written(message: Message) -> bytes:
    """The message as a batch of its own."""

    def field(text: bytes | None) -> bytes:
        return varint(-1) if text is None else varint(len(text)) + text

    body = b"\0\0\0" + field(message.key) + field(message.value) + varint(len(message.headers))
    body += b"".join(field(name.encode()) + field(text) for name, text in message.headers)
    return batch(varint(len(body)) + body, 1)


def random_record(chance: Random, most: int = 300) -> Record:
    def some(least: int = 0) -> bytes:
        return chance.randbytes(chance.randrange(least, most))

    headers = tuple((some().hex(), chance.choice((None, some()))) for _ in range(chance.randrange(70)))
    return Record("in", 3, 17, 5, chance.choice((None, some())), chance.choice((None, some())), headers)


@pytest.mark.parametrize("seed", range(30))
def test_the_size_of_a_message_is_what_it_takes_in_kafka(seed: int) -> None:
    letter = dead_letter(random_record(Random(seed), 10 ** (seed % 5 + 1)), "not_json", ERROR)

    assert size_of(letter) == len(written(letter))


def test_a_stub_says_what_the_letter_was_and_where_it_is_kept() -> None:
    record = Record("in", 3, 17, 5, b"R-1", b"x" * 5000, (("a", b"1"), ("none", None)))

    stub = stub_of(record, "too_large", ERROR, 12, 5000, 2048)

    told = dict(stub.headers[2:])
    assert (stub.key, stub.value, stub.headers[:2]) == (b"R-1", None, (("a", b"1"), ("none", None)))
    assert told == dict(dead_letter(record, "too_large", ERROR).headers[2:]) | {
        "dlq.stub": b"true",
        "dlq.size": b"5000",
        "dlq.letter": b"12",
    }


def test_a_key_and_headers_that_do_not_fit_are_told_of() -> None:
    record = Record("in", 3, 17, 5, b"k" * 3000, b"", (("a", b"1"), ("b", b"2" * 5000), ("c", b"3")))

    stub = stub_of(record, "too_large", ERROR, 12, 0, 4096)

    told = dict(stub.headers)
    assert stub.key is None
    assert told["dlq.key_size"] == b"3000"
    assert len(told["dlq.key_sha256"] or b"") == 64
    assert told["a"] == b"1"
    assert told["dlq.headers_left_out"] == b"2"
    assert "b" not in told


@pytest.mark.parametrize("seed", range(200))
def test_a_stub_fits_whatever_the_letter(seed: int) -> None:
    chance = Random(seed)
    record, most = random_record(chance, chance.choice((10, 300, 5000))), chance.randrange(2048, 20_000)

    stub = stub_of(record, "too_large", "an error " * chance.randrange(200), 2**60, 2**40, most)

    assert len(written(stub)) <= most
    assert dict(stub.headers)["dlq.stub"] == b"true"
