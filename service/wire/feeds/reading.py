"""A feed's request to scans: pure, and bounded.

Each event becomes a CloudEvent `carrier.scanned` that ingestion judges here as it will judge it there. An event that it
would refuse is built all the same, with what could be read of it: published, it becomes a dead letter, which is seen and
kept, where an answer to a machine is neither. A body that is no feed's at all is refused whole.

The id of an event is a digest of what it says happened: carrier, number, code, time, and what the feed names besides.
So a request that comes again, or a history that is sent with each scan, repeats nothing, and a scan that comes again
with the town filled in is the same event with other words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto, unique
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from service.domain.events import Sense
from service.errors import InvalidEvent, ServiceError
from service.wire.cloudevents import STRUCTURED_HEADERS
from service.wire.feeds.definition import Columns, Feed, names_of_carriers
from service.wire.feeds.deliveries import DELIVERED, delivery_of
from service.wire.feeds.times import read_time
from service.wire.feeds.words import canonical, read_carrier, read_fact, read_location, read_text, without
from service.wire.inbound import Inbound, Parser, label
from service.wire.models import CARRIER_SCANNED
from service.wire.record import Record

MOST_EVENTS: Final = 1000  # of one request
MOST_SECONDS: Final = 3.0  # of a processor, for one request; 1,000 events take a twentieth of that
_MOST_NATIVE: Final = 32 * 1024  # bytes of an event as it came; what is longer is not kept with it
_decode: Final = msgspec.json.Decoder().decode


class Fault(NamedTuple):
    """What is wrong, and what mends it: `path` leads there, `reason` is ingestion's word."""

    path: str
    reason: str
    detail: str


class Unreadable(ServiceError):
    """The body is not one of this feed: nothing of it was used."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.path}: {fault.detail}")
        self.fault = fault


@unique
class Onto(Enum):
    """Where an event of a feed goes."""

    SCANS = auto()
    DELIVERIES = auto()
    NOWHERE = auto()  # nothing of it is recorded


class Scan(NamedTuple):
    """One event of a request as a message for Kafka. With a `fault` it is one that ingestion will keep as a dead letter.

    `meaning` is the milestone that its code asserts, "returning", "informational" or "unmapped"; None with a fault.
    """

    path: str
    key: str
    value: bytes
    meaning: str | None
    fault: Fault | None
    inbound: Inbound | None = None  # None with a fault
    onto: Onto = Onto.SCANS


@dataclass(frozen=True, slots=True)
class Source:
    """A feed: its definition, under the name that is in the address and, below `prefix`, in `source` of its events."""

    name: str
    feed: Feed
    prefix: str = ""

    def under(self, carrier: str | None, carriers: Mapping[str, Any]) -> Source:
        """The same with another carrier, or with further names of carriers."""
        names = {**self.feed.carriers, **names_of_carriers(f"{self.name}.carriers", carriers)}
        return replace(self, feed=replace(self.feed, carrier=carrier or self.feed.carrier, carriers=names))


class Reader:
    """Reads requests of feeds. `parser` is ingestion's, `topic` that of carrier scans and `deliveries` that of deliveries of
    connotes, `now` in microseconds.

    `worked` tells how long this thread has worked, in seconds: on a busy machine time passes while nothing is read.
    """

    def __init__(
        self,
        parser: Parser,
        topic: str,
        now: Callable[[], int],
        worked: Callable[[], float] = time.thread_time,
        deliveries: str = "",
    ) -> None:
        self._parser, self._now, self._worked = parser, now, worked
        self._topics = {Onto.SCANS: topic, Onto.DELIVERIES: deliveries}

    def read(self, source: Source, body: bytes) -> list[Scan]:
        """The scans in a request's body; none where it is about something else. Raises Unreadable."""
        document = _json(body)
        if not isinstance(document, dict | list):
            raise Unreadable(Fault("body", "not_json", "a JSON object or array is expected"))
        try:
            return self._read(source, document)
        except RecursionError:
            raise Unreadable(Fault("body", "too_deep", "nested too deep")) from None

    def _read(self, source: Source, document: Any) -> list[Scan]:
        feed = source.feed
        if feed.only is not None and not feed.only.of(document):
            return []
        until = self._worked() + MOST_SECONDS
        return [
            self._within(until, self._scan(source, feed.columns, path, scope))
            for path, scope in _bounded(_events(feed, document))
        ]

    def read_row(self, source: Source, row: Mapping[str, str], path: str) -> Scan:
        """The scan of one row of a file. The feed has columns."""
        columns = source.feed.csv
        if columns is None:
            raise ValueError("the feed reads no files of rows")
        return self._scan(source, columns, path, {"event": dict(row)})

    def _within(self, until: float, scan: Scan) -> Scan:
        if self._worked() > until:
            detail = f"reading it took longer than {MOST_SECONDS:.0f} s; send fewer events at a time"
            raise Unreadable(Fault("body", "too_large", detail))
        return scan

    def _scan(self, source: Source, columns: Columns, path: str, scope: Mapping[str, Any]) -> Scan:
        event = _event(source, columns, scope)
        data = event["data"]
        key = label(str(data.get("carrier")), str(data.get("tracking_number")))
        scan = self._judged(columns, path, key, event, Onto.SCANS)
        if not source.feed.of_connotes or scan.inbound is None or scan.meaning == "unmapped":
            return scan
        if scan.meaning != DELIVERED:
            return scan._replace(onto=Onto.NOWHERE)
        delivery = delivery_of(event, scan.inbound.event.at)
        return self._judged(columns, path, delivery["data"]["connote"], delivery, Onto.DELIVERIES)

    def _judged(self, columns: Columns, path: str, key: str, event: Mapping[str, Any], onto: Onto) -> Scan:
        """The event as ingestion will understand it."""
        value, topic = _encoded(event), self._topics[onto]
        try:
            at = self._now() // 1000
            inbound = self._parser.parse(Record(topic, 0, 0, at, key.encode(), value, STRUCTURED_HEADERS))
        except InvalidEvent as error:
            return Scan(path, key, value, None, _fault(path, columns, error), None, onto)
        meant = inbound.event
        meaning = meant.milestone.value if meant.milestone else "informational"
        if meant.sense is Sense.UNMAPPED:
            meaning = "unmapped"
        return Scan(path, key, value, meaning, None, inbound, onto)


def _events(feed: Feed, document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event with what it stands in, and the path to it."""
    parcels = _list(document if feed.parcels is None else feed.parcels.of(document))
    if parcels is None:
        expected = "" if feed.parcels is None else feed.parcels.text
        raise Unreadable(Fault("body", "missing_field", f"nothing stands at `{expected}`: is this the right feed?"))
    for number, parcel in enumerate(parcels):
        # A parcel without events is one to which nothing has happened yet.
        events = [parcel] if feed.events is None else _list(feed.events.of(parcel)) or []
        for position, event in enumerate(events):
            path = f"parcels[{number}]" if feed.events is None else f"parcels[{number}].events[{position}]"
            yield path, {"event": event, "parcel": parcel, "body": document}


def _list(found: object) -> list[Any] | None:
    if isinstance(found, list):
        return found
    return [found] if isinstance(found, dict) else None


def _bounded(events: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for count, event in enumerate(events):
        if count >= MOST_EVENTS:
            raise Unreadable(Fault("body", "too_large", f"more than {MOST_EVENTS} events; send fewer at a time"))
        yield event


def _event(source: Source, columns: Columns, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent, with as much as could be read."""
    feed = source.feed
    said = {member: expression.of(scope) for member, expression in columns.members.items()}
    data: dict[str, Any] = {"carrier": read_carrier(feed, scope)}
    number, code = read_fact(said["number"]), read_fact(said["code"])
    if number is not None:
        data["tracking_number"] = number
    if code is not None:
        data["code"] = code if feed.aggregator is None else f"{feed.aggregator}:{code}"
    for member in ("description", "signed_by", "carrier_code"):
        if text := read_text(said.get(member)):
            data[member] = text
    if location := read_location(said):
        data["location"] = location
    at, local = read_time(feed, read_fact(said["time"]))
    if local is not None:
        data["local_time"] = local
    # A piece's number is 1 in JSON and "1" in a file, and the same.
    found = [expression.of(scope) for expression in columns.key]
    keys = [each if (fact := read_fact(each)) is None else fact for each in found]
    identity = [data["carrier"], number, data.get("code"), at or local, *keys]
    event = {
        "specversion": "1.0",
        "id": sha256(canonical(identity)).hexdigest()[:32],
        "source": f"{source.prefix}/feeds/{source.name}",
        "type": CARRIER_SCANNED,
        **({} if at is None else {"time": at}),
        "datacontenttype": "application/json",
        "data": data,
    }
    native = canonical(without(scope["event"], feed.withheld)).decode()
    return {**event, "native": native} if len(native) <= _MOST_NATIVE else event


_MEMBERS_OF: Final = {
    "data.tracking_number": "number",
    "data.code": "code",
    "data.local_time": "time",
    "time": "time",
    "data.carrier": "carrier",
}
_REMEDIES: Final = {
    "no_zone": "name a `zone` in the carrier's table, or have the sender write offsets",
    "missing_field": "the sender left it out, or the feed's definition looks in the wrong place",
}


def _fault(path: str, columns: Columns, error: InvalidEvent) -> Fault:
    """Ingestion's words, with the place in the payload where the sender can look."""
    where, _, what = error.detail.partition(": ")
    member = _MEMBERS_OF.get(where, where)
    expression = columns.members.get(member)
    remedy = _REMEDIES.get(error.reason)
    detail = f"{what}; {remedy}" if remedy else what
    return Fault(f"{path} {member}" + (f" ({expression.text})" if expression else ""), error.reason, detail)


def _json(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError):
        raise Unreadable(Fault("body", "not_json", "JSON in UTF-8 is expected")) from None


def _encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()


def faults_of(scans: Sequence[Scan]) -> list[Fault]:
    """What is wrong with some of them."""
    return [scan.fault for scan in scans if scan.fault is not None]
