"""Messages that unpack to hundreds of megabytes: what the worker takes for them, and that everything behind them goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bombs import in_place_of, packed, with_every_codec
from tests.support.forking import Process
from tests.support.ingesting import STRUCTURED, assert_verified, publish, status
from tests.support.journals import creation
from tests.support.service import Service
from tests.support.waiting import eventually

KIB = 1024
_PLAIN = b"x" * 1_000_000  # larger than any of the bombs, or the producer would send it as it is


def peak(process: Process) -> int:
    """The most memory that the process ever held, in MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // KIB
    raise AssertionError("no VmHWM")


def send(service: Service, codec: str, number: int = 1) -> None:
    """So many records in one batch, on partition 0 of the topic of hub events."""
    producer = service.clients.producer(compression_type=codec, linger_ms=60_000, batch_size=16 * 1024 * KIB)
    topic = service.topics.name("hub_events")
    futures = [producer.send(topic, _PLAIN, b"k", headers=list(STRUCTURED), partition=0) for _ in range(number)]
    producer.flush(timeout=120)
    for future in futures:
        future.get(60)
    producer.close()


def begun(service: Service) -> tuple[Process, int]:
    """A worker at work, and what it held at most until then."""
    worker = service.start("ingest")
    publish(service, creation("R-0000"))
    eventually(lambda: service.query("SELECT count(*) FROM history") == [(1,)], 30)
    return worker, peak(worker)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("codec", "size"), (("gzip", 400), ("zstd", 400), ("lz4", 200)))
def test_a_message_that_unpacks_to_400_mb_costs_less_than_200_and_stops_nobody(
    service: Service, monkeypatch: pytest.MonkeyPatch, codec: str, size: int
) -> None:
    """What: a bomb of some 100 kB among good events. How: the worker's peak of memory, its letters, and the relay."""
    with_every_codec(monkeypatch)
    worker, before = begun(service)
    with in_place_of(monkeypatch, codec, packed(codec, 1, size)):
        send(service, codec)
    publish(service, creation("R-0001"))

    eventually(lambda: service.query("SELECT reason FROM dead_letters") == [("batch_too_large",)], 60)
    eventually(lambda: service.query("SELECT count(*) FROM history") == [(2,)], 30)
    grown = peak(worker) - before
    print(f"{codec}: {grown} MiB over {before}")

    assert grown < 200
    assert service.stop(worker) == 0
    service.done("relay", "--drain")
    assert status(service, "R-0001") == "RC"
    assert_verified(service)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_many_batches_within_the_bound_take_no_more_than_the_room_there_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What: 20 batches of some kB, 42 MiB each. How: one fetch holds all of them; the worker's peak stays far below what they are in all."""
    with_every_codec(monkeypatch)
    worker, before = begun(service)
    with in_place_of(monkeypatch, "zstd", packed("zstd", 6, 7)):
        for _ in range(20):
            send(service, "zstd", 6)
    publish(service, creation("R-0001"))

    eventually(lambda: service.query("SELECT count(*) FROM dead_letters") == [(120,)], 200)
    eventually(lambda: service.query("SELECT count(*) FROM history") == [(2,)], 30)
    grown = peak(worker) - before
    print(f"{grown} MiB over {before}")

    assert grown < 500
    assert service.stop(worker) == 0
    service.done("relay", "--drain")
    service.done("replay", timeout=200)
    assert service.query("SELECT DISTINCT reason, attempts FROM dead_letters") == [("too_large", 2)]
