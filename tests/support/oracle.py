"""The rules of a return's timeline once more, from their words, in the plainest Python: what tests compare with.

It looks at a whole set of events at once, in no order, remembers nothing, and shares only the event's data type with
the domain. Codes, verdicts, reasons and kinds are written out as strings, on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import NamedTuple

from service.domain.events import Event
from service.domain.labels import bound_of

Label = tuple[str, str]

RISING = ("RC", "RT", "RDTPF", "DS", "RP", "RE", "RDBTC")
DAY = 24 * 3600 * 1_000_000  # microseconds
CONNOTE_DAYS = 120
REUSE_DAYS = 30
# What describes, of the members of an event's data, and is no fact.
DESCRIBES = frozenset(
    {
        *("description", "destination_country", "items", "location", "mawb", "note"),
        *("omnirps_tracking_number", "order_number", "origin_country", "signed_by"),
    }
)


class Truth(NamedTuple):
    """What is true of a return, given all its events. Without an RC nothing counts and there is no status."""

    counts: dict[str, Event]  # by milestone: the event it was first seen by
    status: str | None
    complete: bool
    connote: str | None
    not_counting: dict[str, tuple[str, str]]  # by milestone that is asserted and does not count: verdict and reason
    closed: tuple[int, str] | None = None  # when, and why
    labels: tuple[Label, ...] = ()  # beside that of the earliest creation


class Claim(NamedTuple):
    """A return's claim on a label."""

    at: int
    return_no: int
    retailer: str
    closed_at: int | None = None


def begins_anew(claim: Claim, later: Claim) -> bool:
    """Whether a later claim is the end of an earlier one."""
    if later == claim or (later.at, later.return_no) < (claim.at, claim.return_no):
        return False
    after_close = claim.closed_at is not None and later.at > claim.closed_at
    return later.at > claim.at + REUSE_DAYS * DAY or after_close


def is_in_window(at: int, claim: Claim, claims: Collection[Claim]) -> bool:
    """Whether a time is from a day before the claim until a day before the first that begins the label anew."""
    return at >= claim.at - DAY and all(at < each.at - DAY for each in claims if begins_anew(claim, each))


def overlaps(claim: Claim, claims: Collection[Claim]) -> bool:
    """Whether another return's window has a time in common: if so, the beginning of one of them is such a time."""
    return any(
        is_in_window(each.at - DAY, claim, claims) and is_in_window(each.at - DAY, other, claims)
        for other in claims
        if other != claim
        for each in (claim, other)
    )


def concerns(at: int, claims: Collection[Claim], retailers: Collection[str] = ()) -> tuple[set[int], bool]:
    """The returns that a scan of a label concerns, and whether it is from before the label was theirs.

    With `retailers` its publisher is bound to these: it counts for claims of theirs only.
    """
    claims = [claim for claim in claims if not retailers or claim.retailer in retailers]
    if not claims:
        return set(), False
    within = sorted((each.at, each.return_no, each) for each in claims if is_in_window(at, each, claims))
    if not within:
        return {min(each[:2] for each in claims)[1]}, True
    retailer = within[0][2].retailer
    return {each.return_no for _, _, each in within if each.retailer == retailer}, False


def claim_of(label: Label, events: Collection[Event]) -> Event | None:
    """The earliest creation that names the label, of those that stand."""
    return earliest(event for event in created(events) if label_of(event) == label)


def created(events: Collection[Event]) -> list[Event]:
    """The creations that stand."""
    return [event for event in events if event.milestone == "RC" and not is_voided(event, events)]


def label_of(creation: Event) -> Label:
    """What a creation names."""
    assert creation.attributes is not None
    return (creation.attributes.carrier, creation.attributes.tracking_number)


def place_of(scan: Event, events: Collection[Event]) -> str:
    """Whether the scan is `in` the return's window of its label, `before` it, or `out` of it.

    What others' claims make of it is what the last word on it in the history says.
    """
    if scan.label is None or scan.window is not None:
        return "in"
    told = [event for event in events if event.window is not None and event.label == scan.label]
    said = [event.window for event in told if event.window is not None and event.bound == bound_of(scan.retailers)]
    claim = claim_of(scan.label, events)
    if claim is None:  # nobody who stands by it names it
        return "out"
    assert claim.attributes is not None
    if scan.retailers and claim.attributes.retailer not in scan.retailers:  # its publisher speaks for others
        return "out"
    if scan.at < claim.at - DAY:
        if said and not said[-1].is_first:
            return "out"
        return "in" if scan.sense == "unmapped" else "before"
    if said and (scan.at >= said[-1].end or any(since <= scan.at < until for since, until in said[-1].gaps)):
        return "out"
    return "in"


def void_targets(events: Iterable[Event]) -> set[tuple[str, str]]:
    """The source and id of every event that was declared a mistake."""
    return {event.voids for event in events if event.voids is not None}


def is_voided(event: Event, events: Collection[Event]) -> bool:
    """Whether the event is out of the set. A void cannot be voided, a creation only where another one contradicts it."""
    if event.sense == "voids" or (event.source, event.id) not in void_targets(events):
        return False
    if event.milestone != "RC":
        return True
    creations = [each for each in events if each.milestone == "RC"]
    left = [each for each in creations if (each.source, each.id) not in void_targets(events)]
    return contradict(creations) and bool(left)


def contradict(creations: Iterable[Event]) -> bool:
    """Whether they differ in retailer or route."""
    return len({(each.attributes.retailer, each.attributes.route) for each in creations if each.attributes}) > 1


def valid(events: Collection[Event]) -> list[Event]:
    """The events that assert a milestone, were no mistake, and are the return's."""
    return [
        event
        for event in events
        if event.sense == "asserts" and not is_voided(event, events) and place_of(event, events) == "in"
    ]


def earliest(events: Iterable[Event]) -> Event | None:
    """The one with the smallest time; then the smallest source; then the smallest id; then what `order` says."""
    return min(events, key=order, default=None)


def named_by(delivery: Event, events: Collection[Event]) -> list[Event]:
    """The exports that name the delivery's connote."""
    return [event for event in valid(events) if event.milestone == "RE" and event.connote == delivery.connote]


def is_within(delivery: Event, events: Collection[Event]) -> bool:
    """Whether it is from 24 h before an export that names its connote until 120 days after it."""
    return any(-DAY <= delivery.at - each.at <= CONNOTE_DAYS * DAY for each in named_by(delivery, events))


def is_before_export(delivery: Event, events: Collection[Event]) -> bool:
    """Whether it is earlier than that, and not within."""
    return not is_within(delivery, events) and any(delivery.at < each.at - DAY for each in named_by(delivery, events))


def is_another_consignments(delivery: Event, events: Collection[Event]) -> bool:
    """Whether it is later than all of them: then it does not concern the return."""
    named = named_by(delivery, events)
    return bool(named) and all(delivery.at > each.at + CONNOTE_DAYS * DAY for each in named)


def is_returned_to_sender(scan: Event, events: Collection[Event]) -> bool:
    """Whether the last scan before it that tells the direction says that the parcel is on its way back."""
    telling = [
        event
        for event in events
        if event.effect in ("collected", "returning")
        and not is_voided(event, events)
        and place_of(event, events) == "in"
        and order(event) < order(scan)
    ]
    return bool(telling) and max(telling, key=order).effect == "returning"


def order(event: Event) -> tuple[object, ...]:
    """The order of events: by time, source, id, the one first that says more of its place, then by what it says."""
    place = len(event.location) if event.location else 0
    return (event.at, event.source, event.id, -place, event.words.type, event.words.data)


def truth(events: Collection[Event]) -> Truth:
    """Which milestones count, what follows, and what stands beside them."""
    found = milestones(events)
    if found.status is None:
        return found
    closing = last_closing(events)
    closed = None
    if closing is not None and closing.sense == "closes" and not went_on(closing, found):
        closed = (closing.at, closing.because or "")
    first = found.counts["RC"]
    named = {label_of(event) for event in created(events)} - {label_of(first)}

    def claimed(label: Label) -> tuple[tuple[object, ...], Label]:
        claim = claim_of(label, events)
        assert claim is not None
        return order(claim), label

    return found._replace(closed=closed, labels=tuple(sorted(named, key=claimed)))


def last_closing(events: Collection[Event]) -> Event | None:
    """The last word on the return's end."""
    said = [event for event in events if event.sense in ("closes", "reopens") and not is_voided(event, events)]
    return max(said, key=order, default=None)


def went_on(closing: Event, found: Truth) -> bool:
    """Whether something that counts is later."""
    return any(event.at > closing.at for event in found.counts.values())


def milestones(events: Collection[Event]) -> Truth:  # noqa: PLR0912 -- the rules in the order they are told
    """Which milestones count."""
    asserted: dict[str, Event] = {}
    for code in (*RISING[:-1], "RR"):
        first = earliest(
            event
            for event in valid(events)
            if event.milestone == code and not (code == "RDTPF" and is_returned_to_sender(event, events))
        )
        if first is not None:
            asserted[code] = first
    delivered = earliest(event for event in valid(events) if event.milestone == "RDBTC" and is_within(event, events))
    exports = [event for event in valid(events) if event.milestone == "RE"]
    connote = max(exports, key=order).connote if exports else None
    if delivered is not None:
        asserted["RDBTC"] = delivered
        connote = delivered.connote

    # 1. Without RC the return is unknown.
    if "RC" not in asserted:
        return Truth({}, None, complete=False, connote=None, not_counting={})
    created = asserted["RC"]
    assert created.attributes is not None

    # 2. The first mile only.
    if created.attributes.route == "first_mile_only":
        counts = {code: event for code, event in asserted.items() if code in ("RC", "RT", "RDTPF")}
        refused = {code: ("refused", "route_ends_at_first_mile") for code in asserted if code not in counts}
        return Truth(counts, highest(counts), "RDTPF" in counts, connote, refused)

    # 3. Through a hub.
    counts = {code: event for code, event in asserted.items() if code in ("RC", "RT", "RDTPF", "DS", "RP")}
    not_counting: dict[str, tuple[str, str]] = {}
    if "RE" in asserted:
        if "RP" in asserted:
            counts["RE"] = asserted["RE"]
        else:
            not_counting["RE"] = ("held", "awaiting_processed")
    if "RDBTC" in asserted:
        if "RE" in counts:
            counts["RDBTC"] = asserted["RDBTC"]
        else:
            not_counting["RDBTC"] = ("held", "awaiting_exported")
    if "RR" in asserted:
        rejected = asserted["RR"]
        if "RE" in counts and counts["RE"].at <= rejected.at:
            not_counting["RR"] = ("refused", "already_exported")
        else:
            counts["RR"] = rejected
            for code in ("RE", "RDBTC"):
                if code in asserted:
                    counts.pop(code, None)
                    not_counting[code] = ("refused", "already_rejected")
            if "RP" in counts and counts["RP"].at > rejected.at:
                del counts["RP"]
                not_counting["RP"] = ("refused", "already_rejected")
    status = "RR" if "RR" in counts else highest(counts)
    return Truth(counts, status, "RDBTC" in counts or "RR" in counts, connote, not_counting)


def highest(counts: Collection[str]) -> str:
    """The code of the highest rank."""
    return [code for code in RISING if code in counts][-1]


def move(before: Truth, after: Truth) -> list[tuple[str, str]]:
    """The (kind, milestone) of each change between two truths, in the order they are told."""
    order = (*RISING, "RR")
    told = [("revoked", code) for code in reversed(order) if code in before.counts and code not in after.counts]
    standing = [code for code in order if code in before.counts and code in after.counts]
    status = told_status(standing)
    for code in order:
        if code in before.counts and code in after.counts:
            if shown(before.counts[code]) != shown(after.counts[code]):
                told.append(("retimed", code))
        elif code in after.counts:
            standing.append(code)
            moved = told_status(standing) != status
            status = told_status(standing)
            told.append(("reached" if moved else "backfilled", code))
    if before.closed != after.closed:
        return [*told, ("reopened" if after.closed is None else "closed", after.status or "")]
    if told or "RC" not in after.counts:
        return told
    is_known_otherwise = before.counts["RC"].attributes != after.counts["RC"].attributes
    is_exported_otherwise = "RE" in after.counts and before.connote != after.connote
    if is_known_otherwise or is_exported_otherwise or before.labels != after.labels:
        return [("detailed", after.status or "")]
    return []


def shown(event: Event) -> tuple[object, ...]:
    """What subscribers see of an event."""
    return (event.at, event.source, event.id, event.location)


def told_status(counting: Collection[str]) -> str | None:
    """The status of exactly these milestones."""
    if not counting:
        return None
    return "RR" if "RR" in counting else highest(counting)


def called(name: tuple[str, str], events: Collection[Event]) -> list[Event]:
    """The return's events of this name; none that is another return's, by the window of its label."""
    return [each for each in events if (each.source, each.id) == name and place_of(each, events) != "out"]


def verdict(event: Event, before: Collection[Event], after: Collection[Event]) -> tuple[str, str | None]:
    """The verdict and the reason for `event`, the last of `after`, of a return whose creation is known by then."""
    if event.voids is not None:
        known = called(event.voids, after)
        if known and not any(is_voided(other, after) for other in known):
            return ("refused", "not_voidable")
        return ("informational", None)
    if is_voided(event, after):
        return ("refused", "voided")
    if event.window is not None:
        return ("informational", "label_claimed")
    if event.sense == "unmapped":
        return ("unmapped", event.unmapped_because)
    if place_of(event, after) == "before":
        return ("refused", "before_label")
    if event.sense in ("informs", "closes", "reopens") or place_of(event, after) == "out":
        return ("informational", None)
    assert event.milestone is not None
    then, now = truth(before), truth(after)
    assert now.status is not None
    if event.milestone == "RDTPF" and is_returned_to_sender(event, after):
        return ("refused", "returned_to_sender")
    if event.milestone == "RDBTC" and not is_within(event, after):
        if is_another_consignments(event, after):
            return ("informational", None)
        reason = reason_against_a_delivery(event, now, after)
        return ("held" if reason == "awaiting_exported" else "refused", reason)
    if event.milestone in now.not_counting:
        return now.not_counting[event.milestone]
    if now.status != then.status:
        return ("advanced", None)
    if event.milestone in then.counts:
        return ("repeated", None)
    return ("backfilled", None)


def reason_against_a_delivery(event: Event, now: Truth, after: Collection[Event]) -> str:
    """Why a delivery outside of every window does not count: of several reasons the first of their list."""
    if ends_at_first_mile(after):
        return "route_ends_at_first_mile"
    if "RR" in now.counts:
        return "already_rejected"
    return "before_export" if is_before_export(event, after) else "awaiting_exported"


def ends_at_first_mile(events: Collection[Event]) -> bool:
    """Whether its route ends there."""
    created = earliest(event for event in valid(events) if event.milestone == "RC")
    assert created is not None
    assert created.attributes is not None
    return created.attributes.route == "first_mile_only"


def exceptions(events: Collection[Event]) -> set[str]:
    """The reasons for which the return is to be looked at; of a scan that is understood by now, as it is now."""
    now = truth(events)
    if now.status is None:
        return set()
    found = set[str]()
    for event in events:
        if is_voided(event, events) or event.window is not None or place_of(event, events) == "out":
            continue
        reason = verdict(event, [each for each in events if each is not event], events)[1]
        if reason is not None:
            found.add(reason)
    found |= of_names(events)
    connotes = {event.connote for event in valid(events) if event.milestone == "RE"}
    if "RE" in now.counts and len(connotes) > 1:
        found.add("other_connote")
    if "RDTPF" in now.counts:
        moving = [
            event
            for event in events
            if (event.milestone == "RT" or event.effect == "returning")
            and not is_voided(event, events)
            and place_of(event, events) == "in"
        ]
        if any(event.at > now.counts["RDTPF"].at for event in moving):
            found.add("returning_after_delivered")
    said = {event.label: event for event in events if event.window is not None and not event.bound}
    claimed = {label_of(event) for event in created(events)}
    if any(event.window and event.window.is_shared for label, event in said.items() if label in claimed):
        found.add("tracking_number_in_use")
    closing = last_closing(events)
    if closing is not None and closing.sense == "closes" and went_on(closing, now):
        found.add("events_after_closed")
    return found


def of_names(events: Collection[Event]) -> set[str]:
    """What is to be seen of names, creations, clocks, and of voids an hour after they came."""
    found, facts = set[str](), dict[tuple[str, str], set[str]]()
    # What the service says of a window has no name of its own: the last one is believed.
    named = [event for event in events if event.window is None]
    standing = [event for event in named if not is_voided(event, events) and place_of(event, events) != "out"]
    for event in standing:
        facts.setdefault((event.source, event.id), set()).add(fact(event))
        if event.is_ahead:
            found.add("clock_ahead")
    unheard = (called(event.unheard, events) for event in events if event.unheard)
    if any(all(each.window is not None for each in found_of_name) for found_of_name in unheard):
        found.add("void_without_event")
    if any(len(told) > 1 for told in facts.values()):
        found.add("id_reused")
    if contradict(event for event in standing if event.milestone == "RC"):
        found.add("creation_conflict")
    return found


def fact(event: Event) -> str:
    """What an event says without what describes it."""
    data = json.loads(event.words.data or "{}")
    return json.dumps([event.words.type, event.at, {name: data[name] for name in sorted(data.keys() - DESCRIBES)}])
