"""Which events an exception tells, on histories in memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from service.application.reading.exceptions.given import MOST_EVENTS, Giving, PastEvent, given_by
from service.application.reading.listing import ListedException
from service.domain.events import Event, Sense
from service.domain.milestones import Milestone, Reason
from service.domain.rules import Rules
from tests.unit.domain.histories import ACME, DAY, happened, story, worded

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def past(*events: Event) -> list[PastEvent]:
    return [PastEvent(n, worded(event), None, AT + timedelta(minutes=n)) for n, event in enumerate(events, start=1)]


class Histories:
    """`Pasts`, which counts what it is asked."""

    def __init__(self, *pasts: list[PastEvent]) -> None:
        self.of = dict(enumerate(pasts, start=1))
        self.asked: list[Collection[int]] = []

    def pasts(self, return_nos: Collection[int]) -> dict[int, list[PastEvent]]:
        self.asked.append(return_nos)
        return {return_no: self.of[return_no] for return_no in return_nos if return_no in self.of}


def row(return_no: int, reason: str = "awaiting_processed", *, is_open: bool = True) -> ListedException:
    return ListedException(
        return_no, 9, "R", "acme", "held", reason, "RE", "type", "/own", "own", "C", "c", "n", None, AT, AT,
        None if is_open else AT, "topic", 0, 1,
    )  # fmt: skip


def told(histories: Histories, *rows: ListedException) -> list[dict[str, Any]]:
    return Giving(histories).of(rows)


def test_each_row_of_an_exception_tells_all_events_that_give_it_and_a_history_is_read_once() -> None:
    histories = Histories(past(*story("RC@1 RE@2 RE@3")))

    one, other = told(histories, row(1), row(1))

    assert one == other
    assert one == {
        "events": [
            {
                "source": "s",
                "id": f"RE@{second}",
                "type": "com.omnirps.hub.exported.v1",
                "code": None,
                "milestone": "RE",
                "occurred_at": f"1970-01-01T00:00:00.00000{second}Z",
                "recorded_at": f"2026-11-20T12:0{second}:00Z",
            }
            for second in (2, 3)
        ],
        "events_cut": False,
    }
    assert [*map(list, histories.asked)] == [[1]]


def test_of_what_is_resolved_nothing_is_read_and_told() -> None:
    histories = Histories(past(*story("RC@1 RE@2")))

    assert told(histories, row(1, is_open=False)) == [{"events": [], "events_cut": False}]
    assert histories.asked == []


def test_where_the_history_is_not_read_the_own_event_is_told_and_that_there_may_be_more() -> None:
    unread, by_old_rules = told(Histories([], past(*story("RC@1"))), row(7), row(2))

    own = {"source": "/own", "id": "own", "type": "type", "code": "C", "milestone": "RE"}
    assert unread == {
        "events": [{**own, "occurred_at": "2026-11-20T12:00:00Z", "recorded_at": "2026-11-20T12:00:00Z"}],
        "events_cut": True,
    }
    assert by_old_rules == {**unread, "events_cut": False}


def test_so_many_are_told_and_how_many_there_are() -> None:
    events = past(*story("RC@1 " + " ".join(f"RE@{n}" for n in range(2, MOST_EVENTS + 5))))

    given = given_by(events)[Reason.AWAITING_PROCESSED]

    assert (len(given.events), given.number, given.is_cut) == (MOST_EVENTS, MOST_EVENTS + 3, True)
    whole = given_by(events, most=MOST_EVENTS + 3)[Reason.AWAITING_PROCESSED]
    assert (len(whole.events), whole.is_cut) == (MOST_EVENTS + 3, False)


def test_they_are_found_by_the_rules_of_today() -> None:
    scan = Event("c", "x", 1, Sense.ASSERTS, Milestone.RT, label=ACME.label)
    events = past(scan, happened("RC", 5 * DAY))

    assert given_by(events).keys() == {Reason.BEFORE_LABEL}
    assert given_by(events, Rules(label_lead_hours=24 * 6)) == {}
    assert Giving(Histories(events), Rules(label_lead_hours=24 * 6)).of_returns([1]) == {1: {}}


def test_a_code_that_became_known_is_told_by_the_row_that_it_has_first() -> None:
    unknown = Event("c", "x", 5, Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE)
    given = given_by([*past(*story("RC@1"), unknown), *past(*story("RC@1"), unknown)])

    (event,) = given[Reason.UNKNOWN_CODE].events
    assert (event.seq, event.recorded_at) == (2, AT + timedelta(minutes=2))
