"""What goes in the place of a dead letter that is larger than its topic takes."""

from __future__ import annotations

import hashlib
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


ROOMY = 2048


@pytest.mark.parametrize(("length", "is_kept"), ((ROOMY // 4, True), (ROOMY // 4 + 1, False)))
def test_a_key_takes_a_quarter_of_a_stub_at_most(length: int, is_kept: bool) -> None:
    record = Record("in", 3, 17, 5, b"k" * length, b"x", ())

    stub = stub_of(record, "too_large", ERROR, 12, 1, ROOMY)

    told = dict(stub.headers)
    assert (stub.key == record.key, stub.key is None) == (is_kept, not is_kept)
    assert told.get("dlq.key_size") == (None if is_kept else str(length).encode())
    digest = hashlib.sha256(record.key or b"").hexdigest().encode()
    assert told.get("dlq.key_sha256") == (None if is_kept else digest)


def test_what_is_wrong_is_told_in_so_many_characters() -> None:
    record = Record("in", 3, 17, 5, None, b"x", ())

    stub = stub_of(record, "too_large", "é" * 501, 12, 1, ROOMY)

    assert dict(stub.headers)["dlq.error"] == ("é" * 500).encode()
    assert "dlq.headers_left_out" not in dict(stub.headers)


def test_as_many_headers_are_kept_as_fit() -> None:
    """One that is left out leaves less room than the next one and its count would take."""
    headers = tuple((f"h{n}", b"x" * 50) for n in range(99))
    record = Record("in", 3, 17, 5, b"k", b"x", headers)

    stub = stub_of(record, "too_large", ERROR, 12, 1, 4096)

    kept = stub.headers.index(("dlq.reason", b"too_large"))
    assert stub.headers[:kept] == headers[:kept]
    assert dict(stub.headers)["dlq.headers_left_out"] == str(99 - kept).encode()
    assert 4096 - 60 - 6 * kept < len(written(stub)) <= 4096


@pytest.mark.parametrize("most", (3000, 5000))
def test_a_header_without_a_value_and_one_behind_it_that_is_too_large_are_told_apart(most: int) -> None:
    record = Record("in", 3, 17, 5, None, b"x", (("none", None), ("large", b"y" * most), ("small", b"")))

    told = stub_of(record, "too_large", ERROR, 12, 1, most).headers

    assert told[0] == ("none", None)
    assert told[1][0] == "dlq.reason"
    assert told[-1] == ("dlq.headers_left_out", b"2")
