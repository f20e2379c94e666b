"""The consumer as the loop sees it, on a real broker."""

from __future__ import annotations

import contextlib
import time

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from service.adapters.kafka.fetching import source as source_module
from service.adapters.kafka.fetching import subscribing
from service.adapters.kafka.fetching.source import KafkaSource
from service.application.ports import Bounds, Partition
from service.errors import BrokenSource
from service.wire.record import Record
from tests.support.ingesting import publish
from tests.support.journals import creation
from tests.support.service import Service
from tests.support.waiting import eventually


def gained(source: KafkaSource, wanted: int, timeout_ms: int) -> set[Partition]:
    """What it has once it has so many, for half a second: a group may form twice when its topics are new."""
    mine: set[Partition] = set()
    given: list[Record] = []
    since = time.monotonic()

    def is_there() -> bool:
        nonlocal since
        given.extend(source.poll(timeout_ms, 100))
        lost, gained = source.take_lost(), source.take_gained()
        mine.difference_update(lost)
        mine.update(gained)
        if lost or gained or len(mine) != wanted:
            since = time.monotonic()
        return time.monotonic() - since > 0.5

    eventually(is_there, 20, every=0)
    assert given == [], "nothing was resumed"
    return mine


@pytest.mark.parametrize("timeout_ms", (1, 200))
def test_a_rebalance_comes_to_its_end_however_short_the_polls_are(
    service: Service, monkeypatch: pytest.MonkeyPatch, timeout_ms: int
) -> None:
    # A worker once stood still for ever: the client forgot the rebalance that a poll had left in the middle.
    monkeypatch.setattr(subscribing, "METADATA_MAX_AGE_MS", 200)
    topic = service.topics.name("returns")
    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as source:
        gained(source, 12, timeout_ms)

        for partitions in (4, 6):
            with contextlib.closing(KafkaAdminClient(bootstrap_servers=service.topics.bootstrap_servers)) as admin:
                admin.create_partitions({topic: NewPartitions(partitions)})
            mine = gained(source, 9 + partitions, timeout_ms)

    assert {number for name, number in mine if name == topic} == set(range(6))


def test_the_group_forms_once_for_one_worker_that_joins(service: Service) -> None:
    # What the client learned of the topics before it had subscribed to them made it join twice, and others with it.
    gained: list[set[Partition]] = []
    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as source:
        end = time.monotonic() + 1.5  # the second time came when the metadata was a tenth of a second old
        while time.monotonic() < end:
            assert source.poll(20, 100) == []
            if mine := source.take_gained():
                gained.append(mine)

    assert [len(mine) for mine in gained] == [12]


def test_a_poll_ends_with_the_partitions_that_come(service: Service) -> None:
    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as source:
        began = time.monotonic()
        source.poll(20_000, 100)

        assert len(source.take_gained()) == 12
        assert time.monotonic() - began < 15, "it waited for records, of which none could come"


def test_a_gained_partition_gives_nothing_until_it_is_resumed_at_its_place(service: Service) -> None:
    publish(service, *(creation(f"R-{number:04}") for number in range(12)))
    topic = service.topics.name("returns")
    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as source:
        mine = gained(source, 12, 100)
        assert source.poll(500, 100) == []
        bounds = source.bounds({(topic, 0)})[topic, 0]
        assert bounds == Bounds(0, bounds.end)

        source.seek((topic, 0), bounds.end - 1)
        source.resume({(topic, 0)})
        records = eventually(lambda: source.poll(100, 100), 10)

        assert [(record.topic, record.partition, record.offset) for record in records] == [(topic, 0, bounds.end - 1)]
        assert source.position((topic, 0)) == bounds.end
        assert source.high_water((topic, 0)) == bounds.end
        assert source.all_partitions() == mine
        source.commit({(topic, 0): bounds.end, ("elsewhere", 0): 1})


def test_what_came_while_nobody_polled_comes_all_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    # A fetch that was under way was answered with the first record; the others came one batch later.
    monkeypatch.setattr(source_module, "_ANSWER_MS", 2000)  # a broker among others may be slow
    topic = service.topics.name("returns")
    settings = service.settings.model_copy(update={"fetch_max_wait_ms": 5000})
    with contextlib.closing(KafkaSource(settings, settings.input_topics)) as source:
        mine = {partition for partition in gained(source, 12, 100) if partition[0] == topic}
        for partition in mine:
            source.seek(partition, 0)
        source.resume(mine)
        assert source.poll(100, 100) == []  # which leaves a fetch under way
        publish(service, creation("R-0001"))
        eventually(lambda: bool(source._consumer._fetcher._completed_fetches), 10)
        publish(service, *(creation(f"R-{number:04}") for number in range(2, 12)))

        records = source.poll(100, 100)

        assert len(records) == 11


def test_a_position_that_is_gone_breaks_the_source(service: Service) -> None:
    topic = service.topics.name("returns")
    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as source:
        gained(source, 12, 100)
        source.seek((topic, 0), 1000)
        source.resume({(topic, 0)})

        with pytest.raises(BrokenSource, match="OffsetOutOfRange"):
            eventually(lambda: source.poll(100, 100), 10)


def test_of_a_source_that_is_closed_nothing_is_assigned_any_more(service: Service) -> None:
    first = KafkaSource(service.settings, service.settings.input_topics)
    gained(first, 12, 100)
    first.close()
    first.close()

    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as second:
        assert len(gained(second, 12, 100)) == 12


def test_a_source_that_is_closed_leaves_no_socket_whatever_waits_to_be_sent(service: Service) -> None:
    source = KafkaSource(service.settings, service.settings.input_topics)
    gained(source, 12, 100)
    connections = list(source._consumer._client._manager._conns.values())
    sockets = [connection.transport._sock for connection in connections if connection.transport]
    assert sockets
    for connection in connections:
        connection.transport._write_buffer.append(b"")  # the connection will be closed once this is sent

    source.close()

    assert [each.fileno() for each in sockets] == [-1] * len(sockets)


def test_a_partition_that_was_paused_among_others_is_read_to_its_end_once_resumed(service: Service) -> None:
    # The client keeps what it had parsed of a partition that is paused, and once gave it back only when it held
    # nothing of any other: with records on all sides that partition stood still, and the worker with it.
    publish(service, *(creation(f"R-{number:05}") for number in range(900)))
    topic = service.topics.name("returns")
    with contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as source:
        mine = sorted(partition for partition in gained(source, 12, 100) if partition[0] == topic)
        for partition in mine:
            source.seek(partition, 0)
        source.resume(mine)
        seen: list[Record] = []
        for turn in range(60):
            # Each is paused in the middle of its records at some turn, and resumed while others have some left.
            paused = mine[turn % 3]
            source.pause([paused])
            seen += source.poll(20, 7)
            source.resume([paused])

        def read_on() -> bool:
            seen.extend(source.poll(50, 7))
            return len(seen) == 900

        eventually(read_on, 20, why="all records")

    for partition in mine:
        offsets = [record.offset for record in seen if (record.topic, record.partition) == partition]
        assert offsets == list(range(len(offsets)))


def test_a_group_that_waits_for_a_silent_member_is_told_of_and_asked_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "JOIN_SECONDS", 2.0)
    with (
        contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as silent,
        contextlib.closing(KafkaSource(service.settings, service.settings.input_topics)) as other,
    ):
        gained(silent, 12, 50)  # its client goes on with its heartbeats, and nobody polls
        with pytest.raises(BrokenSource, match=r"not in its group for \d+ s \(rebalancing"):
            eventually(lambda: other.poll(50, 100), 20, every=0)
