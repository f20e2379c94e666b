"""Labels are recycled and shared: whose a scan is follows from all claims of its label, whatever comes first.

Each order of arrival is another label of the same database, with returns of its own, each event a batch of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from tests.support.journals import DELIVERED, RE, RP, SCAN, creation, differences, event, ingest

Documents = Sequence[dict[str, Any]]


def on(day: str, document: dict[str, Any]) -> dict[str, Any]:
    """The event on another day, at its time."""
    return document | {"time": f"{day}T{document['time'][11:]}"}


def created(return_id: str, day: str, tracking_number: str = "T-1", id_: str = "rc", **data: Any) -> dict[str, Any]:
    named = creation(return_id, tracking_number=tracking_number, **data)
    return on(day, named | {"id": f"{return_id}-{id_}"})


def scan(code: str, day: str, time: str = "12:00", tracking_number: str = "T-1") -> dict[str, Any]:
    id_ = f"{code}-{day}-{tracking_number}"
    return on(day, event(SCAN, id_, time, carrier="generic", tracking_number=tracking_number, code=code))


def numbered(documents: Documents, n: int) -> Iterator[dict[str, Any]]:
    """The same of other returns, under another label."""
    for each in documents:
        names = {"return_id", "connote", "tracking_number"}
        data = {name: f"{v}-{n}" if name in names else v for name, v in each["data"].items()}
        yield each | {"id": f"{each['id']}-{n}", "data": data}


def in_every_order(database: str, documents: Documents, *, most: int = 24) -> None:
    orders = list(itertools.permutations(documents))
    chosen = orders[:: max(1, len(orders) // most)]
    prepared = [list(numbered(order, n)) for n, order in enumerate(chosen)]
    for step in zip(*prepared, strict=True):
        ingest(database, step)


Told = dict[str, set[tuple[str, str]]]


def told(database: str) -> Told:
    """By return, without the number of its order: the statuses that there are, with the reasons that are open."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            """SELECT return_id, verdict, reason, exceptions, status, changes, version
            FROM history JOIN returns USING (return_no) ORDER BY return_no, seq"""
        ).fetchall()
    open_ = dict[str, set[str]]()
    statuses, versions = dict[str, str](), dict[str, int]()
    for return_id, verdict, reason, moved, status, changes, version in rows:
        reasons = open_.setdefault(return_id, set())
        if verdict in {"held", "refused", "unmapped"} and reason != "voided":
            reasons.add(reason)
        for each in moved or ():
            (reasons.add if each[0] == "+" else reasons.discard)(each[1:])
        statuses[return_id] = status
        assert version == versions.get(return_id, 0) + len(changes or ())
        versions[return_id] = version
    found: Told = {}
    for return_id, status in statuses.items():
        found.setdefault(return_id.rpartition("-")[0], set()).add((status, " ".join(sorted(open_[return_id]))))
    return found


def claimed_rows(database: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(database) as connection:
        return set(
            connection.execute(
                """SELECT DISTINCT regexp_replace(return_id, '-[0-9]+$', ''), verdict, reason
                FROM history JOIN returns USING (return_no) WHERE type = 'com.omnirps.label.claimed.v1'"""
            ).fetchall()
        )


def test_a_delivery_of_months_ago_is_not_the_new_return_s_and_somebody_sees_why(database: str) -> None:
    in_every_order(database, [created("R-1", "2026-11-20"), scan("DELIVERED", "2026-09-20")])

    assert told(database) == {"R-1": {("RC", "before_label")}}
    assert differences(database) == []


def test_a_recycled_number_moves_the_new_return_and_not_the_old_one(database: str) -> None:
    documents = [
        created("R-1", "2026-02-01", route="first_mile_only"),
        scan("DELIVERED", "2026-02-04"),
        created("R-2", "2026-11-20"),
        scan("DELIVERED", "2026-11-23"),
    ]

    in_every_order(database, documents)

    assert told(database) == {"R-1": {("RDTPF", "")}, "R-2": {("RDTPF", "")}}
    with psycopg.connect(database) as connection:
        last = connection.execute(
            """SELECT DISTINCT regexp_replace(return_id, '-[0-9]+$', ''), state -> 'm' -> 'RDTPF' ->> 2 ~ '2026-11'
            FROM (SELECT DISTINCT ON (return_no) * FROM history ORDER BY return_no, seq DESC) AS last
            JOIN returns USING (return_no)"""
        ).fetchall()
    assert set(last) == {("R-1", False), ("R-2", True)}
    assert ("R-1", "informational", "label_claimed") in claimed_rows(database)
    assert differences(database) == []


def test_returns_in_one_box_share_its_scans(database: str) -> None:
    documents = [
        created("R-1", "2026-11-18"),
        created("R-2", "2026-11-20"),
        scan("COLLECTED", "2026-11-21"),
        scan("DELIVERED", "2026-11-23"),
    ]

    in_every_order(database, documents)

    assert told(database) == {
        "R-1": {("RDTPF", "tracking_number_in_use")},
        "R-2": {("RDTPF", "tracking_number_in_use")},
    }
    assert differences(database) == []


def test_who_becomes_the_first_claimant_gets_what_is_from_before_all(database: str) -> None:
    documents = [
        created("R-1", "2026-11-20"),
        created("R-2", "2026-11-21"),
        created("R-2", "2026-11-19", id_="rc-2"),
        scan("COLLECTED", "2026-10-01"),
    ]

    in_every_order(database, documents)

    assert told(database) == {
        "R-1": {("RC", "tracking_number_in_use")},
        "R-2": {("RC", "before_label tracking_number_in_use")},
    }
    assert differences(database) == []


def test_what_a_claim_kept_from_the_first_claimant_is_its_own_once_that_claim_was_another_time_s(database: str) -> None:
    documents = [
        created("R-1", "2026-10-01"),
        created("R-2", "2026-10-03"),
        created("R-3", "2026-11-01", retailer="zenith"),  # ends the window of the first, and not that of the second
        scan("COLLECTED", "2026-11-05"),
        created("R-3", "2026-10-02", retailer="zenith", id_="rc-2"),
    ]

    in_every_order(database, documents)

    assert told(database) == {
        "R-1": {("RT", "tracking_number_in_use")},
        "R-2": {("RT", "tracking_number_in_use")},
        "R-3": {("RC", "tracking_number_in_use")},
    }
    assert differences(database) == []


def test_of_two_retailers_in_one_label_only_the_earlier_one_s_return_moves(database: str) -> None:
    documents = [
        created("R-1", "2026-11-18"),
        created("R-2", "2026-11-20", retailer="zenith"),
        scan("COLLECTED", "2026-11-21"),
        scan("DELIVERED", "2026-11-23"),
    ]

    in_every_order(database, documents)

    assert told(database) == {
        "R-1": {("RDTPF", "tracking_number_in_use")},
        "R-2": {("RC", "tracking_number_in_use")},
    }
    with psycopg.connect(database) as connection:  # neither sees the other
        seen = connection.execute(
            "SELECT count(*) FROM history WHERE data::text LIKE '%zenith%' AND type LIKE '%label.claimed%'"
        ).fetchone()
    assert seen == (0,)
    assert differences(database) == []


def test_a_return_is_not_complete_at_birth_by_what_another_one_s_parcel_did(database: str) -> None:
    documents = [
        created("R-1", "2026-11-01", route="first_mile_only"),
        scan("DELIVERED", "2026-11-04"),
        created("R-2", "2026-11-25", route="first_mile_only"),
    ]

    in_every_order(database, documents)

    assert told(database) == {
        "R-1": {("RDTPF", "tracking_number_in_use")},
        "R-2": {("RC", "tracking_number_in_use")},
    }
    assert differences(database) == []


def test_a_creation_sent_again_with_its_true_time_makes_all_of_it_count(database: str) -> None:
    documents = [
        scan("COLLECTED", "2026-11-20"),
        scan("DELIVERED", "2026-11-21"),
        created("R-1", "2026-11-23"),
        created("R-1", "2026-11-19", id_="again"),
    ]
    in_every_order(database, documents)
    assert told(database) == {"R-1": {("RDTPF", "")}}
    assert differences(database) == []


def test_until_then_it_says_so(database: str) -> None:
    documents = [
        scan("COLLECTED", "2026-11-20"),
        scan("DELIVERED", "2026-11-21"),
        created("R-1", "2026-11-23"),
    ]
    in_every_order(database, documents)
    assert told(database) == {"R-1": {("RC", "before_label")}}
    assert differences(database) == []


def test_two_creations_with_two_labels_gather_the_scans_of_both(database: str) -> None:
    documents = [
        created("R-1", "2026-11-18", "T-1"),
        created("R-1", "2026-11-19", "T-2", id_="second"),
        scan("COLLECTED", "2026-11-20", tracking_number="T-1"),
        scan("DELIVERED", "2026-11-22", tracking_number="T-2"),
    ]

    in_every_order(database, documents)

    assert told(database) == {"R-1": {("RDTPF", "")}}
    assert differences(database) == []


def test_a_late_creation_that_comes_between_takes_what_is_its_own(database: str) -> None:
    documents = [
        created("R-1", "2026-06-01"),
        scan("COLLECTED", "2026-06-02"),
        created("R-2", "2026-09-01"),
        scan("COLLECTED", "2026-09-02"),
        scan("DELIVERED", "2026-11-22"),
        created("R-3", "2026-11-20"),
    ]

    in_every_order(database, documents, most=60)

    assert told(database) == {"R-1": {("RT", "")}, "R-2": {("RT", "")}, "R-3": {("RDTPF", "")}}
    assert differences(database) == []


def test_what_is_sorted_by_other_rules_of_labels_is_the_same_through_a_hub(database: str) -> None:
    documents = [
        created("R-1", "2026-11-18"),
        created("R-2", "2026-11-19"),
        event(RP, "rp", "13:00", return_id="R-2", hub="akl1"),
        event(RE, "re", "14:00", return_id="R-2", hub="akl1", connote="CN-1"),
        on("2026-11-22", event(DELIVERED, "d", "12:00", connote="CN-1")),
        scan("DELIVERED", "2026-11-20", "09:00"),
    ]

    in_every_order(database, documents)

    assert told(database) == {
        "R-1": {("RDTPF", "tracking_number_in_use")},
        "R-2": {("RDBTC", "tracking_number_in_use")},
    }
    assert differences(database) == []


CLOSED, REOPENED = "com.omnirps.return.closed.v1", "com.omnirps.return.reopened.v1"


def closed(return_id: str, day: str, type_: str = CLOSED) -> dict[str, Any]:
    id_ = f"{return_id}-{type_.split('.')[-2]}-{day}"
    return on(day, event(type_, id_, "12:00", return_id=return_id, by="me", reason="lost"))


def endings(database: str) -> set[tuple[str, str, bool]]:
    """The returns with their statuses, and whether the last word in what subscribers were told is that they are closed."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT return_id, status, changes FROM history JOIN returns USING (return_no) ORDER BY return_no, seq"
        ).fetchall()
    found = dict[str, tuple[str, bool]]()
    for return_id, status, changes in rows:
        is_closed = found.get(return_id, ("", False))[1]
        for kind, *_ in changes or ():
            is_closed = kind == "closed" or (is_closed and kind != "reopened")
        found[return_id] = status, is_closed
    return {(return_id.rpartition("-")[0], *rest) for return_id, rest in found.items()}


def test_a_closed_return_keeps_its_status_and_is_open_again_once_something_later_counts(database: str) -> None:
    documents = [
        created("R-1", "2026-11-18"),
        scan("COLLECTED", "2026-11-19"),
        closed("R-1", "2026-11-21"),
        scan("DELIVERED", "2026-11-22"),
    ]

    in_every_order(database, documents[:3])
    assert endings(database) == {("R-1", "RT", True)}
    with psycopg.connect(database) as connection:
        connection.execute("TRUNCATE history, returns, labels, label_claims, parked")
    in_every_order(database, documents)

    assert endings(database) == {("R-1", "RDTPF", False)}
    assert told(database) == {"R-1": {("RDTPF", "events_after_closed")}}
    assert differences(database) == []


def test_the_last_word_closes_or_opens_it_whichever_comes_first(database: str) -> None:
    in_every_order(
        database,
        [created("R-1", "2026-11-18"), closed("R-1", "2026-11-19"), closed("R-1", "2026-11-20", REOPENED)],
    )

    assert endings(database) == {("R-1", "RC", False)}
    assert differences(database) == []


def test_after_a_return_was_closed_the_next_claim_begins_its_label_anew_however_soon(database: str) -> None:
    documents = [
        created("R-1", "2026-11-08"),
        scan("COLLECTED", "2026-11-09"),
        closed("R-1", "2026-11-12"),
        created("R-2", "2026-11-18"),
        scan("DELIVERED", "2026-11-22"),
    ]

    in_every_order(database, documents, most=40)

    assert told(database) == {"R-1": {("RT", "")}, "R-2": {("RDTPF", "")}}
    assert endings(database) == {("R-1", "RT", True), ("R-2", "RDTPF", False)}
    assert differences(database) == []
