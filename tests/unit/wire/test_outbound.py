"""What goes out: fields by the contract's names, held to the models that the schemas are made of."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic_core import from_json

from service.domain.events import Attributes, Event, Sense
from service.domain.journey import NEW, Entry, record
from service.domain.milestones import NAMES, Milestone, Reason, Route
from service.domain.whole import Whole
from service.wire import models, published
from service.wire.explanations import EXPLANATIONS, WAITS_FOR_CREATION, WAITS_FOR_EXPORT, Explanation
from service.wire.outbound import (
    Message,
    current_status,
    dead_letter,
    exceptions,
    open_again,
    over,
    status_changed,
    waiting,
)
from service.wire.record import Record
from service.wire.rows.logged import LogRow
from service.wire.rows.waits import WaitMove
from service.wire.stored import encode_moves

RETURN = "TK100342334NZ"
RECORDED = datetime(2026, 11, 23, 13, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
T0 = 1_795_435_200_000_000  # 2026-11-23T12:00:00Z
HOUR = 3_600_000_000


EXCEPTIONAL = LogRow(
    n=1,
    return_no=1,
    seq=1,
    return_id=RETURN,
    recorded_at=RECORDED,
    source="/tests",
    id="1",
    type=models.RETURN_CREATED,
    occurred_at=RECORDED,
    milestone="RC",
    code=None,
    verdict="advanced",
    reason=None,
    changes=None,
    version=1,
    state={},
    data=None,
    topic="omnirps.hub-events",
    partition=3,
    offset=42,
)


def asserting(milestone: Milestone, hours: int, **more: Any) -> Event:
    return Event("/tests", f"{milestone}-{hours}", T0 + hours * HOUR, Sense.ASSERTS, milestone, **more)


def created(route: Route = Route.OMNIRPS) -> Event:
    attributes = Attributes("acme", route, "omniparcel", "OP123456789NZ", "201905270449")
    return asserting(Milestone.RC, 0, attributes=attributes)


def entries(*events: Event) -> list[Entry]:
    state, made = NEW, list[Entry]()
    for event in events:
        entry = record(state, event, Whole([*(e.event for e in made), event]))
        assert entry is not None
        state = entry.state
        made.append(entry)
    return made


def checked(message: Message) -> dict[str, Any]:
    """The message's CloudEvent, once it has passed its model and nothing is in it that the model does not name."""
    assert message.headers == (("content-type", b"application/cloudevents+json"),)
    event: dict[str, Any] = json.loads(message.value or b"")
    model = published.MODELS[event["type"]]
    TypeAdapter(model).validate_python(event)
    schema = TypeAdapter(model).json_schema()
    name = schema["properties"]["data"]["$ref"].rpartition("/")[2]
    names = set(schema["$defs"][name]["properties"])
    assert set(event["data"]) == names - {"since"}, "which is of what is parked"
    return event


def test_a_status_change_says_what_moved_and_what_the_status_is_then() -> None:
    location = {"name": "Auckland", "code": "AKL", "country": "NZ"}
    last = entries(created(), asserting(Milestone.RT, 1, location=location))[-1]

    message = status_changed(RETURN, last.state, last.changes[0], RECORDED, "https://returns.example/")

    assert message.key == RETURN.encode()
    assert checked(message) == {
        "specversion": "1.0",
        "id": f"{RETURN}/2",
        "source": "/returns-status",
        "type": "com.omnirps.return.status-changed.v1",
        "subject": RETURN,
        "time": "2026-11-23T12:00:00.250000Z",
        "datacontenttype": "application/json",
        "data": {
            "return_id": RETURN,
            "version": 2,
            "kind": "reached",
            "milestone": "RT",
            "occurred_at": "2026-11-23T13:00:00Z",
            "status": "RT",
            "status_name": "Return In Transit",
            "previous_status": "RC",
            "complete": False,
            "route": "omnirps",
            "retailer": "acme",
            "order_number": "201905270449",
            "carrier": "omniparcel",
            "tracking_number": "OP123456789NZ",
            "tracking_url": f"https://returns.example/track/{RETURN}",
            "labels": [{"carrier": "omniparcel", "tracking_number": "OP123456789NZ"}],
            "connote": None,
            "closed": None,
            "location": location,
            "cause": {"source": "/tests", "id": "RT-1"},
            "recorded_at": "2026-11-23T12:00:00.250000Z",
        },
    }


@pytest.mark.parametrize(
    ("said", "told"),
    (
        ({"name": "Doe Cottage", "country": "NZ"}, {"country": "NZ"}),
        ({"name": "Doe Cottage"}, None),
        ({"name": "Doe Cottage", "code": " "}, {"code": " "}),
        ({"name": "Auckland", "code": "AKL"}, {"name": "Auckland", "code": "AKL"}),
        ({"country": "NZ"}, {"country": "NZ"}),
    ),
)
def test_a_place_is_named_to_subscribers_only_where_it_is_a_facility(
    said: dict[str, str], told: dict[str, str] | None
) -> None:
    last = entries(created(), asserting(Milestone.RT, 1, location=said))[-1]

    assert checked(status_changed(RETURN, last.state, last.changes[0], RECORDED))["data"]["location"] == told
    timeline = checked(current_status(RETURN, last.state, RECORDED))["data"]["timeline"]
    assert [step["location"] for step in timeline if step["code"] == "RT"] == [told]


def test_the_first_change_has_no_previous_status() -> None:
    entry = entries(created())[0]

    data = checked(status_changed(RETURN, entry.state, entry.changes[0], RECORDED))["data"]

    assert (data["version"], data["previous_status"], data["status"]) == (1, None, "RC")


def test_a_revocation_says_who_revoked_it_and_the_connote_stays() -> None:
    rp, re = asserting(Milestone.RP, 1), asserting(Milestone.RE, 5, connote="CN-1")
    last = entries(created(), rp, re, asserting(Milestone.RR, 3))[-1]

    changes = [checked(status_changed(RETURN, last.state, change, RECORDED))["data"] for change in last.changes]

    assert [(c["kind"], c["milestone"], c["status"]) for c in changes] == [
        ("revoked", "RE", "RP"),
        ("reached", "RR", "RR"),
    ]
    assert changes[0]["cause"] == {"source": "/tests", "id": "RR-3"}
    assert {c["connote"] for c in changes} == {"CN-1"}


def test_nothing_changes_of_a_return_without_its_creation() -> None:
    entry = entries(created())[0]

    with pytest.raises(ValueError, match="without its creation"):
        status_changed(RETURN, NEW, entry.changes[0], RECORDED)


def test_the_current_status_is_the_document_with_the_seven_milestones() -> None:
    last = entries(created(), asserting(Milestone.RP, 4, location={"code": "AKL"}))[-1]

    message = current_status(RETURN, last.state, RECORDED)

    event = checked(message)
    assert message.key == RETURN.encode()
    assert (event["id"], event["subject"]) == (f"{RETURN}/current/2", RETURN)
    timeline = event["data"].pop("timeline")
    assert event["data"] == {
        "return_id": RETURN,
        "retailer": "acme",
        "order_number": "201905270449",
        "route": "omnirps",
        "carrier": "omniparcel",
        "tracking_number": "OP123456789NZ",
        "tracking_url": None,
        "labels": [{"carrier": "omniparcel", "tracking_number": "OP123456789NZ"}],
        "connote": None,
        "status": "RP",
        "status_name": "Return Processed",
        "version": 2,
        "complete": False,
        "closed": None,
        "updated_at": "2026-11-23T12:00:00.250000Z",
    }
    states = ("reached", "skipped", "skipped", "skipped", "reached", "upcoming", "upcoming")
    assert [(step["code"], step["name"], step["state"]) for step in timeline] == [
        (m.value, NAMES[m], state) for m, state in zip(Milestone, states, strict=False)
    ]
    assert timeline[4] == {
        "code": "RP",
        "name": "Return Processed",
        "state": "reached",
        "occurred_at": "2026-11-23T16:00:00Z",
        "location": {"code": "AKL"},
        "source": "/tests",
    }
    assert timeline[1]["occurred_at"] is None


@pytest.mark.parametrize(
    ("events", "states"),
    (
        ((created(Route.FIRST_MILE_ONLY),), ("reached", "upcoming", "upcoming", *["not_applicable"] * 4)),
        (
            (created(Route.FIRST_MILE_ONLY), asserting(Milestone.RDTPF, 1)),
            ("reached", "skipped", "reached", *["not_applicable"] * 4),
        ),
        (
            (created(), asserting(Milestone.RT, 1), asserting(Milestone.RR, 2)),
            ("reached", "reached", *["not_applicable"] * 5, "reached"),
        ),
        (
            (created(), asserting(Milestone.RP, 1), asserting(Milestone.RR, 2)),
            ("reached", "skipped", "skipped", "skipped", "reached", "not_applicable", "not_applicable", "reached"),
        ),
    ),
)
def test_each_step_of_the_timeline_has_its_state(events: tuple[Event, ...], states: tuple[str, ...]) -> None:
    event = checked(current_status(RETURN, entries(*events)[-1].state, RECORDED))

    assert tuple(step["state"] for step in event["data"]["timeline"]) == states


def exceptional(*events: Event, event_type: str, data: dict[str, Any], code: str | None = None) -> dict[str, Any]:
    last = entries(*events)[-1]
    event = last.event
    row = EXCEPTIONAL._replace(
        seq=last.state.seq,
        source=event.source,
        id=event.id,
        type=event_type,
        occurred_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        milestone=event.milestone,
        code=code,
        verdict=last.verdict,
        reason=last.reason,
        data=data,
    )
    (message,) = exceptions(row, last.state)
    assert message.key == RETURN.encode()
    return checked(message)


def test_an_exception_says_what_was_expected_and_what_would_resolve_it() -> None:
    event = exceptional(
        created(),
        asserting(Milestone.RE, 5, connote="CN-1"),
        event_type=models.HUB_EXPORTED,
        data={"return_id": RETURN, "hub": "akl-1", "connote": "CN-1"},
    )

    assert event["id"] == f"{RETURN}/exception/2"
    assert event["data"] == {
        "return_id": RETURN,
        "exception_id": f"return/{RETURN}/awaiting_processed",
        "state": "open",
        "verdict": "held",
        "reason": "awaiting_processed",
        "expected": EXPLANATIONS[Reason.AWAITING_PROCESSED].expected,
        "resolution": EXPLANATIONS[Reason.AWAITING_PROCESSED].resolution,
        "milestone": "RE",
        "event_type": "com.omnirps.hub.exported.v1",
        "code": None,
        "carrier": "omniparcel",
        "tracking_number": "OP123456789NZ",
        "connote": "CN-1",
        "occurred_at": "2026-11-23T12:00:00Z",
        "cause": {"source": "/tests", "id": "RE-5"},
        "origin": {"topic": "omnirps.hub-events", "partition": 3, "offset": 42},
        "recorded_at": "2026-11-23T12:00:00.250000Z",
    }


def test_an_exception_names_the_pair_and_code_of_an_unmapped_scan() -> None:
    scan = Event("/tests", "s", T0, Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE)

    data = exceptional(
        created(),
        scan,
        event_type=models.CARRIER_SCANNED,
        data={"carrier": "omniparcel", "tracking_number": "OTHER-1", "code": "OP-999"},
        code="OP-999",
    )["data"]

    assert (data["verdict"], data["reason"], data["milestone"]) == ("unmapped", "unknown_code", None)
    assert (data["carrier"], data["tracking_number"], data["code"]) == ("omniparcel", "OTHER-1", "OP-999")


def test_an_unknown_member_of_an_event_is_not_taken_for_a_connote_or_a_carrier() -> None:
    data = exceptional(
        created(Route.FIRST_MILE_ONLY),
        asserting(Milestone.DS, 1),
        event_type=models.HUB_DEPOT_SCANNED,
        data={"return_id": RETURN, "hub": "akl-1", "connote": ["?"], "carrier": 7, "tracking_number": {}},
    )["data"]

    assert (data["connote"], data["carrier"], data["tracking_number"]) == (None, "omniparcel", "OP123456789NZ")


def test_an_event_without_a_reason_is_no_exception() -> None:
    entry = entries(created())[0]

    assert list(exceptions(EXCEPTIONAL, entry.state)) == []


def test_what_a_row_settles_is_told_with_the_id_that_it_was_opened_under() -> None:
    last = entries(created(), asserting(Milestone.RE, 5, connote="CN-1"), asserting(Milestone.RP, 4))[-1]
    row = EXCEPTIONAL._replace(
        seq=3, type=models.HUB_PROCESSED, milestone="RP", source="/tests", id="RP-4", exceptions=["-awaiting_processed"]
    )

    (message,) = exceptions(row, last.state)

    event = checked(message)
    assert event["id"] == f"{RETURN}/exception/3/awaiting_processed"
    assert (event["data"]["state"], event["data"]["cause"]["id"]) == ("resolved", "RP-4")
    assert event["data"]["exception_id"] == f"return/{RETURN}/awaiting_processed"


SAID_AT = datetime(2026, 11, 27, 12, 0, 0, 500_000, UTC)


def test_an_exception_that_is_open_though_it_was_told_to_be_over_is_told_again_under_another_id() -> None:
    """A row that began two of them: of the one that is asked for."""
    last = entries(created(), asserting(Milestone.RE, 5, connote="CN-1"))[-1]
    row = EXCEPTIONAL._replace(
        seq=2, type=models.HUB_EXPORTED, milestone="RE", source="/tests", id="RE-5", verdict="held",
        reason="awaiting_processed", exceptions=["+clock_ahead"],
    )  # fmt: skip
    (first, *_) = exceptions(row, last.state)

    (message,) = open_again(row, last.state, "awaiting_processed", SAID_AT)

    event = checked(message)
    assert message.key == RETURN.encode()
    assert event["id"] == f"{RETURN}/exception/2/again/2026-11-27T12:00:00.500000Z"
    assert event["data"] == checked(first)["data"]
    assert event["data"]["state"] == "open"
    assert list(open_again(row, last.state, "id_reused", SAID_AT)) == []


def test_an_exception_that_no_row_settles_is_told_to_be_over_by_what_its_last_message_said() -> None:
    last = entries(created(), asserting(Milestone.RE, 5, connote="CN-1"))[-1]
    row = EXCEPTIONAL._replace(seq=2, verdict="held", reason="awaiting_processed")
    (told,) = exceptions(row, last.state)

    message = over(checked(told)["data"], SAID_AT)

    event, recorded = checked(message), "2026-11-27T12:00:00.500000Z"
    assert message.key == RETURN.encode()
    assert (event["id"], event["subject"], event["time"]) == (
        f"return/{RETURN}/awaiting_processed/over/{recorded}", RETURN, recorded,
    )  # fmt: skip
    assert event["data"] == checked(told)["data"] | {"state": "resolved", "recorded_at": recorded}


def test_what_a_row_denies_is_told_of_the_event_that_counts_no_more() -> None:
    exported = asserting(Milestone.RE, 5, connote="CN-1")
    last = entries(created(), asserting(Milestone.RP, 1), exported, asserting(Milestone.RR, 3))[-1]
    row = EXCEPTIONAL._replace(
        seq=4, type=models.HUB_REJECTED, milestone="RR", id="RR-3", exceptions=from_json(encode_moves(last) or b"null")
    )

    (message,) = exceptions(row, last.state)

    event = checked(message)
    assert event["id"] == f"{RETURN}/exception/4/already_rejected"
    told = ("state", "verdict", "reason", "milestone", "event_type", "cause", "occurred_at")
    assert {name: event["data"][name] for name in told} == {
        "state": "open",
        "verdict": "refused",
        "reason": "already_rejected",
        "milestone": "RE",
        "event_type": models.HUB_EXPORTED,
        "cause": {"source": "/tests", "id": "RE-5"},
        "occurred_at": "2026-11-23T17:00:00Z",
    }


def test_every_reason_is_explained() -> None:
    assert EXPLANATIONS.keys() == set(Reason)


def test_a_dead_letter_is_the_message_with_headers_behind_its_own() -> None:
    headers = (("content-type", b"\xff\x00"), ("x", None), ("x", b"twice"))
    message = dead_letter(Record("t", 1, 2, 3, b"\x00key", b"\xffvalue", headers), "not_json", "not JSON at é")

    assert message == Message(
        b"\x00key",
        b"\xffvalue",
        (
            *headers,
            ("dlq.reason", b"not_json"),
            ("dlq.error", "not JSON at é".encode()),
            ("dlq.topic", b"t"),
            ("dlq.partition", b"1"),
            ("dlq.offset", b"2"),
            ("dlq.timestamp", b"3"),
        ),
    )


def test_a_dead_letter_of_a_message_without_key_and_value_has_none() -> None:
    message = dead_letter(Record("t", 1, 2, 3, None, None), "empty", "the message has no value")

    assert (message.key, message.value) == (None, None)


@pytest.mark.parametrize(
    ("kind", "subject", "named", "reason", "explained"),
    (
        ("return", "R-1", {"return_id": "R-1"}, "parked", WAITS_FOR_CREATION),
        ("label", "gls/T-1", {"carrier": "gls", "tracking_number": "T-1"}, "parked", WAITS_FOR_CREATION),
        ("connote", "C-1", {"connote": "C-1"}, "without_members", WAITS_FOR_EXPORT),
    ),
)
def test_what_waits_is_told_by_what_it_waits_for(
    kind: str, subject: str, named: dict[str, str], reason: str, explained: Explanation
) -> None:
    event = {
        "type": models.CARRIER_SCANNED,
        "source": "/tests",
        "id": "1",
        "milestone": "RT",
        "code": "X",
        "occurred_at": "2026-11-23T13:00:00+01:00",
        "origin": {"topic": "scans", "partition": 2, "offset": 7},
    }

    message = waiting(WaitMove(5, "77", kind, subject, "open", RECORDED, event, RECORDED))

    assert message.value is not None
    told = json.loads(message.value)
    assert (message.key, told["subject"], told["id"]) == (
        subject.encode(),
        subject,
        f"{kind}/{subject}/{reason}/77",
    )
    assert (told["type"], told["time"]) == (published.EXCEPTION, "2026-11-23T12:00:00.250000Z")
    data = told["data"]
    TypeAdapter(published.ExceptionData).validate_python(data)
    assert data == {
        **dict.fromkeys(("return_id", "carrier", "tracking_number", "connote")),
        **named,
        "exception_id": f"{kind}/{subject}/{reason}",
        "state": "open",
        "verdict": "parked",
        "reason": reason,
        "expected": explained.expected,
        "resolution": explained.resolution,
        "milestone": "RT",
        "event_type": models.CARRIER_SCANNED,
        "code": "X",
        "occurred_at": "2026-11-23T12:00:00Z",
        "cause": {"source": "/tests", "id": "1"},
        "origin": {"topic": "scans", "partition": 2, "offset": 7},
        "since": "2026-11-23T12:00:00.250000Z",
        "recorded_at": "2026-11-23T12:00:00.250000Z",
    }
