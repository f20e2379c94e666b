"""Numbers that are used again, parcels that go back, exports that contradict each other: the same whatever comes first.

Each order of arrival is another return of the same database, each event a batch of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from service.adapters.postgres.journal.letters import MendingJournal
from service.application.journal.reassess import Reassessed, reassess
from service.domain.rules import Rules
from service.wire.carriers import CarrierTables
from tests.support.journals import DELIVERED, RE, RP, RR, SCAN, VOID, creation, differences, event, ingest

Documents = Sequence[dict[str, Any]]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def on(day: str, document: dict[str, Any]) -> dict[str, Any]:
    """The event on another day, at its time."""
    return document | {"time": f"{day}T{document['time'][11:]}"}


def numbered(documents: Documents, n: int) -> Iterator[dict[str, Any]]:
    """The same of another return, under another connote."""
    for each in documents:
        data = {
            name: f"{v}-{n}" if name in {"return_id", "connote", "tracking_number"} else v
            for name, v in each["data"].items()
        }
        if each["type"] == VOID:
            data["id"] = f"{data['id']}-{n}"
        yield each | {"id": f"{each['id']}-{n}", "data": data}


def in_every_order(database: str, documents: Documents, *, most: int = 24) -> int:
    """Take them in; answers with how many returns there are now."""
    orders = list(itertools.permutations(documents))
    chosen = orders[:: max(1, len(orders) // most)]
    prepared = [list(numbered(order, n)) for n, order in enumerate(chosen)]
    for step in zip(*prepared, strict=True):
        ingest(database, step)
    return len(chosen)


def told(database: str) -> set[tuple[Any, ...]]:
    """The statuses that returns have, with what counts of them, their connotes, and the reasons that are open."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (return_no) return_no, status, state FROM history ORDER BY return_no, seq DESC"
        ).fetchall()
        moves: dict[int, set[str]] = {}
        for return_no, verdict, reason, moved in connection.execute(
            "SELECT return_no, verdict, reason, exceptions FROM history ORDER BY return_no, seq"
        ):
            open_ = moves.setdefault(return_no, set())
            if verdict in {"held", "refused"} and reason != "voided":
                open_.add(reason)
            for each in moved or ():
                (open_.add if each[0] == "+" else open_.discard)(each[1:])
    return {
        (status, str(state.get("c") or "").split("-")[0], " ".join(sorted(moves[return_no])))
        for return_no, status, state in rows
    }


def hub(type_: str, id_: str, time: str, **data: Any) -> dict[str, Any]:
    return event(type_, id_, time, return_id="R-1001", hub="akl1", **data)


def scan(code: str, id_: str, time: str, carrier: str = "generic") -> dict[str, Any]:
    return event(SCAN, id_, time, carrier=carrier, tracking_number="T-1001", code=code)


def created(**data: Any) -> dict[str, Any]:
    return creation(tracking_number="T-1001", **data)


def test_a_connote_that_is_used_again_does_not_deliver_what_left_under_it_later(database: str) -> None:
    documents = [
        created(),
        hub(RP, "rp", "10:00"),
        hub(RE, "re", "11:00", connote="CN1"),
        on("2026-09-20", event(DELIVERED, "d", "12:00", connote="CN1")),
    ]

    in_every_order(database, documents)

    assert told(database) == {("RE", "CN1", "before_export")}
    assert differences(database) == []


def test_a_delivery_a_day_before_the_export_may_be_a_wrong_clock_and_one_after_four_months_is_no_matter_of_the_return(
    database: str,
) -> None:
    shipped = [
        on("2026-06-01", each) for each in (created(), hub(RP, "rp", "10:00"), hub(RE, "re", "11:00", connote="CN1"))
    ]
    ingest(database, [*numbered([*shipped, on("2026-05-31", event(DELIVERED, "d", "12:00", connote="CN1"))], 0)])
    ingest(database, [*numbered([*shipped, on("2026-09-30", event(DELIVERED, "d", "12:00", connote="CN1"))], 1)])

    assert told(database) == {("RDBTC", "CN1", ""), ("RE", "CN1", "")}
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM history WHERE milestone = 'RDBTC'").fetchone() == (1,)
    assert differences(database) == []


def test_one_exported_again_under_its_connote_is_delivered_by_what_comes_after_that(database: str) -> None:
    documents = [
        on("2026-06-01", created()),
        on("2026-06-01", hub(RP, "rp", "10:00")),
        on("2026-06-01", hub(RE, "re", "11:00", connote="CN1")),
        on("2026-11-10", hub(RE, "again", "11:00", connote="CN1")),
        on("2026-11-21", event(DELIVERED, "d", "12:00", connote="CN1")),
    ]

    in_every_order(database, documents)

    assert told(database) == {("RDBTC", "CN1", "")}
    assert differences(database) == []


def test_of_two_exports_under_two_connotes_either_delivery_brings_the_return_home_and_somebody_sees_it(
    database: str,
) -> None:
    documents = [
        created(),
        hub(RP, "rp", "10:00"),
        hub(RE, "re", "11:00", connote="CN1"),
        hub(RE, "again", "12:00", connote="CN2"),
        event(DELIVERED, "d", "13:00", connote="CN1"),
    ]

    in_every_order(database, documents)

    assert told(database) == {("RDBTC", "CN1", "other_connote")}
    assert differences(database) == []


def test_a_rejection_after_an_export_is_the_same_exception_whichever_comes_first(database: str) -> None:
    documents = [
        created(),
        hub(RP, "rp", "10:00"),
        hub(RE, "re", "12:00", connote="CN1"),
        hub(RR, "rr", "21:00", reason="damaged"),
    ]

    in_every_order(database, documents)

    assert told(database) == {("RE", "CN1", "already_exported")}
    assert differences(database) == []


def test_what_is_delivered_back_to_its_sender_was_not_transferred_to_the_sorting_facility(database: str) -> None:
    label = {"carrier": "omniparcel"}
    back = [
        created(**label),
        scan("OP-33", "collected", "10:00", **label),
        scan("OP-66", "returning", "11:00", **label),
        scan("OP-72", "delivered", "12:00", **label),
    ]

    in_every_order(database, back)

    assert told(database) == {("RT", "", "returned_to_sender")}
    assert differences(database) == []


def test_collected_again_and_delivered_again_it_was(database: str) -> None:
    again = [
        created(),
        scan("COLLECTED", "collected", "10:00"),
        scan("RETURNING", "returning", "11:00"),
        scan("COLLECTED", "again", "12:00"),
        scan("DELIVERED", "delivered", "13:00"),
    ]

    in_every_order(database, again)

    assert told(database) == {("RDTPF", "", "")}
    assert differences(database) == []


def test_delivered_and_then_on_its_way_again_somebody_sees_it(database: str) -> None:
    documents = [
        created(),
        scan("DELIVERED", "delivered", "10:00"),
        scan("IN_TRANSIT", "moving", "11:00"),
        scan("RETURNING", "returning", "12:00"),
    ]

    in_every_order(database, documents)

    assert told(database) == {("RDTPF", "", "returning_after_delivered")}
    assert differences(database) == []


def test_a_void_of_the_scan_that_turned_it_back_lets_the_delivery_count(database: str) -> None:
    void = event(VOID, "v", "20:00", return_id="R-1001", source="/test", id="returning", by="me", reason="wrong parcel")
    documents = [
        created(),
        scan("RETURNING", "returning", "11:00"),
        scan("DELIVERED", "delivered", "13:00"),
        void,
    ]

    in_every_order(database, documents)

    assert told(database) == {("RDTPF", "", "")}
    assert differences(database) == []


def delivered_and_void(**of: str) -> Documents:
    """A return that was delivered with its connote; and that this was a mistake, of the return alone or of all members."""
    return [
        created(),
        hub(RP, "rp", "13:00"),
        hub(RE, "re", "14:00", connote="C-1"),
        event(DELIVERED, "d", "20:00", connote="C-1"),
        event(VOID, "v", "21:00", source="/test", id="d", by="me", reason="another consignment", **of),
    ]


@pytest.mark.parametrize("of", ({"return_id": "R-1001"}, {"connote": "C-1"}))
def test_a_delivery_that_was_a_mistake_is_void_for_one_return_or_for_all_members(
    database: str, of: dict[str, str]
) -> None:
    in_every_order(database, delivered_and_void(**of), most=120)

    assert told(database) == {("RE", "C", "")}
    assert differences(database) == []


def test_a_void_of_all_members_acts_for_each_and_a_void_of_one_for_that_one(database: str) -> None:
    one = delivered_and_void(return_id="R-1001")
    other = [each | {"id": f"{each['id']}-2", "data": each["data"] | {"return_id": "R-2002"}} for each in one[:3]]
    other[0]["data"]["tracking_number"] = "TR-2002"

    ingest(database, [*one, *other])
    assert told(database) == {("RE", "C", ""), ("RDBTC", "C", "")}
    # However late: a void is no delivery, which a connote's window ends.
    for_all = event(VOID, "v-all", "21:00", connote="C-1", source="/test", id="d", by="me", reason="not ours")
    ingest(database, [on("2026-11-21", for_all)])

    assert told(database) == {("RE", "C", "")}
    assert differences(database) == []


def test_two_voids_that_name_each_other_are_both_in_vain(database: str) -> None:
    first = event(VOID, "v1", "20:00", return_id="R-1001", source="/test", id="v2", by="me", reason="no")
    second = event(VOID, "v2", "21:00", return_id="R-1001", source="/test", id="v1", by="me", reason="no")

    in_every_order(database, [created(), first, second])

    assert told(database) == {("RC", "", "not_voidable")}
    assert differences(database) == []


def decided_anew(database: str, *, dry_run: bool) -> tuple[Reassessed, list[str]]:
    said = list[str]()
    with closing(MendingJournal(database, CarrierTables.load(), "test")) as journal:
        return reassess(journal, NOW, dry_run=dry_run, say=said.append), said


def versions(database: str) -> Iterable[tuple[int, int]]:
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT seq, version FROM history WHERE return_no = 1 ORDER BY seq").fetchall()


def test_what_other_rules_decided_is_brought_up_to_date_and_what_moves_is_said(database: str) -> None:
    documents = [
        on("2026-06-01", created()),
        on("2026-06-01", hub(RP, "rp", "10:00")),
        on("2026-06-01", hub(RE, "re", "11:00", connote="CN1")),
        on("2026-10-30", event(DELIVERED, "d", "12:00", connote="CN1")),
    ]
    ingest(database, [*documents, creation("R-2002")], Rules(connote_days=300))
    assert told(database) == {("RDBTC", "CN1", ""), ("RC", "", "")}
    (wrong,) = differences(database)
    assert "R-1001: was decided by other rules" in wrong
    assert "reassess" in wrong

    would, said = decided_anew(database, dry_run=True)
    assert (would, said) == (Reassessed(2, 2, 1, 1), ["R-1001: revoked RDBTC"])
    assert told(database) == {("RDBTC", "CN1", ""), ("RC", "", "")}
    done, said = decided_anew(database, dry_run=False)
    assert (done, said) == (would, ["R-1001: revoked RDBTC"])

    assert told(database) == {("RE", "CN1", ""), ("RC", "", "")}
    assert list(versions(database)) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    assert differences(database) == []
    assert decided_anew(database, dry_run=False) == (Reassessed(2, 1, 0, 0), [])


def test_scans_of_before_that_turned_a_parcel_back_are_understood_anew(database: str) -> None:
    documents = [
        created(),
        scan("COLLECTED", "collected", "10:00"),
        scan("NO_SUCH_CODE", "returning", "11:00"),
        scan("DELIVERED", "delivered", "12:00"),
    ]
    ingest(database, documents)
    with psycopg.connect(database) as connection:  # as the release before left it: a code that only informed
        connection.execute("UPDATE history SET effect = NULL, state = (state::jsonb - 'r' - 't' - 'f')::json")
        connection.execute(
            "UPDATE history SET code = 'RETURNING', verdict = 'informational', reason = NULL WHERE verdict = 'unmapped'"
        )
    assert told(database) == {("RDTPF", "", "")}

    done, said = decided_anew(database, dry_run=False)

    assert (done.moved, said) == (1, ["R-1001: revoked RDTPF, returned_to_sender opened"])
    assert told(database) == {("RT", "", "returned_to_sender")}
    assert differences(database) == []


def test_a_return_of_before_is_decided_by_today_s_rules_as_soon_as_anything_happens_to_it(database: str) -> None:
    documents = [
        created(),
        hub(RP, "rp", "10:00"),
        hub(RE, "re", "11:00", connote="CN1"),
        on("2026-09-20", event(DELIVERED, "d", "12:00", connote="CN1")),
    ]
    ingest(database, documents)
    with psycopg.connect(database) as connection:  # as the release before left it: delivered two months ago
        connection.execute("UPDATE history SET state = (state::jsonb - 'r' - 't' - 'f')::json")
        connection.execute(
            """UPDATE history SET verdict = 'advanced', reason = NULL, version = 4, status = 'RDBTC',
            changes = '[["reached", "RDBTC", "RDBTC", "RE", true]]',
            state = jsonb_set(state::jsonb, '{d}', '{"CN1": [1789905600000000, "/test", "d", null]}')::json
            WHERE milestone = 'RDBTC'"""
        )
    assert told(database) == {("RDBTC", "CN1", "")}

    ingest(database, [scan("COLLECTED", "late", "09:30")])

    assert told(database) == {("RE", "CN1", "before_export")}
    assert list(versions(database))[-1] == (5, 6)  # revoked RDBTC, backfilled RT
    assert differences(database) == []
