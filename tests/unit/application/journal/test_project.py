"""Which exceptions of a return are still open after a row of its history, without the database that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from service.application.journal import ingest
from service.application.journal.appending import Placed, append
from service.application.journal.project import ExceptionRow, Projection, project
from service.application.journal.sweep import sweep
from service.application.ports import Arrival, HistoryRow
from service.domain.events import Event, Sense
from service.domain.journey import NEW
from service.domain.labels import Window
from service.domain.rules import EARLIEST
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound, Parser, SubjectKind
from service.wire.record import Record
from service.wire.rows import claimed
from service.wire.rows.logged import LogRow
from service.wire.stored import encode_changes, encode_moves, encode_state, from_micros
from tests.support.fakes import MemoryJournal
from tests.support.journals import CLOSED, DELIVERED, DS, RE, RP, RR, SCAN, VOID, creation, event, scan

_PARSER = Parser(CarrierTables.load())
_offsets = count()
_RECORDED = datetime(2026, 11, 21, tzinfo=UTC)


def history(*documents: dict[str, Any] | Window, of_before: int = 0) -> list[LogRow]:
    """The rows that these events make, each taken in by itself; and what the sweep says of the first return's window.

    The first so many are decided by the earliest rules, which kept less.
    """
    journal = MemoryJournal([])
    for place, document in enumerate(documents):
        if isinstance(document, Window):
            with journal.transaction() as tx:
                append(tx, [Placed(1, told(document), is_settled=True)], lambda _: None)
            continue
        record = Record("in", 0, next(_offsets), 1_795_600_000_000, None, json.dumps(document).encode())
        ingest.write(journal, ingest.decode(_PARSER, [record]), {})
        while sweep(journal) is not None:
            pass
        if place < of_before:
            _age(journal)
    rows = [row for own in journal.tables.history.values() for row in own]
    names = {number: return_id for return_id, number in journal.tables.returns.items()}
    return [logged(n, names[row.return_no], row) for n, row in enumerate(rows, start=1)]


def _age(journal: MemoryJournal) -> None:
    for rows in journal.tables.history.values():
        row, entry = rows[-1], rows[-1].entry
        state = replace(entry.state, rules=EARLIEST, evidence=replace(entry.state.evidence, flags=0))
        rows[-1] = HistoryRow(row.return_no, replace(entry, state=state, raised=(), settled=()), row.arrival)


def told(window: Window) -> Arrival:
    """What the sweep says of the first return's label."""
    label, now = ("generic", "TR-1001"), next(_offsets)
    row = Event(claimed.SOURCE, str(now), now, Sense.INFORMS, label=label, window=window)
    data = json.dumps(claimed.event_data("R-1001", label, window)).encode()
    inbound = Inbound(SubjectKind.RETURN, "R-1001", row, claimed.LABEL_CLAIMED, data)
    return Arrival(inbound, Record("", 0, 0, 0, None, None))


def logged(n: int, return_id: str, row: Any) -> LogRow:
    entry, inbound, record = row.entry, row.arrival.inbound, row.arrival.record
    event, state = entry.event, entry.state
    return LogRow(
        n=n,
        return_no=row.return_no,
        seq=state.seq,
        return_id=return_id,
        recorded_at=_RECORDED + timedelta(minutes=n),
        source=event.source,
        id=event.id,
        type=inbound.type,
        occurred_at=from_micros(event.at),
        milestone=event.milestone,
        code=inbound.code,
        verdict=entry.verdict,
        reason=entry.reason,
        changes=json.loads(encode_changes(entry.changes) or b"null"),
        version=state.version,
        state=json.loads(encode_state(state)),
        data=json.loads(inbound.data),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        exceptions=json.loads(encode_moves(entry) or b"null"),
    )


def exceptions(projection: Projection) -> list[tuple[str, str, bool]]:
    """Verdict, reason, and whether it is open."""
    found: Iterable[ExceptionRow] = [*projection.exceptions, *projection.resolved]
    return [(each.verdict, each.reason, each.resolved_at is None) for each in found]


def hub(type_: str, time: str, **data: Any) -> dict[str, Any]:
    return event(type_, f"{type_}-{time}", time, return_id="R-1001", hub="leeds", **data)


def delivery(connote: str, time: str = "18:00") -> dict[str, Any]:
    return event(DELIVERED, f"d-{connote}", time, connote=connote)


EXPORT = hub(RE, "13:00", connote="CN-A")
HELD = ("held", "awaiting_processed")


def test_lists_show_when_a_return_was_exported_and_when_it_was_closed_and_why() -> None:
    closed = event(CLOSED, "c", "15:00", return_id="R-1001", by="me", reason="lost")
    rows = history(creation(), hub(RP, "12:00"), EXPORT, closed)

    (before,) = project(rows[:2], ()).returns
    (exported,) = project(rows[:3], ()).returns
    (shown,) = project(rows, ()).returns

    assert (before.exported_at, before.closed_at, before.closed_reason, before.complete) == (None, None, None, False)
    assert (exported.exported_at, exported.closed_at) == (rows[2].occurred_at, None)
    assert (shown.exported_at, shown.closed_at, shown.closed_reason) == (
        rows[2].occurred_at,
        rows[3].occurred_at,
        "lost",
    )
    assert (shown.status, shown.status_at, shown.status_recorded_at) == ("RE", rows[2].occurred_at, rows[2].recorded_at)
    assert (shown.connote, shown.hub, shown.complete, shown.seq) == ("CN-A", "leeds", True, 4)
    assert (shown.created_at, shown.updated_at) == (rows[0].occurred_at, rows[3].recorded_at)


def test_an_export_is_open_until_the_processing_is_known() -> None:
    rows = history(creation(), EXPORT, hub(RP, "12:00"))

    assert exceptions(project(rows[:2], ())) == [(*HELD, True)]
    assert exceptions(project(rows, ())) == [(*HELD, False)]


def test_what_was_open_before_is_resolved_by_the_row_that_ends_it() -> None:
    rows = history(creation(), EXPORT, hub(DS, "11:00"), hub(RP, "12:00"))
    before = project(rows[:2], ())

    assert project(rows[2:3], before.exceptions).resolved == []
    (resolved,) = project(rows[2:], before.exceptions).resolved
    assert resolved == before.exceptions[0]._replace(resolved_at=rows[3].recorded_at)


def test_a_delivery_waits_with_the_export_whose_connote_it_names() -> None:
    rows = history(creation(), EXPORT, delivery("CN-A"), hub(DS, "11:00"))

    assert exceptions(project(rows, ())) == [(*HELD, True), ("held", "awaiting_exported", True)]


def test_a_delivery_is_over_with_the_export_that_it_waited_for() -> None:
    rows = history(creation(), EXPORT, delivery("CN-A"), hub(RP, "12:00"))

    assert exceptions(project(rows, ())) == [(*HELD, False), ("held", "awaiting_exported", False)]


def test_a_delivery_without_a_connote_of_the_return_may_yet_be_its_own() -> None:
    export = hub(RE, "13:00", connote="CN-A")
    voided = {"return_id": "R-1001", "source": export["source"], "id": export["id"], "by": "me", "reason": "mistake"}
    rows = history(creation(), export, delivery("CN-A"), event(VOID, "v-1", "19:00", **voided), hub(DS, "11:00"))

    # No export is left that says under which connote it went; the next may say CN-A again.
    assert exceptions(project(rows, ())) == [(*HELD, False), ("held", "awaiting_exported", True)]


def test_a_rejection_ends_what_a_delivery_without_a_connote_waits_for() -> None:
    export = hub(RE, "13:00", connote="CN-A")
    voided = {"return_id": "R-1001", "source": export["source"], "id": export["id"], "by": "me", "reason": "mistake"}
    rejected = hub(RR, "12:30", reason="empty")
    rows = history(creation(), export, delivery("CN-A"), event(VOID, "v-1", "19:00", **voided), rejected)

    assert ("held", "awaiting_exported", False) in exceptions(project(rows, ()))


def test_a_delivery_of_either_connote_waits_with_the_exports() -> None:
    later, earlier = hub(RE, "15:00", connote="CN-A"), hub(RE, "13:00", connote="CN-B")
    rows = history(creation(), later, delivery("CN-A"), earlier)

    assert ("held", "awaiting_exported", True) in exceptions(project(rows, ()))


def test_an_export_under_another_connote_is_seen_at_once_and_for_as_long_as_both_stand() -> None:
    superseded = hub(RE, "15:00", connote="CN-B")
    rows = history(creation(), hub(RP, "12:00"), superseded, EXPORT, delivery("CN-B"), delivery("CN-A"))

    voided = {"return_id": "R-1001", "source": EXPORT["source"], "id": EXPORT["id"], "by": "me", "reason": "mistake"}
    after = history(
        creation(), hub(RP, "12:00"), superseded, EXPORT, delivery("CN-B"), event(VOID, "v", "19:00", **voided)
    )

    assert exceptions(project(rows[:4], ())) == [("repeated", "other_connote", True)]
    assert exceptions(project(rows, ())) == [("repeated", "other_connote", True)]
    assert exceptions(project(after, ())) == [("repeated", "other_connote", False)]


def test_a_rejection_that_an_export_from_before_it_denies_is_seen_whichever_came_first() -> None:
    rejected = hub(RR, "14:00", reason="empty")
    one = project(history(creation(), hub(RP, "12:00"), EXPORT, rejected), ())
    other = project(history(creation(), hub(RP, "12:00"), rejected, EXPORT), ())

    assert exceptions(one) == exceptions(other) == [("refused", "already_exported", True)]
    assert [(each.milestone, each.id, each.type) for each in other.exceptions] == [("RR", rejected["id"], RR)]
    assert [(each.milestone, each.id, each.type) for each in one.exceptions] == [("RR", rejected["id"], RR)]


def test_a_refused_rejection_stays_open_until_it_counts() -> None:
    export = hub(RE, "13:00", connote="CN-A")
    rejected = hub(RR, "14:00", reason="empty")
    voided = {"return_id": "R-1001", "source": export["source"], "id": export["id"], "by": "me", "reason": "mistake"}
    rows = history(
        creation(), hub(RP, "12:00"), export, rejected, hub(DS, "11:00"), event(VOID, "v", "19:00", **voided)
    )

    assert exceptions(project(rows[:5], ())) == [("refused", "already_exported", True)]
    assert exceptions(project(rows, ())) == [("refused", "already_exported", False)]


def test_a_void_ends_what_its_own_target_raised_and_nothing_else() -> None:
    other = hub(RE, "15:00", connote="CN-B")
    voided = {"return_id": "R-1001", "source": EXPORT["source"], "id": EXPORT["id"], "by": "me", "reason": "mistake"}
    rows = history(creation(), EXPORT, other, event(VOID, "v", "19:00", **voided))

    assert exceptions(project(rows, ())) == [(*HELD, False), (*HELD, True)]


def test_an_unmapped_scan_stays_open_whatever_the_return_does() -> None:
    rows = history(creation(), scan("NOBODY-KNOWS", "10:00"), scan("COLLECTED", "11:00"), hub(RP, "12:00"))

    assert exceptions(project(rows, ())) == [("unmapped", "unknown_code", True)]


def test_a_label_in_use_stays_open_whatever_the_return_does_until_the_windows_part() -> None:
    rows = history(creation(), Window(is_shared=True), scan("COLLECTED", "10:00"), Window(end=1_800_000_000_000_000))

    (found,) = project(rows[:3], ()).exceptions

    assert (found.reason, found.resolved_at) == ("tracking_number_in_use", None)
    assert (found.return_id, found.carrier, found.tracking_number) == ("R-1001", "generic", "TR-1001")
    assert exceptions(project(rows, ())) == [("repeated", "tracking_number_in_use", False)]


def test_an_exception_names_what_its_own_event_said_before_what_the_return_says() -> None:
    rows = history(creation(), EXPORT, scan("NOBODY-KNOWS", "10:00"))

    export, unmapped = project(rows, ()).exceptions

    assert (export.connote, export.carrier, export.tracking_number) == ("CN-A", "generic", "TR-1001")
    assert (unmapped.connote, unmapped.code, unmapped.tracking_number) == ("CN-A", "NOBODY-KNOWS", "TR-1001")
    assert (export.milestone, unmapped.milestone) == ("RE", None)


def test_an_exception_is_a_copy_of_what_the_row_says() -> None:
    rows = history(creation(), EXPORT)

    (found,) = project(rows, ()).exceptions

    row = rows[1]
    assert found == ExceptionRow(
        return_no=row.return_no,
        seq=row.seq,
        return_id="R-1001",
        retailer="acme",
        verdict="held",
        reason="awaiting_processed",
        milestone="RE",
        code=None,
        type=RE,
        source=row.source,
        id=row.id,
        carrier="generic",
        tracking_number="TR-1001",
        connote="CN-A",
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        begun_seq=row.seq,
    )


def test_an_exception_that_several_events_are_together_begins_with_the_row_that_raised_it() -> None:
    rows = history(
        creation(), EXPORT, hub(RP, "12:00"), EXPORT | {"id": "again", "data": EXPORT["data"] | {"connote": "CN-B"}}
    )

    (found,) = [each for each in project(rows, ()).exceptions if each.reason == "other_connote"]

    assert (found.seq < 0, found.begun_seq) == (True, rows[-1].seq)


def test_a_label_and_a_connote_are_those_that_the_event_itself_named() -> None:
    # A return is known by two labels; the scan that nobody understands came under the first.
    known = creation(carrier="omniparcel", tracking_number="OP-0001")
    second = creation(time="08:00") | {"id": "again"}
    unmapped = event(SCAN, "u", "10:00", code="NOBODY-KNOWS", carrier="omniparcel", tracking_number="OP-0001")
    processed = hub(RP, "12:00")
    later = hub(RE, "15:00", connote="CN-B")
    rows = history(
        known, second, unmapped, processed, hub(RR, "12:30", reason="empty"), hub(RE, "13:00", connote="CN-A"), later
    )

    found = {(each.type, each.reason): each for each in project(rows, ()).exceptions}

    scanned = found[SCAN, "unknown_code"]
    assert (scanned.carrier, scanned.tracking_number, scanned.connote) == ("omniparcel", "OP-0001", None)
    exports = [each for each in project(rows, ()).exceptions if each.type == RE]
    assert [each.connote for each in exports] == ["CN-A", "CN-B"]
    assert {(each.carrier, each.tracking_number) for each in exports} == {("generic", "TR-1001")}


def test_a_row_without_an_event_of_a_hub_leaves_the_hub_as_it_was() -> None:
    rows = history(creation(), hub(DS, "11:00"), event(RP, "p", "11:30", return_id="R-1001", hub="akl"), EXPORT)

    # The last export is a repeat of nothing: it moves the status, and its hub is the newest.
    assert [project(rows[:n], ()).returns[0].hub for n in (1, 2, 3, 4)] == [None, "leeds", "akl", "leeds"]


def test_a_hub_that_asserts_what_does_not_count_is_not_where_the_return_is() -> None:
    held = event(RE, "x", "13:00", return_id="R-1001", hub="sydney", connote="CN-A")
    rows = history(creation(), hub(DS, "11:00"), held)

    assert project(rows, ()).returns[0].hub == "leeds"


def test_a_return_is_found_by_its_label_and_its_route() -> None:
    (found,) = project(history(creation()), ()).returns

    assert (found.carrier, found.tracking_number, found.route) == ("generic", "TR-1001", "omnirps")
    assert (found.return_no, found.connote, found.hub) == (1, None, None)
    assert [str(day) for day in found.reached if day] == ["2026-11-20"]


def test_two_returns_are_two_rows_and_each_has_its_own_exceptions() -> None:
    other = event(RE, "o", "13:00", return_id="R-2002", hub="leeds", connote="CN-A")
    rows = history(creation(), creation("R-2002"), EXPORT, other, hub(RP, "12:00"))

    found = project(rows, ())

    assert [each.return_id for each in found.returns] == ["R-1001", "R-2002"]
    assert [(each.return_id, each.resolved_at is None) for each in found.exceptions] == [
        ("R-1001", False),
        ("R-2002", True),
    ]


def test_a_return_is_what_its_last_row_says() -> None:
    rows = history(
        creation(order_number="O-7"),
        hub(RP, "12:00"),
        EXPORT,
        scan("COLLECTED", "10:00"),
        scan("IN_TRANSIT", "10:30"),
    )

    (found,) = project(rows, ()).returns

    assert (found.return_id, found.status, found.connote, found.hub) == ("R-1001", "RE", "CN-A", "leeds")
    assert (found.retailer, found.order_number, found.complete) == ("acme", "O-7", False)
    assert found.version == rows[-1].version
    assert (found.updated_at, found.status_recorded_at) == (rows[-1].recorded_at, rows[2].recorded_at)
    assert (found.created_at.hour, found.status_at.hour) == (9, 13)
    assert found.seq == 5


def test_where_the_status_did_not_move_nothing_is_said_of_when_it_did() -> None:
    rows = history(creation(), hub(RP, "12:00"), scan("COLLECTED", "10:00"))

    (found,) = project(rows[2:], ()).returns

    assert found.status_recorded_at is None
    assert found.hub is None


def test_a_row_of_a_return_that_is_not_known_leaves_the_others() -> None:
    rows = history(creation(), EXPORT)
    unknown = rows[0]._replace(return_no=9, state=json.loads(encode_state(NEW)), version=0)

    found = project([unknown, *rows], ())

    assert [each.return_no for each in found.returns] == [1]
    assert exceptions(found) == [(*HELD, True)]


def test_a_row_tells_the_state_and_the_changes_as_they_were_recorded() -> None:
    rows = history(creation(), EXPORT, hub(RP, "12:00"))

    states = [row.state_after() for row in rows]
    changes = [row.changes_given(state) for row, state in zip(rows, states, strict=True)]

    assert [(state.seq, state.version) for state in states] == [(1, 1), (2, 1), (3, 3)]
    assert [[(each.version, each.milestone) for each in of] for of in changes] == [
        [(1, "RC")],
        [],
        [(2, "RP"), (3, "RE")],
    ]
    assert [each.cause for each in changes[2]] == [("/test", rows[2].id), ("/test", rows[1].id)]


def test_a_delivery_of_a_connote_under_which_no_export_stands_any_more_waits_for_one() -> None:
    own, mistaken = hub(RE, "15:00", connote="CN-B"), hub(RE, "13:00", connote="CN-A")
    voided = {
        "return_id": "R-1001",
        "source": mistaken["source"],
        "id": mistaken["id"],
        "by": "me",
        "reason": "mistake",
    }
    rows = history(creation(), own, delivery("CN-B"), mistaken, delivery("CN-A"), event(VOID, "v", "19:00", **voided))

    found = {each.id: each.resolved_at for each in project(rows, ()).exceptions}

    assert found["d-CN-A"] is None
