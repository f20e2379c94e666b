"""Messages that cost more than they should, on a real broker: they are letters, and everything behind them goes on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.bombs import with_every_codec
from tests.support.ingesting import STRUCTURED, assert_right, drain, publish
from tests.support.journals import creation
from tests.support.service import Service

MIB = 1024 * 1024
CODECS = ("gzip", "snappy", "lz4", "zstd")


@pytest.fixture
def codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    with_every_codec(monkeypatch)


def send(service: Service, codec: str | None, *values: bytes) -> None:
    """Publish values in one batch on partition 0 of the topic of hub events."""
    producer = service.clients.producer(
        compression_type=codec, max_request_size=1000 * MIB, batch_size=1000 * MIB, linger_ms=60_000
    )
    topic = service.topics.name("hub_events")
    futures = [
        producer.send(topic, value, b"k", headers=list(STRUCTURED), partition=0, timestamp_ms=at)
        for at, value in enumerate(values, start=int(time.time() * 1000))
    ]
    producer.flush(timeout=60)
    offsets = [future.get(60).offset for future in futures]
    assert offsets == list(range(offsets[0], offsets[0] + len(values)))
    producer.close()


def letters(service: Service) -> list[tuple[Any, ...]]:
    return service.query(
        'SELECT "offset", reason, key, octet_length(value) FROM dead_letters ORDER BY topic, partition, "offset"'
    )


def test_a_batch_over_the_bound_is_letters_without_bodies_and_the_partition_goes_on(
    service: Service, codecs: None
) -> None:
    del codecs
    for codec in CODECS:
        send(service, codec, b"x" * 3 * MIB, b"y")
        send(service, codec, b"behind it")
    publish(service, creation())

    drain(service, max_batch_bytes=2 * MIB)

    refused, behind = ("batch_too_large", None, None), ("not_json", b"k", 9)
    expected = [(n, *(behind if n % 3 == 2 else refused)) for n in range(3 * len(CODECS))]
    assert_right(service, [creation()], dead_letters=len(expected))
    assert letters(service) == expected
    errors = service.query("SELECT DISTINCT error FROM dead_letters WHERE reason = 'batch_too_large' ORDER BY 1")
    said = "\n".join(error for (error,) in errors)
    topic = service.topics.name("hub_events")
    for number, codec in enumerate(CODECS):
        first = 3 * number
        assert (
            f"records {first} to {first + 1} of {topic} 0 takes more than 2 MiB once it is unpacked ({codec})" in said
        )

    replayed = service.done("replay", RETURNS_MAX_BATCH_BYTES=str(2 * MIB))

    assert "failed again: batch_too_large 8, not_json 4" in replayed
    assert letters(service) == expected
    assert (
        service.query("SELECT DISTINCT error FROM dead_letters WHERE reason = 'batch_too_large' ORDER BY 1") == errors
    )

    # Each record has a time of its own, and its letter that of the batch, of which the header was all that was read.
    fetched = service.done("replay")

    assert "failed again: not_json 8, too_large 4" in fetched
    assert service.query("SELECT count(*) FROM dead_letters WHERE error LIKE '%%any more%%'") == [(0,)]
