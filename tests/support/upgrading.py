"""What an upgrade meets: every oddity of numbers and of publishers, once as the release before took it, once more after it.

`ODDITIES` came in before the update, by the rules of before: labels of two returns, connotes that come again, names that
are used twice, scans of parcels that went back, voids of all kinds, events that wait. `more` is of the same returns, while
the update is under way and behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from tests.support.journals import DELIVERED, DS, RC, RE, RP, RR, SCAN, VOID, as_bytes

Event = dict[str, Any]
HEADERS: Final = (("content-type", b"application/cloudevents+json"),)
AUCKLAND: Final = {"name": "Auckland Depot", "code": "NZAKL", "country": "NZ"}
CLOSED: Final = "com.omnirps.return.closed.v1"


def event(type_: str, id_: str, at: str, source: str = "/upgrade", **data: Any) -> Event:
    """A CloudEvent; `at` is "11-20T09:00" of 2026."""
    said = {"specversion": "1.0", "type": type_, "source": source, "id": id_, "time": f"2026-{at}:00Z"}
    return {**said, "data": data}


def made(return_id: str, at: str, number: str = "", **data: Any) -> Event:
    """The creation of a return; its label is of its own, or `number`."""
    known = {"retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": number or f"T{return_id}"}
    return event(RC, f"{return_id}-rc{data.pop('n', '')}", at, return_id=return_id, **{**known, **data})


def seen(code: str, number: str, at: str, id_: str = "", carrier: str = "generic", **data: Any) -> Event:
    """A carrier's scan."""
    return event(SCAN, id_ or f"{number}-{code}-{at}", at, carrier=carrier, tracking_number=number, code=code, **data)


def at_hub(type_: str, return_id: str, at: str, **data: Any) -> Event:
    """What a hub says of a return."""
    more = {RE: {"connote": f"C{return_id}"}, RR: {"reason": "worn"}}.get(type_, {})
    name = f"{return_id}-{type_.split('.')[-2]}-{at}"
    return event(type_, name, at, return_id=return_id, hub="akl-1", **{**more, **data})


def arrived(connote: str, at: str, **data: Any) -> Event:
    """A connote's delivery."""
    return event(DELIVERED, f"{connote}-{at}", at, connote=connote, **data)


def void(id_: str, at: str, names: str, **of: str) -> Event:
    """What says that an event was a mistake."""
    return event(VOID, id_, at, source="/upgrade", **of) | {
        "data": {**of, "source": "/upgrade", "id": names, "by": "ops", "reason": "a mistake"}
    }


def _labels() -> Iterator[Event]:
    # One box: two returns of one retailer, two days apart. Only the first one moved.
    yield from (made("U-BOX1", "11-10T09:00", "TBOX"), made("U-BOX2", "11-12T09:00", "TBOX"))
    yield from (seen("COLLECTED", "TBOX", "11-13T09:00"), seen("DELIVERED", "TBOX", "11-14T09:00"))
    # Of two retailers.
    yield from (made("U-TWO1", "11-10T09:00", "TTWO"), made("U-TWO2", "11-12T09:00", "TTWO", retailer="other"))
    yield seen("COLLECTED", "TTWO", "11-13T09:00")
    # Recycled: the first is complete, the second one was told of its scans too, or of none.
    yield from (made("U-OLD1", "02-01T09:00", "TOLD"), seen("COLLECTED", "TOLD", "02-02T09:00"))
    yield from (seen("DELIVERED", "TOLD", "02-03T09:00"), made("U-OLD2", "11-20T09:00", "TOLD"))
    yield seen("DELIVERED", "TOLD", "11-23T09:00")
    yield made("U-MILE1", "09-01T09:00", "TMILE", route="first_mile_only")
    yield from (seen("COLLECTED", "TMILE", "09-02T09:00"), seen("DELIVERED", "TMILE", "09-04T09:00"))
    yield made("U-MILE2", "11-25T09:00", "TMILE", route="first_mile_only")
    # The other return's creation comes late, and is the earlier one.
    yield from (made("U-LATE2", "11-12T09:00", "TLATE"), seen("COLLECTED", "TLATE", "11-13T09:00"))
    yield made("U-LATE1", "11-11T09:00", "TLATE")
    # Delivered in March, by the label of November.
    yield from (seen("DELIVERED", "TMARCH", "03-10T09:00"), made("U-MARCH", "11-24T09:00", "TMARCH"))
    yield from (seen("COLLECTED", "TFRI", "11-20T09:00"), seen("DELIVERED", "TFRI", "11-21T09:00"))
    yield made("U-FRI", "11-23T09:00", "TFRI")
    # Two labels, the second by another creation.
    yield from (made("U-PAIR", "11-10T09:00", "TPAIR1"), made("U-PAIR", "11-11T09:00", "TPAIR2", n=2))
    yield from (seen("COLLECTED", "TPAIR2", "11-12T09:00"), seen("DELIVERED", "TPAIR1", "11-13T09:00"))


def _connotes() -> Iterator[Event]:
    yield from (made("U-SEP", "09-10T09:00"), at_hub(RP, "U-SEP", "09-12T09:00"))
    yield from (at_hub(RE, "U-SEP", "09-15T09:00", connote="C-AGAIN"), arrived("C-AGAIN", "09-20T09:00"))
    # Exported under a number that was delivered in September: it was delivered at once.
    yield from (made("U-NOV", "11-18T09:00"), at_hub(RP, "U-NOV", "11-22T09:00"))
    yield at_hub(RE, "U-NOV", "11-23T09:00", connote="C-AGAIN")
    for return_id, late in (("U-SPR", "C-LONG"), ("U-SPR2", "C-LONG")):
        at = {"U-SPR": "02-10T09:00", "U-SPR2": "11-10T09:00"}[return_id]
        yield from (made(return_id, at), at_hub(RP, return_id, at), at_hub(RE, return_id, at, connote=late))
    yield arrived("C-LONG", "11-20T09:00")  # no more of the one of spring
    # Exported twice, the second brought it back.
    yield from (made("U-TWICE", "11-01T09:00"), at_hub(RP, "U-TWICE", "11-02T09:00"))
    yield from (at_hub(RE, "U-TWICE", "11-03T09:00", connote="C-ONE"), arrived("C-SECOND", "11-09T09:00"))
    yield at_hub(RE, "U-TWICE", "11-05T09:00", connote="C-SECOND")
    yield from (made("U-TWICE2", "11-01T09:00"), at_hub(RP, "U-TWICE2", "11-02T09:00"))
    yield from (at_hub(RE, "U-TWICE2", f"11-0{3 + n}T09:00", connote=f"C-TW{n}") for n in range(3))
    yield arrived("C-TW0", "11-08T09:00")
    yield arrived("C-NOBODY", "11-08T09:00")
    # A connote's delivery that is void for one of its two members.
    for return_id in ("U-VD1", "U-VD2"):
        yield from (made(return_id, "11-01T09:00"), at_hub(RP, return_id, "11-02T09:00"))
        yield at_hub(RE, return_id, "11-03T09:00", connote="C-VOID")
    yield from (arrived("C-VOID", "11-08T09:00"), void("vd1", "11-08T10:00", "C-VOID-11-08T09:00", return_id="U-VD1"))
    # A void of all members was a letter to the release before.
    yield void("vd-all", "11-08T10:00", "C-VOID-11-08T09:00", connote="C-VOID")


def _names() -> Iterator[Event]:
    # A scan sent again with its place, and one that says another thing under one name.
    yield from (made("U-CITY", "11-10T09:00"), seen("COLLECTED", "TU-CITY", "11-11T09:00", "city"))
    yield seen("COLLECTED", "TU-CITY", "11-11T09:00", "city", location=AUCKLAND)
    yield from (made("U-ID", "11-10T09:00"), seen("COLLECTED", "TU-ID", "11-11T09:00", "TU-ID"))
    yield seen("DELIVERED", "TU-ID", "11-12T09:00", "TU-ID")
    # Creations that contradict each other.
    yield from (made("U-CON", "11-10T09:00"), made("U-CON", "11-11T09:00", n=2, retailer="other"))
    yield from (made("U-WAY", "11-10T09:00"), made("U-WAY", "11-09T09:00", n=2, route="first_mile_only"))
    yield from (seen("COLLECTED", "TU-WAY", "11-11T09:00"), at_hub(DS, "U-WAY", "11-12T09:00"))
    # Voids: of nothing, of each other, of a name that a creation shares with a scan, of a processing, and many.
    yield from (made("U-VOID", "11-10T09:00"), void("v-case", "11-11T09:00", "U-void-RC", return_id="U-VOID"))
    yield void("v-a", "11-11T10:00", "v-b", return_id="U-VOID")
    yield void("v-b", "11-11T11:00", "v-a", return_id="U-VOID")
    yield at_hub(RP, "U-VOID", "11-12T09:00")
    yield void("v-rp", "11-12T10:00", "U-VOID-processed-11-12T09:00", return_id="U-VOID")
    yield from (made("U-SHARE", "11-10T09:00"), seen("COLLECTED", "TU-SHARE", "11-11T09:00", "U-SHARE-rc"))
    yield void("v-share", "11-12T10:00", "U-SHARE-rc", return_id="U-SHARE")
    yield made("U-MANY", "11-10T09:00")
    yield from (void(f"v-many{n}", "11-12T10:00", f"many{n}", return_id="U-MANY") for n in range(20))
    yield seen("COLLECTED", "TU-MANY", "11-11T09:00", "many3")
    yield event(CLOSED, "U-MANY-closed", "11-20T09:00", return_id="U-MANY", by="acme", reason="cancelled")


def _ways() -> Iterator[Event]:
    omni = {"carrier": "omniparcel"}
    yield made("U-BACK", "11-10T09:00", **omni)
    yield from (seen(f"OP-{code}", "TU-BACK", f"11-1{n}T09:00", **omni) for n, code in enumerate((33, 66, 72), 1))
    yield made("U-BACK2", "11-10T09:00", **omni)
    yield from (
        seen(f"OP-{code}", "TU-BACK2", f"11-1{n}T09:00", **omni) for n, code in enumerate((33, 72, 66, 33, 72), 1)
    )
    # Processed, rejected and exported: the rejection is denied, whichever came first.
    for return_id, order in (("U-RE-RR", (RE, RR)), ("U-RR-RE", (RR, RE))):
        yield from (made(return_id, "11-10T09:00"), at_hub(RP, return_id, "11-12T09:00"))
        yield from (at_hub(each, return_id, {RE: "11-12T11:00", RR: "11-12T20:00"}[each]) for each in order)
    yield from (made("U-RR", "11-10T09:00"), at_hub(RR, "U-RR", "11-12T09:00"), at_hub(RP, "U-RR", "11-12T10:00"))
    yield from (made("U-ENDS", "11-10T09:00", route="first_mile_only"), at_hub(DS, "U-ENDS", "11-12T09:00"))
    yield from (made("U-HELD", "11-10T09:00"), at_hub(RE, "U-HELD", "11-12T09:00"))
    # No table knows them, with their return and without.
    yield from (made("U-CODE", "11-10T09:00", carrier="nzpost"), made("U-ACME", "11-10T09:00", carrier="acme-post"))
    yield seen("9999", "TU-CODE", "11-11T09:00", carrier="nzpost")
    yield seen("X1", "TU-ACME", "11-11T09:00", carrier="acme-post")


def _waiting() -> Iterator[Event]:
    # Their returns are created behind the update. Of each name two that differ came in; the second was a duplicate.
    yield from (
        seen("COLLECTED", "TU-WAIT", "11-11T09:00", "wait"),
        seen("DELIVERED", "TU-WAIT", "11-12T09:00", "wait"),
    )
    yield from (at_hub(DS, "U-WAIT", "11-13T09:00"), at_hub(RP, "U-WAIT", "11-13T10:00"))
    yield from (at_hub(RE, "U-WAIT", "11-13T11:00", connote="C-WAIT"), arrived("C-WAIT", "11-19T09:00"))
    yield seen("Q", "TU-WAIT2", "11-11T09:00", carrier="acme-post")
    yield seen("COLLECTED", "TNEVER", "11-11T09:00")
    yield void("v-wait", "11-13T12:00", "U-WAIT-depot-scanned-11-13T09:00", return_id="U-WAIT")
    yield at_hub(RP, "U-NEVER", "11-13T10:00")


def oddities() -> list[Event]:
    """What came in before the update, in this order."""
    return [*_labels(), *_connotes(), *_names(), *_ways(), *_waiting()]


def more() -> list[Event]:
    """What comes in of the same returns while the update is under way and behind it, and of new ones."""
    return [
        *(seen("IN_TRANSIT", number, "11-24T09:00") for number in ("TBOX", "TTWO", "TOLD", "TLATE", "TPAIR2")),
        made("U-BOX3", "11-13T12:00", "TBOX"),
        made("U-OLD3", "11-24T09:00", "TOLD", retailer="other"),
        arrived("C-AGAIN", "11-25T09:00"),
        arrived("C-TW2", "11-25T09:00"),
        at_hub(DS, "U-TWICE", "11-25T09:00"),
        seen("DELIVERED", "TU-ID", "11-12T09:00", "TU-ID"),  # again: once a duplicate, now a fact of its own
        seen("COLLECTED", "TU-CITY", "11-11T09:00", "city"),  # again: recorded when only names were kept
        void("v-con", "11-25T09:00", "U-CON-rc2", return_id="U-CON"),
        void("vd-all2", "11-25T10:00", "C-VOID-11-08T09:00", connote="C-VOID"),
        event(CLOSED, "U-HELD-closed", "11-25T09:00", return_id="U-HELD", by="acme", reason="lost"),
        at_hub(RP, "U-HELD", "11-26T01:00"),
        made("U-WAIT", "11-10T09:00"),
        made("U-WAIT2", "11-10T09:00", carrier="acme-post"),
        seen("COLLECTED", "TU-WAIT3", "11-11T09:00", "wait3"),
        seen("DELIVERED", "TU-WAIT3", "11-12T09:00", "wait3"),
        made("U-WAIT3", "11-10T09:00"),
        seen("OP-72", "TU-BACK", "11-25T09:00", carrier="omniparcel"),
        at_hub(DS, "U-MARCH", "11-25T09:00"),
        *[*oddities()][::7],  # publishers send again
    ]


def as_messages(events: Iterable[Event], topics: Any) -> Iterator[tuple[str, bytes, bytes, Any]]:
    """As they are sent; `topics` has the names of the input topics."""
    for each in events:
        type_, data = each["type"], each["data"]
        if type_ == SCAN:
            topic, key = topics.topic_scans, f"{data['carrier']}/{data['tracking_number']}"
        elif type_ == DELIVERED:
            topic, key = topics.topic_deliveries, data["connote"]
        else:
            topic = topics.topic_returns if type_ in (RC, CLOSED) else topics.topic_hub_events
            key = data.get("return_id") or data["connote"]
        yield topic, key.encode(), as_bytes(each), HEADERS


def shown(found: Any) -> str:
    """For the message of a failed assertion."""
    return json.dumps(found, indent=1, default=str)
