from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from service.application.commands.voiding import SOURCE, Mistake, Voiding, without
from service.domain.events import key_digest
from service.domain.journey import NEW, record, replay
from service.domain.milestones import Milestone
from service.errors import InvalidEvent, Retryable
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.models import EVENT_VOIDED, RETURN_CREATED
from service.wire.record import Record
from tests.unit.domain.histories import story, void

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
MISTAKE = Mistake("R-1001", "/hubs/akl-1", "42", "an operator", "scanned the wrong parcel", NOW)
PARSER = Parser(CarrierTables.load(), {"hub": [EVENT_VOIDED], "returns": [RETURN_CREATED]})


class Kafka:
    """Takes messages; a wait for it may bring more voids."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.is_away = False

    def publish(self, key: str, value: bytes) -> None:
        self.meanwhile()
        if self.is_away:
            raise Retryable("away")
        self.taken.append((key, value))


def voiding(kafka: Kafka, topic: str = "hub") -> Voiding:
    return Voiding(PARSER, topic, kafka.publish)


def test_the_message_is_the_void_that_ingestion_understands() -> None:
    message = voiding(Kafka()).prepare(MISTAKE)

    assert json.loads(message) == {
        "specversion": "1.0",
        "id": MISTAKE.void.id,
        "source": SOURCE,
        "type": EVENT_VOIDED,
        "time": "2026-11-23T12:00:00.250000Z",
        "datacontenttype": "application/json",
        "subject": "R-1001",
        "data": {
            "return_id": "R-1001",
            "source": "/hubs/akl-1",
            "id": "42",
            "by": "an operator",
            "reason": "scanned the wrong parcel",
        },
    }
    inbound = PARSER.parse(Record("hub", 0, 0, int(NOW.timestamp() * 1000), None, message))
    assert (inbound.subject, inbound.event.voids) == ("R-1001", ("/hubs/akl-1", "42"))


def test_the_same_void_is_one_event_and_one_of_other_words_never_has_its_name() -> None:
    others = [
        MISTAKE._replace(return_id="R-2"),
        MISTAKE._replace(source="/hubs/syd"),
        MISTAKE._replace(id="43"),
        MISTAKE._replace(by="somebody else"),
        MISTAKE._replace(reason="another"),
        MISTAKE._replace(at=NOW + timedelta(microseconds=1)),
    ]

    assert voiding(Kafka()).prepare(MISTAKE) == voiding(Kafka()).prepare(MISTAKE._replace())
    assert MISTAKE.void.id.startswith("void-")
    assert len({MISTAKE.void.id, *(each.void.id for each in others)}) == 7


def test_what_ingestion_would_refuse_is_refused_with_its_words() -> None:
    with pytest.raises(InvalidEvent, match="reason"):
        voiding(Kafka()).prepare(MISTAKE._replace(reason=""))
    with pytest.raises(InvalidEvent):  # on a topic that carries no voids
        voiding(Kafka(), "returns").prepare(MISTAKE)


def test_the_message_goes_out_under_the_number_of_its_return() -> None:
    kafka = Kafka()

    voiding(kafka).publish(MISTAKE, b"the void")

    assert kafka.taken == [("R-1001", b"the void")]


def test_no_more_than_four_wait_for_kafka_and_each_leaves_its_place() -> None:
    kafka = Kafka()
    desk, depth = voiding(kafka), 0

    def more() -> None:
        nonlocal depth
        depth += 1
        if depth <= 4:
            desk.publish(MISTAKE, b"")

    kafka.meanwhile = more
    with pytest.raises(Retryable, match="too many") as refused:
        desk.publish(MISTAKE, b"")

    assert (depth, kafka.taken, refused.value.cause) == (4, [], "kafka")
    kafka.meanwhile = lambda: None
    kafka.is_away = True
    for _ in range(5):
        with pytest.raises(Retryable, match="away"):
            desk.publish(MISTAKE, b"")


def test_the_timeline_without_an_event_is_that_of_all_others_and_of_what_was_void_already() -> None:
    events = story("RC@1 RT@2 DS@3 RP@4")
    voided = void((events[1].source, events[1].id))
    state = replay([*events, voided])
    past = [*events, voided]

    timeline = without(past, events[3].source, events[3].id)

    assert list(timeline.counts) == [Milestone.RC, Milestone.DS]
    assert timeline.status is Milestone.DS
    entry = record(NEW, events[0])
    assert entry is not None
    assert key_digest(events[1].source, events[1].id) in state.voided
