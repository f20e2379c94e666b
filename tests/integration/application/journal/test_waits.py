"""What has waited for an hour and is no return's is told on the topic of exceptions, and so is when it is over."""

from __future__ import annotations

import json
from typing import Any, Final

import psycopg

from service.application.journal.slices import SliceLimits
from tests.support.journals import DELIVERED, RE, RP, SCAN, VOID, creation, event, ingest
from tests.support.waits import look_now, pass_an_hour, published, told_of_waits

LABEL: Final = "label/generic/T-1001/parked"
CONNOTE: Final = "connote/CN-1/without_members"


def scanned(id_: str, number: str = "T-1001") -> dict[str, Any]:
    return event(SCAN, id_, "10:00", carrier="generic", tracking_number=number, code="COLLECTED")


def told(database: str) -> list[tuple[str, str]]:
    return told_of_waits(published(database))


def test_a_scan_of_an_unknown_label_is_told_of_after_an_hour_until_its_return_is_known(database: str) -> None:
    ingest(database, [scanned("1"), scanned("2")])

    assert look_now(database) == 0, "not yet"
    assert pass_an_hour(database) == 1
    assert look_now(database) == 0, "once is enough"
    assert told(database) == [(LABEL, "open")]

    ingest(database, [creation(tracking_number="T-1001")])
    assert look_now(database) == 1
    assert look_now(database) == 0
    assert told(database) == [(LABEL, "open"), (LABEL, "resolved")]


def test_what_came_within_the_hour_is_not_told_of(database: str) -> None:
    ingest(database, [scanned("1"), event(RP, "rp", "11:00", return_id="R-1001", hub="akl1")])
    ingest(database, [creation(tracking_number="T-1001")])

    assert pass_an_hour(database) == 0
    assert told(database) == []


def test_what_waits_for_a_return_is_its_own_exception(database: str) -> None:
    ingest(database, [event(RP, "rp", "11:00", return_id="R-7", hub="akl1")])
    pass_an_hour(database)

    assert told(database) == [("return/R-7/parked", "open")]


def test_a_connote_without_members_is_told_of_until_it_has_one(database: str) -> None:
    ingest(database, [event(DELIVERED, "d", "12:00", connote="CN-1"), event(DELIVERED, "e", "12:30", connote="CN-1")])
    assert pass_an_hour(database) == 1
    assert told(database) == [(CONNOTE, "open")]

    ingest(
        database,
        [
            creation(),
            event(RP, "rp", "10:00", return_id="R-1001", hub="akl1"),
            event(RE, "re", "11:00", return_id="R-1001", hub="akl1", connote="CN-1"),
        ],
    )
    assert look_now(database) == 1
    assert told(database) == [(CONNOTE, "open"), (CONNOTE, "resolved")]


def test_a_delivery_that_is_void_for_all_members_is_none(database: str) -> None:
    delivery = event(DELIVERED, "d", "12:00", connote="CN-1")
    ingest(database, [delivery])
    pass_an_hour(database)

    void = event(
        VOID, "v", "13:00", connote="CN-1", source=delivery["source"], id="d", by="me", reason="another connote"
    )
    ingest(database, [void])
    assert look_now(database) == 1
    assert pass_an_hour(database) == 0
    assert told(database) == [(CONNOTE, "open"), (CONNOTE, "resolved")]


def test_what_waits_once_more_opens_once_more(database: str) -> None:
    ingest(database, [scanned("1")])
    pass_an_hour(database)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM parked")
    look_now(database)
    ingest(database, [scanned("2")])
    pass_an_hour(database)

    assert told(database) == [(LABEL, "open"), (LABEL, "resolved"), (LABEL, "open")]


def test_after_a_reconciliation_what_is_open_is_told_again(database: str) -> None:
    ingest(database, [scanned("1")])
    pass_an_hour(database)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE told_waits SET told = false")

    assert look_now(database) == 1
    assert look_now(database) == 0
    assert told(database) == [(LABEL, "open"), (LABEL, "open")]


def test_the_relay_tells_of_each_once_however_its_slices_are_cut(database: str) -> None:
    for batch in range(4):
        ingest(database, [creation(f"R-{batch}{n}", tracking_number=f"X-{batch}{n}") for n in range(3)])
        ingest(database, [scanned(f"{batch}/{n}", f"T-{batch}{n}") for n in range(3)])
        pass_an_hour(database)

    expected = [(f"label/generic/T-{batch}{n}/parked", "open") for batch in range(4) for n in range(3)]
    for rows, waits, batches in ((1500, 2000, 200), (1500, 1, 200), (1500, 4, 200), (1, 4, 3), (2, 3, 1), (1, 1, 200)):
        found = told_of_waits(published(database, SliceLimits(rows=rows, waits=waits, batches=batches)))
        assert found == expected, (rows, waits, batches)


def test_the_message_names_what_waits_and_the_first_event_of_it(database: str) -> None:
    ingest(database, [scanned("1"), event(DELIVERED, "d", "12:00", connote="CN-1")])
    pass_an_hour(database)

    messages = [json.loads(each.message.value or b"") for piece in published(database) for each in piece]
    of_connote, of_label = (each for each in messages if each["data"].get("verdict") == "parked")
    assert (of_label["subject"], of_label["data"]["reason"]) == ("generic/T-1001", "parked")
    assert [of_label["data"][name] for name in ("return_id", "carrier", "tracking_number", "connote")] == [
        *(None, "generic", "T-1001", None)
    ]
    assert [of_label["data"][name] for name in ("milestone", "code", "event_type")] == ["RT", "COLLECTED", SCAN]
    assert of_label["data"]["cause"]["id"] == "1"
    assert of_label["data"]["occurred_at"].endswith("T10:00:00Z")
    assert set(of_label["data"]["origin"]) == {"topic", "partition", "offset"}
    assert [of_connote["data"][name] for name in ("return_id", "carrier", "connote", "milestone")] == [
        *(None, None, "CN-1", "RDBTC")
    ]
    assert len({each["id"] for each in messages}) == len(messages)
