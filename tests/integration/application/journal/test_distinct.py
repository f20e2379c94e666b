"""Events of one name, creations that contradict each other, clocks that are wrong: the same whatever comes first."""

from __future__ import annotations

from typing import Any

import psycopg

from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.ingest import decode, write
from service.application.journal.sweep import sweep
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.integration.application.journal.test_rules import created, hub, in_every_order, on, scan, told
from tests.support.journals import DELIVERED, RE, RP, SCAN, VOID, as_bytes, creation, differences, event, ingest


def rows(database: str, milestone: str) -> int:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT count(*) FROM history WHERE milestone = %s", (milestone,)).fetchone()
    assert found is not None
    return int(found[0])


def one(document: dict[str, Any], id_: str = "T-1001") -> dict[str, Any]:
    return document | {"id": id_}


def test_two_facts_under_one_id_both_count_and_somebody_sees_it(database: str) -> None:
    documents = [
        created(),
        one(scan("COLLECTED", "", "10:00")),
        one(scan("DELIVERED", "", "12:00")),
        one(scan("COLLECTED", "", "10:00")),  # again, which is no news
    ]

    returns = in_every_order(database, documents)

    assert told(database) == {("RDTPF", "", "id_reused")}
    assert (rows(database, "RT"), rows(database, "RDTPF")) == (returns, returns)
    assert differences(database) == []


def test_a_scan_sent_again_with_its_city_filled_in_is_no_exception_and_is_shown_with_it(database: str) -> None:
    plain = scan("COLLECTED", "c", "10:00")
    with_city = plain | {"data": {**plain["data"], "location": {"name": "Auckland"}}}

    in_every_order(database, [created(), plain, with_city])

    assert told(database) == {("RT", "", "")}
    with psycopg.connect(database) as connection:
        shown = connection.execute(
            "SELECT DISTINCT ON (return_no) state -> 'm' -> 'RT' -> 3 ->> 'name' FROM history"
            " ORDER BY return_no, seq DESC"
        ).fetchall()
    assert set(shown) == {("Auckland",)}
    assert differences(database) == []


def test_the_same_in_another_order_of_members_is_the_same(database: str) -> None:
    plain = scan("COLLECTED", "c", "10:00")
    turned = plain | {"data": dict(reversed(plain["data"].items()))}

    ingest(database, [created(), plain])
    ingest(database, [turned])

    assert rows(database, "RT") == 1


def test_deliveries_of_a_connote_under_one_id_reach_each_member_once_each(database: str) -> None:
    documents = [
        created(),
        hub(RP, "rp", "10:00"),
        hub(RE, "re", "11:00", connote="CN1"),
        on("2026-11-22", event(DELIVERED, "d", "12:00", connote="CN1")),
        on("2026-11-23", event(DELIVERED, "d", "12:00", connote="CN1")),
    ]

    returns = in_every_order(database, documents)

    assert told(database) == {("RDBTC", "CN1", "id_reused")}
    assert rows(database, "RDBTC") == 2 * returns
    assert differences(database) == []


def test_creations_that_contradict_each_other_are_seen_until_one_is_voided(database: str) -> None:
    first, second = created(), created() | {"id": "again", "time": "2026-11-20T08:00:00Z"}
    second["data"] = {**second["data"], "retailer": "zenith"}

    in_every_order(database, [first, second, scan("COLLECTED", "c", "10:00")])
    assert told(database) == {("RT", "", "creation_conflict")}
    assert retailers(database) == {"zenith"}
    assert differences(database) == []


def test_a_void_of_one_of_them_is_the_way_out(database: str) -> None:
    first, second = created(), created() | {"id": "again", "time": "2026-11-20T08:00:00Z"}
    second["data"] = {**second["data"], "retailer": "zenith"}
    void = event(VOID, "v", "20:00", return_id="R-1001", source="/test", id="again", by="me", reason="another's")

    in_every_order(database, [first, second, void, scan("COLLECTED", "c", "10:00")])

    assert told(database) == {("RT", "", "")}
    assert retailers(database) == {"acme"}
    assert differences(database) == []


def test_where_they_agree_a_void_of_a_creation_is_vain_and_says_so(database: str) -> None:
    void = event(VOID, "v", "20:00", return_id="R-1001", source="/test", id="R-1001-rc", by="me", reason="mistake")

    in_every_order(database, [created(), void])

    assert told(database) == {("RC", "", "not_voidable")}
    assert differences(database) == []


def retailers(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT DISTINCT ON (return_no) state -> 'a' ->> 0 FROM history ORDER BY return_no, seq DESC"
        ).fetchall()
    return {retailer for (retailer,) in found}


def test_what_lay_in_the_future_when_it_came_counts_and_somebody_sees_it(database: str) -> None:
    # Messages of these tests come on 2026-11-25 at 12:26:40.
    in_every_order(database, [created(), on("2026-11-26", scan("COLLECTED", "c", "00:27")), hub(RP, "rp", "10:00")])

    assert told(database) == {("RP", "", "clock_ahead")}
    assert differences(database) == []


def test_what_was_kept_before_words_were_is_not_taken_in_again(database: str) -> None:
    documents = [
        created(),
        scan("COLLECTED", "c", "10:00"),
        hub(RP, "rp", "10:00"),
        hub(RE, "re", "11:00", connote="CN1"),
        on("2026-11-22", event(DELIVERED, "d", "12:00", connote="CN1")),
    ]
    ingest(
        database, [*documents, event(SCAN, "p", "10:00", carrier="generic", tracking_number="T-9", code="COLLECTED")]
    )
    with psycopg.connect(database) as connection:  # as the release before left it
        connection.execute("UPDATE parked SET words = ''")
        connection.execute("UPDATE connote_deliveries SET words = ''")
        connection.execute("UPDATE history SET key = substr(key, 1, 8)")
        connection.execute(
            "UPDATE history SET state = (state::jsonb || '{\"r\": 2}')::json, seen = (SELECT string_agg(before.key, ''::bytea"
            " ORDER BY before.seq) FROM history AS before WHERE before.return_no = history.return_no AND before.seq <= history.seq)"
        )

    ingest(database, documents)
    assert (rows(database, "RT"), rows(database, "RDBTC")) == (1, 1)
    ingest(database, [on("2026-11-23", documents[-1]), creation("R-9", tracking_number="T-9")])

    assert (rows(database, "RT"), rows(database, "RDBTC")) == (2, 2)
    assert told(database) == {("RDBTC", "CN1", "id_reused"), ("RT", "", "")}
    assert differences(database) == []


def test_two_workers_that_get_one_name_s_facts_and_repeats_record_each_once(database: str) -> None:
    tables = CarrierTables.load()
    documents = [one(scan(code, "", time)) for code, time in (("COLLECTED", "10:00"), ("DELIVERED", "12:00"))]
    ingest(database, [created()])
    one_worker, other = (PostgresJournal(database, tables, remembered=10) for _ in range(2))
    try:
        for number, journal in enumerate((one_worker, other, one_worker, other)):
            records = [
                Record(
                    "first-mile.scans",
                    0,
                    1000 + number * 10 + place,
                    1_795_600_000_000,
                    None,
                    as_bytes(document),
                    (("content-type", b"application/cloudevents+json"),),
                )
                for place, document in enumerate(documents[:: -1 if number % 2 else 1])
            ]
            write(journal, decode(Parser(tables), records), {})
            while sweep(journal) is not None:
                pass
    finally:
        one_worker.close()
        other.close()

    assert (rows(database, "RT"), rows(database, "RDTPF")) == (1, 1)
    assert told(database) == {("RDTPF", "", "id_reused")}
    assert differences(database) == []
