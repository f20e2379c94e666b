"""What a batch makes of events that come late, twice, early, for nobody, or broken: real topics, real tables."""

from __future__ import annotations

import itertools
import random

import pytest

from service.adapters.postgres.journal.columns import MAX_KEYS_IN_ROW
from tests.support.ingesting import (
    STRUCTURED,
    assert_right,
    assert_verified,
    drain,
    history,
    hub,
    message,
    publish,
    status,
)
from tests.support.journals import DELIVERED, DS, RE, RP, RR, VOID, creation, event, scan
from tests.support.service import Service

NOW_SECONDS = 1_795_600_000


def journey(return_id: str = "R-1001", connote: str = "CN-1") -> list[dict[str, object]]:
    """All that can happen to a return, in order."""
    return [
        creation(return_id),
        scan("COLLECTED", "10:00", return_id),
        scan("IN_TRANSIT", "11:00", return_id),
        scan("DELIVERED", "12:00", return_id),
        hub(DS, f"{return_id}-ds", "13:00", return_id),
        hub(RP, f"{return_id}-rp", "14:00", return_id),
        hub(RE, f"{return_id}-re", "15:00", return_id, connote=connote),
    ]


def delivered(id_: str = "d-1", time: str = "18:00", connote: str = "CN-1") -> dict[str, object]:
    return event(DELIVERED, id_, time, connote=connote)


@pytest.mark.parametrize("batch_size", (1, 5000))
def test_late_repeated_and_out_of_order_events_come_to_the_same_timeline(service: Service, batch_size: int) -> None:
    documents = [each for number in range(5) for each in journey(f"R-{number:04}")] + [delivered()]
    shuffled = documents * 2
    random.Random(20_261_123).shuffle(shuffled)
    publish(service, *shuffled)

    drain(service, batch_size=batch_size)

    assert_right(service, documents)
    assert {status(service, f"R-{number:04}") for number in range(5)} == {"RDBTC"}
    assert service.query("SELECT count(*) FROM history") == [(5 * 8,)]
    assert service.query("SELECT count(*) FROM parked") == [(0,)]


def test_events_of_an_unknown_return_wait_until_it_is_created(service: Service) -> None:
    early = [scan("COLLECTED", "10:00"), hub(DS, "ds", "13:00"), hub(RP, "rp", "14:00")]
    publish(service, *early, *early)
    drain(service)
    assert service.query("SELECT count(*) FROM parked") == [(3,)]
    assert_right(service, early)

    publish(service, creation())
    drain(service)

    assert_right(service, [*early, creation()])
    assert status(service) == "RP"
    assert [id_ for id_, _, _ in history(service)] == ["R-1001-rc", *(each["id"] for each in early)]
    assert service.query("SELECT count(*) FROM parked") == [(0,)]


def test_each_batch_says_how_many_events_it_recorded(service: Service) -> None:
    documents = [*journey(), scan("WHAT", "10:30")]
    publish(service, *documents[1:], *documents[1:])
    drain(service)
    publish(service, documents[0], documents[0])
    drain(service)  # the sweep places the others in a batch of its own

    batches = service.query(
        "SELECT b.events, (SELECT count(*) FROM history WHERE batch_id = b.batch_id) FROM batches b ORDER BY n"
    )

    assert batches == [(0, 0), (1, 1), (len(documents) - 1, len(documents) - 1)]


def test_two_returns_that_claim_a_label_share_its_scans_whoever_comes_first(service: Service) -> None:
    first, second = creation("R-0001"), creation("R-0002", tracking_number="TR-0001")
    scanned = scan("COLLECTED", "10:00", "R-0001")
    publish(service, first)
    drain(service)

    publish(service, second, scanned)
    drain(service)

    assert_verified(service)
    for return_id in ("R-0001", "R-0002"):
        claimed = (row for row in history(service, return_id) if row[2] == "label_claimed")
        assert [verdict for _, verdict, _ in claimed] == ["informational"]
    assert (status(service, "R-0001"), status(service, "R-0002")) == ("RT", "RT")
    assert service.query("SELECT return_id FROM labels JOIN returns USING (return_no)") == [("R-0001",)]


@pytest.mark.parametrize("together", (True, False))
def test_a_creation_of_the_same_name_that_says_another_label_claims_that_one_too(
    service: Service, together: bool
) -> None:
    # It once claimed the label without a row in the history, and the scan below was parked for ever.
    waiting = scan("COLLECTED", "10:00", "B-1")
    first, again = creation(tracking_number="TA-1"), creation(tracking_number="TB-1")
    other = creation("R-0002", tracking_number="TB-1")
    publish(service, waiting)
    drain(service)
    publish(service, first)
    if not together:
        drain(service)
    publish(service, again)
    drain(service)
    assert service.query("SELECT tracking_number FROM labels ORDER BY 1") == [("TA-1",), ("TB-1",)]
    assert_verified(service)

    publish(service, other)
    drain(service)

    assert (status(service), status(service, "R-0002")) == ("RT", "RT")
    assert_verified(service)


def test_a_second_creation_of_a_return_may_add_a_label(service: Service) -> None:
    first, second = creation(), {**creation(time="09:30", tracking_number="TB-1"), "id": "line-2"}
    scanned = scan("COLLECTED", "10:00", "B-1")
    publish(service, scanned, first)
    drain(service)
    assert status(service) == "RC"

    publish(service, second)
    drain(service)

    assert_right(service, [first, second, scanned])
    assert status(service) == "RT"


def test_a_delivery_reaches_the_members_of_its_connote_that_joined_before_and_after_it(service: Service) -> None:
    before, after = journey("R-0001"), journey("R-0002")
    publish(service, *before)
    drain(service)

    publish(service, delivered())
    drain(service)
    assert status(service, "R-0001") == "RDBTC"

    publish(service, *after)
    drain(service)

    assert_right(service, [*before, *after, delivered()])
    assert (status(service, "R-0001"), status(service, "R-0002")) == ("RDBTC", "RDBTC")


def test_an_earlier_export_under_another_connote_leaves_the_delivery_and_may_bring_an_earlier_one(
    service: Service,
) -> None:
    documents = [*journey(connote="CN-2"), delivered("d-2", "18:00", "CN-2")]
    publish(service, *documents)
    drain(service)
    assert status(service) == "RDBTC"

    earlier = hub(RE, "re-earlier", "14:30", connote="CN-1")
    publish(service, earlier)
    drain(service)
    assert_right(service, [*documents, earlier])
    assert status(service) == "RDBTC"

    publish(service, delivered("d-1", "17:00", "CN-1"))
    drain(service)

    assert_right(service, [*documents, earlier, delivered("d-1", "17:00", "CN-1")])
    assert status(service) == "RDBTC"
    assert service.query("SELECT connote FROM connote_members ORDER BY 1") == [("CN-1",), ("CN-2",)]


@pytest.mark.parametrize("void_first", (True, False))
def test_a_void_takes_its_event_out_whichever_of_the_two_comes_first(service: Service, void_first: bool) -> None:
    rejected = hub(RR, "rr", "13:30", reason="not ours")
    void = event(VOID, "v", "16:00", return_id="R-1001", source="/test", id="rr", by="an operator", reason="a slip")
    documents = journey()
    publish(service, *documents)
    drain(service)

    for each in (void, rejected) if void_first else (rejected, void):
        publish(service, each)
        drain(service)

    assert_right(service, [*documents, rejected, void])
    assert status(service) == "RE"
    expected = [("v", "informational", None), ("rr", "refused", "voided")]
    last_two = history(service)[-2:]
    assert last_two == (expected if void_first else [("rr", last_two[0][1], last_two[0][2]), expected[0]])


def test_a_return_may_have_more_events_than_a_row_has_room_for_keys(service: Service) -> None:
    number = MAX_KEYS_IN_ROW + 20
    scans = [scan("IN_TRANSIT", f"{10 + minute // 60}:{minute % 60:02}") for minute in range(number)]
    publish(service, creation(), *scans[: number // 2])
    drain(service, batch_size=7)

    publish(service, *scans, *scans)
    drain(service, batch_size=7)
    void = event(VOID, "v", "16:00", return_id="R-1001", source="/test", id=scans[0]["id"], by="x", reason="y")
    publish(service, void, *scans)
    drain(service)

    assert_right(service, [creation(), *scans, void])
    assert len(history(service)) == 1 + number + 1
    assert service.query("SELECT count(*) FROM history WHERE seen IS NULL") == [
        (1 + number + 1 - MAX_KEYS_IN_ROW // 2,)
    ]


class TestPoison:
    def test_in_the_middle_of_a_batch_leaves_its_neighbours_alone(self, service: Service) -> None:
        documents = journey()
        topic = service.topics.name("hub_events")
        broken: list[bytes | None] = [b"", None, b"\xff\xfe", b"{", b'"text"', b"[" * 100_000, b"x" * 300_000]
        good = [message(service, each) for each in documents]
        bad = [(topic, b"R-1001", value, STRUCTURED) for value in broken]
        mixed = itertools.chain.from_iterable(itertools.zip_longest(good, bad))
        service.publish(each for each in mixed if each is not None)

        drain(service)

        assert_right(service, documents, dead_letters=len(broken))
        letters = service.query("SELECT value, reason, topic, key FROM dead_letters ORDER BY letter_no")
        assert sorted(bytes(v or b"") for v, _, _, _ in letters) == sorted(v or b"" for v in broken)
        assert {(topic, key) for _, _, topic, key in letters} == {(topic, b"R-1001")}
        assert all(reason for _, reason, _, _ in letters)

    def test_that_only_the_database_refuses_is_found_and_its_neighbours_are_kept(self, service: Service) -> None:
        # Valid, and yet too long for an index: the worker once ended itself over it, again and again.
        wide = "".join(chr(random.Random(seed).randrange(0x20000, 0x2A000)) for seed in range(512))
        refused = {**hub(DS, wide, "10:00", "R-unknown"), "source": wide[::-1]}
        documents = [*journey(), *(creation(f"R-{number:04}") for number in range(30))]
        publish(service, *documents[:20], refused, *documents[20:])

        drain(service)

        assert_right(service, documents, dead_letters=1)
        letters = service.query("SELECT reason, error FROM dead_letters")
        assert letters == [("rejected_value", "PostgreSQL 54000 parked parked_pkey")]

    def test_that_reads_like_the_end_of_a_statement_is_text(self, service: Service) -> None:
        strange = creation(order_number="'; DROP TABLE history; -- \\ \t \x7f \u2028 %s {} \N{PILE OF POO}")
        publish(service, strange)

        drain(service)

        assert_right(service, [strange])
        stored = service.query("SELECT data ->> 'order_number' FROM history")
        assert stored == [(strange["data"]["order_number"],)]


@pytest.mark.parametrize("timestamp", (-1, 0, 1, NOW_SECONDS, NOW_SECONDS * 1000 - 90 * 86_400_000))
def test_a_publishers_clock_costs_no_event(service: Service, timestamp: int) -> None:
    # Without a time, with seconds for milliseconds, or months slow: good events were letters that no replay could save.
    topic, key, value, headers = message(service, creation())
    producer = service.clients.producer()
    producer.send(topic, value, key, headers=list(headers), timestamp_ms=timestamp).get(30)

    drain(service)

    assert_right(service, [creation()])
    published = service.query("SELECT extract(epoch FROM published_at) * 1000 FROM history")
    assert published == [(timestamp,)]
