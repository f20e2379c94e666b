"""A feed's request is taken in once it is known whose it is, and a file is counted line by line."""

from __future__ import annotations

import pytest

from service.application.commands.feeding import Feeding, NoSuchFeed, NotAuthentic
from service.application.commands.importing import MOST_FAULTS, Tally
from service.application.commands.speaking import Speaking
from service.domain.journey import State
from service.errors import Retryable
from service.wire.feeds.files import Line
from service.wire.feeds.reading import Fault, Scan, Unreadable
from tests.support.feeds import body, opened, reader, request

FEED = "ups"


class Kafka:
    """What was published, a list a request."""

    def __init__(self) -> None:
        self.published: list[list[Scan]] = []
        self.is_away = False

    def publish(self, scans: object) -> None:
        if self.is_away:
            raise Retryable("away", cause="kafka")
        assert isinstance(scans, list)
        self.published.append(scans)


class Nothing:
    """No return is known."""

    def states(self, *_: object) -> list[tuple[str, State]]:
        return []


def feeding(kafka: Kafka) -> Feeding:
    return Feeding({FEED: opened(FEED)}, {}, reader(), kafka.publish, Speaking(Nothing()))


def test_the_scans_of_a_request_are_published_and_told() -> None:
    kafka = Kafka()

    scans = feeding(kafka).take(FEED, request(FEED, body(FEED)))

    assert [scan.meaning for scan in scans] == ["RDTPF"]
    assert kafka.published == [scans]


def test_a_request_of_nobody_or_for_nobody_reaches_no_reader() -> None:
    kafka = Kafka()

    with pytest.raises(NoSuchFeed):
        feeding(kafka).take("omniparcel", request(FEED, body(FEED)))
    with pytest.raises(NotAuthentic, match=r"^expected: .* in the header `\w+`$"):
        feeding(kafka).take(FEED, request(FEED, b"nonsense", "user:another-secret"))
    assert kafka.published == []


def test_what_cannot_be_read_is_not_published_and_kafka_that_is_away_is_told() -> None:
    kafka = Kafka()

    with pytest.raises(Unreadable):
        feeding(kafka).take(FEED, request(FEED, b"nonsense"))
    kafka.is_away = True
    with pytest.raises(Retryable):
        feeding(kafka).take(FEED, request(FEED, body(FEED)))


def test_a_request_about_something_else_publishes_nothing() -> None:
    kafka = Kafka()

    assert feeding(kafka).take(FEED, request(FEED, b"[]")) == []
    assert kafka.published == []


GOOD, UNMAPPED = (Scan("p", "k", b"", meaning, None) for meaning in ("RT", "unmapped"))
FAULT = Fault("line 3", "not_json", "JSON is expected")
WRONG = Scan("p", "k", b"", None, Fault("p time", "bad_time", "no such date"))


def test_the_lines_of_a_file_are_counted_by_what_they_came_to() -> None:
    tally = Tally(size=100)

    tally.count(Line(2, [GOOD, UNMAPPED, WRONG], None, 40))
    tally.count(Line(3, [], FAULT, 60))
    tally.count(Line(4, [GOOD], FAULT, 90))

    assert (tally.size, tally.read, tally.lines, tally.stopped_at) == (100, 90, 3, None)
    assert (tally.scans, tally.unmapped, tally.wrong) == (3, 1, 3)
    assert tally.faults == [(2, WRONG.fault), (3, FAULT), (4, FAULT)]


def test_so_many_faults_are_told_one_by_one_and_the_rest_is_counted() -> None:
    tally = Tally(size=0)

    for number in range(MOST_FAULTS - 1):
        tally.count(Line(number, [], FAULT, 0))
    tally.count(Line(900, [WRONG, WRONG, WRONG], FAULT, 0))
    tally.count(Line(901, [], FAULT, 0))

    assert (tally.wrong, len(tally.faults)) == (MOST_FAULTS + 4, MOST_FAULTS)
    assert tally.faults[-1] == (900, WRONG.fault)
