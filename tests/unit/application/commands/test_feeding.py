"""A feed's request is taken in once it is known whose it is, and a file is counted line by line."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.callers import Caller, Who
from service.application.commands.feeding import Feeding, NoSuchFeed, NotAuthentic, OutOfBounds
from service.application.commands.importing import MOST_FAULTS, Tally
from service.application.commands.speaking import Speaking
from service.domain.journey import State
from service.domain.labels import Windows
from service.errors import Retryable
from service.wire.feeds.files import Line
from service.wire.feeds.reading import Fault, Onto, Scan, Unreadable
from service.wire.feeds.signatures import Request
from tests.support.feeds import body, opened, reader, request, shipped
from tests.unit.application.access.test_bounds import bounds

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

    def windows(self, return_ids: Sequence[str]) -> dict[str, Windows]:
        raise NotImplementedError("no label is claimed by several returns")

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


def caller(bound: Bounds = UNBOUND) -> Caller:
    return Caller(Who(1, "hub"), "north", frozenset(), bound)


def with_token(kafka: Kafka) -> Feeding:
    """Feeds of which one is open to signatures, and others are defined."""
    return Feeding({FEED: opened(FEED)}, shipped(), reader(), kafka.publish, Speaking(Nothing()))


def test_with_a_token_a_feed_need_not_be_open_and_is_said_in_its_publisher_s_name() -> None:
    kafka = Kafka()

    for feed in (FEED, "fedex"):
        scans = with_token(kafka).take_from(caller(), feed, request(feed, body(feed)))

        assert kafka.published.pop() == scans
        assert {json.loads(scan.value)["source"] for scan in scans} == {f"/north/feeds/{feed}"}
    with pytest.raises(NoSuchFeed):
        with_token(kafka).take_from(caller(), "nobody", request(FEED, body(FEED)))


def test_a_token_that_is_bound_to_the_feed_s_carrier_may_say_what_it_says_and_one_of_another_may_not() -> None:
    kafka = Kafka()

    scans = with_token(kafka).take_from(caller(bounds(carriers="ups")), FEED, request(FEED, body(FEED)))
    assert kafka.published == [scans]

    with pytest.raises(OutOfBounds) as refused:
        with_token(kafka).take_from(caller(bounds(carriers="nzpost gls")), FEED, request(FEED, b"nonsense"))
    assert refused.value.faults == (("feed", "it is of ups, and the token is bound to gls, nzpost"),)
    assert kafka.published == [scans]


def test_of_what_several_carriers_said_a_token_that_is_bound_to_one_may_say_nothing_of_another() -> None:
    kafka, feed = Kafka(), "aftership"

    with pytest.raises(OutOfBounds) as refused:
        with_token(kafka).take_from(caller(bounds(carriers="nzpost")), feed, request(feed, body(feed)))

    assert kafka.published == []
    assert {detail for _, detail in refused.value.faults} == {"the token is bound to nzpost"}
    paths = [path for path, _ in refused.value.faults]
    assert paths
    assert all(path.endswith(" data.carrier") for path in paths)


@pytest.mark.parametrize(
    ("bound", "may"),
    ((UNBOUND, True), (bounds(carriers="ups"), True), (bounds("acme", "ups"), False), (bounds(hubs="akl1"), False)),
)
def test_what_is_no_event_may_be_said_of_the_carrier_that_it_names_and_of_no_retailer(bound: Bounds, may: bool) -> None:
    kafka, wrong = Kafka(), json.loads(body(FEED)) | {"gmtActivityDate": "no date", "localActivityDate": "no date"}

    if may:
        (scan,) = with_token(kafka).take_from(caller(bound), FEED, request(FEED, json.dumps(wrong).encode()))
        assert scan.fault is not None
        return
    with pytest.raises(OutOfBounds) as refused:
        with_token(kafka).take_from(caller(bound), FEED, request(FEED, json.dumps(wrong).encode()))
    ((_, detail),) = refused.value.faults
    assert detail == "it is no event, so it is not known to be within what the token is bound to"


def test_what_is_no_event_names_its_carrier_whatever_its_number_is() -> None:
    kafka, wrong = Kafka(), json.loads(body(FEED)) | {"trackingNumber": "1Z/9"}

    (scan,) = with_token(kafka).take_from(
        caller(bounds(carriers="ups")), FEED, request(FEED, json.dumps(wrong).encode())
    )

    assert (scan.key, scan.inbound, kafka.published) == ("ups/1Z/9", None, [[scan]])


def test_a_feed_is_open_to_signatures_where_there_is_a_secret_for_it() -> None:
    feeding = with_token(Kafka())

    assert feeding.is_open(FEED)
    assert not feeding.is_open("fedex")
    assert feeding.may_be_signed(FEED, request(FEED, b""))
    assert not feeding.may_be_signed(FEED, request(FEED, b"", "another"))


def test_whether_the_body_is_signed_is_only_told_with_the_body() -> None:
    feed = "easypost"
    feeding = Feeding({feed: opened(feed)}, {}, reader(), Kafka().publish, Speaking(Nothing()))

    assert feeding.may_be_signed(feed, request(feed, b"", "another"))
    assert not feeding.may_be_signed(feed, Request({}, b"", None, 0.0))


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


def test_what_is_of_a_connote_and_no_delivery_is_counted_apart() -> None:
    tally, nowhere = Tally(size=100), GOOD._replace(onto=Onto.NOWHERE)

    tally.count(Line(1, [GOOD, nowhere, nowhere], None, 40))
    tally.count(Line(2, [nowhere, GOOD._replace(onto=Onto.DELIVERIES)], None, 60))

    assert tally == Tally(size=100, read=60, lines=2, scans=2, ignored=3)


def test_so_many_faults_are_told_one_by_one_and_the_rest_is_counted() -> None:
    tally = Tally(size=0)

    for number in range(MOST_FAULTS - 1):
        tally.count(Line(number, [], FAULT, 0))
    tally.count(Line(900, [WRONG, WRONG, WRONG], FAULT, 0))
    tally.count(Line(901, [], FAULT, 0))

    assert (tally.wrong, len(tally.faults)) == (MOST_FAULTS + 4, MOST_FAULTS)
    assert tally.faults[-1] == (900, WRONG.fault)
