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
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from service.domain.events import Sense
from service.errors import InvalidEvent, ServiceError
from service.wire.cloudevents import STRUCTURED_HEADERS
from service.wire.feeds.definition import Columns, Feed, is_slug, names_of_carriers
from service.wire.feeds.times import read_time
from service.wire.inbound import Inbound, Parser, label
from service.wire.models import CARRIER_SCANNED
from service.wire.record import Record

MOST_EVENTS: Final = 1000  # of one request
MOST_SECONDS: Final = 3.0  # of a processor, for one request; 1,000 events take a twentieth of that
_LONGEST_TEXT: Final = 256  # of what describes an event and is no fact
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
    """Reads requests of feeds. `parser` is ingestion's, `topic` that of carrier scans, `now` in microseconds.

    `worked` tells how long this thread has worked, in seconds: on a busy machine time passes while nothing is read.
    """

    def __init__(
        self, parser: Parser, topic: str, now: Callable[[], int], worked: Callable[[], float] = time.thread_time
    ) -> None:
        self._parser, self._topic, self._now, self._worked = parser, topic, now, worked

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
        value = _encoded(event)
        key = label(str(data.get("carrier")), str(data.get("tracking_number")))
        try:
            at = self._now() // 1000
            inbound = self._parser.parse(Record(self._topic, 0, 0, at, key.encode(), value, STRUCTURED_HEADERS))
        except InvalidEvent as error:
            return Scan(path, key, value, None, _fault(path, columns, error))
        meant = inbound.event
        if meant.sense is Sense.UNMAPPED:
            return Scan(path, key, value, "unmapped", None, inbound)
        return Scan(path, key, value, meant.milestone.value if meant.milestone else "informational", None, inbound)


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
    data: dict[str, Any] = {"carrier": _carrier(feed, scope)}
    number, code = _fact(said["number"]), _fact(said["code"])
    if number is not None:
        data["tracking_number"] = number
    if code is not None:
        data["code"] = code if feed.aggregator is None else f"{feed.aggregator}:{code}"
    for member in ("description", "signed_by", "carrier_code"):
        if text := _text(said.get(member)):
            data[member] = text
    if location := _location(said):
        data["location"] = location
    at, local = read_time(feed, _fact(said["time"]))
    if local is not None:
        data["local_time"] = local
    # A piece's number is 1 in JSON and "1" in a file, and the same.
    found = [expression.of(scope) for expression in columns.key]
    keys = [each if (fact := _fact(each)) is None else fact for each in found]
    identity = [data["carrier"], number, data.get("code"), at or local, *keys]
    event = {
        "specversion": "1.0",
        "id": sha256(_canonical(identity)).hexdigest()[:32],
        "source": f"{source.prefix}/feeds/{source.name}",
        "type": CARRIER_SCANNED,
        **({} if at is None else {"time": at}),
        "datacontenttype": "application/json",
        "data": data,
    }
    native = _canonical(_without(scope["event"], feed.withheld)).decode()
    return {**event, "native": native} if len(native) <= _MOST_NATIVE else event


def _carrier(feed: Feed, scope: Mapping[str, Any]) -> str | None:
    if feed.carrier is not None or feed.carrier_of is None:
        return feed.carrier
    name = _text(feed.carrier_of.of(scope)).lower()
    ours = feed.carriers.get(name)
    if ours is not None:
        return ours
    slug = "-".join(name.split())
    return slug if is_slug(slug) else None


def _fact(found: object) -> str | None:
    """A member that makes the fact: a text without the space around it, or a whole number as digits."""
    if isinstance(found, str):
        return found.strip() or None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def _text(found: object) -> str:
    """A member that describes: what is not one is left out, and what is too long is cut."""
    if isinstance(found, list):
        return ", ".join(text for text in map(_text, found) if text)[:_LONGEST_TEXT]
    return (_fact(found) or "")[:_LONGEST_TEXT]


def _location(said: Mapping[str, Any]) -> dict[str, str]:
    country = _text(said.get("country")).upper()
    country = {"UK": "GB"}.get(country, country)
    location = {"name": _text(said.get("place")), "code": _text(said.get("place_code"))[:64]}
    if len(country) == 2 and country.isascii() and country.isalpha():
        location["country"] = country
    return {member: text for member, text in location.items() if text}


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


def _without(value: Any, members: frozenset[str]) -> Any:
    if not members:
        return value
    if isinstance(value, dict):
        return {name: _without(each, members) for name, each in value.items() if name not in members}
    return [_without(each, members) for each in value] if isinstance(value, list) else value


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()


def faults_of(scans: Sequence[Scan]) -> list[Fault]:
    """What is wrong with some of them."""
    return [scan.fault for scan in scans if scan.fault is not None]
