"""The operations desk: search, lists, a return with its history, a connote."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from httpx import Client, Response

from tests.support import journals
from tests.support.api import project, settings_for
from tests.support.journals import creation, event, ingest, scan
from tests.support.loglines import logged
from tests.support.ops import ATTACKS, MARK, assert_escaped, audit, desk, texts

pytestmark = pytest.mark.postgres
LEEDS = {"name": "Leeds depot", "code": "LBA", "country": "GB"}
BERLIN = {"name": "Berlin", "country": "DE"}


@pytest.fixture
def agent(database: str) -> Iterator[Client]:
    with desk(settings_for(database), "ops", **{"accept-language": "en"}) as client:
        yield client


def hub(type_: str, time: str, return_id: str = "R-1001", **data: Any) -> dict[str, Any]:
    return event(type_, f"{return_id}-{type_}-{time}", time, return_id=return_id, hub="lhr-1", **data)


def delivery(connote: str, time: str = "18:00") -> dict[str, Any]:
    return event(journals.DELIVERED, f"{connote}-{time}", time, connote=connote, location=BERLIN)


def recorded(database: str, *batches: list[dict[str, Any]]) -> None:
    """Record each batch, and let the lists know."""
    for batch in batches:
        ingest(database, batch)
    project(database)


def age(database: str, return_id: str, days: int) -> None:
    """As if the return had not moved for so long."""
    with psycopg.connect(database) as owner:
        owner.execute(
            "UPDATE search_returns SET status_recorded_at = now() - %s * interval '1 day' WHERE return_id = %s",
            (days, return_id),
        )


def rows_of(answer: Response) -> list[str]:
    """The returns of a list, in its order."""
    return re.findall(r'<a data-row class="key" dir="ltr" href="/ops/returns/([^"]+)"', answer.text)


def next_of(answer: Response) -> str | None:
    """The address of the page behind this one."""
    found = re.search(r'<a class="go" href="([^"]+)"', answer.text)
    return None if found is None else html.unescape(found[1])


@pytest.mark.parametrize(
    "typed", ("R-1001", " r-1001 ", "TR-1001", "tr-1001", "A-4711", "a-4711", "CN-1", "acme", "ACME", "\uff32-1001")
)
def test_any_number_of_a_return_leads_straight_to_it(agent: Client, database: str, typed: str) -> None:
    recorded(
        database,
        [creation(order_number="A-4711"), hub(journals.RP, "12:00"), hub(journals.RE, "13:00", connote="CN-1")],
        [creation("R-2", retailer="other", order_number="B-1")],
    )

    answer = agent.get("/ops", params={"q": typed})

    assert (answer.status_code, answer.headers["location"]) == (303, "/ops/returns/R-1001")


@pytest.mark.parametrize(
    ("typed", "location"),
    (
        ("A 47/11", "/ops/returns?order_number=A+47%2F11"),
        ("SAME", "/ops/returns?tracking_number=SAME"),
        ("CN-1", "/ops/returns?connote=CN-1"),
        ("Acme", "/ops/returns?retailer=acme"),
        ("CN-ONLY-DELIVERED", "/ops/connotes/CN-ONLY-DELIVERED"),
    ),
)
def test_a_number_of_several_returns_leads_to_their_list(
    agent: Client, database: str, typed: str, location: str
) -> None:
    more: dict[str, Any] = {"order_number": "A 47/11"}
    events = [creation(each, tracking_number="SAME", **more) for each in ("R-1", "R-2", "R-3")]
    for each in ("R-1", "R-2", "R-3"):
        events += [hub(journals.RP, "12:00", each), hub(journals.RE, "13:00", each, connote="CN-1")]
    recorded(database, [*events, delivery("CN-ONLY-DELIVERED")])

    answer = agent.get("/ops", params={"q": typed})

    assert (answer.status_code, answer.headers["location"]) == (303, location)
    followed = agent.get(location)
    assert followed.status_code == 200
    if "connotes" not in location:
        assert rows_of(followed) == ["R-3", "R-2", "R-1"]


def test_a_number_that_is_known_a_moment_ago_is_found_before_the_lists_know_it(agent: Client, database: str) -> None:
    ingest(database, [creation()])

    for typed in ("R-1001", "TR-1001"):
        assert agent.get("/ops", params={"q": typed}).headers["location"] == "/ops/returns/R-1001"


def test_what_could_be_two_things_is_a_choice(agent: Client, database: str) -> None:
    recorded(database, [creation("SAME-1"), creation("R-2", order_number="SAME-1")])

    answer = agent.get("/ops", params={"q": "SAME-1"})

    assert answer.status_code == 200
    assert {"The return SAME-1", "Returns of the order SAME-1"} <= set(
        re.findall(r"The return SAME-1|Returns of the order SAME-1", texts(answer))
    )
    assert 'href="/ops/returns/SAME-1"' in answer.text
    assert 'href="/ops/returns?order_number=SAME-1"' in answer.text


def test_what_is_not_there_is_said_and_repeated_in_the_box_alone(agent: Client) -> None:
    answer = agent.get("/ops", params={"q": '"><b>R-404'})

    assert answer.status_code == 404
    assert "Nothing was found." in texts(answer)
    assert 'value="&#34;&gt;&lt;b&gt;R-404"' in answer.text
    assert agent.get("/ops", params={"q": "  "}).status_code == 200


def test_each_filter_narrows_the_list_and_they_narrow_it_together(agent: Client, database: str) -> None:
    recorded(
        database,
        [
            creation("R-1", order_number="A-1"),
            creation("R-2", retailer="fjord", order_number="A-2", route="first_mile_only"),
            creation("R-3", carrier="omniparcel"),
            creation("R-4"),
            scan("COLLECTED", "10:00", "R-1"),
            scan("DELIVERED", "11:00", "R-2"),
            hub(journals.DS, "11:00", "R-4"),
            hub(journals.RP, "12:00", "R-4"),
            hub(journals.RE, "13:00", "R-4", connote="CN-1"),
        ],
    )
    age(database, "R-1", 30)

    def listed(**filters: str) -> list[str]:
        answer = agent.get("/ops/returns", params=filters)
        assert answer.status_code == 200, answer.text
        return rows_of(answer)

    assert listed() == ["R-4", "R-3", "R-2", "R-1"]
    assert listed(status="RT") == ["R-1"]
    assert listed(route="first_mile_only") == ["R-2"]
    assert listed(carrier="omniparcel") == ["R-3"]
    assert listed(hub="LHR-1") == ["R-4"]
    assert listed(retailer=" fjord ") == ["R-2"]
    assert listed(tracking_number="TR-3") == ["R-3"]
    assert listed(order_number="A-2") == ["R-2"]
    assert listed(connote="CN-1") == ["R-4"]
    assert listed(stuck="true") == ["R-1"]
    assert listed(stuck="false") == ["R-4", "R-3", "R-2"]
    assert listed(retailer="acme", carrier="generic", status="") == ["R-4", "R-1"]
    assert listed(retailer="acme", status="RR") == []


def test_a_row_says_the_status_since_when_and_why_it_is_stuck(agent: Client, database: str) -> None:
    recorded(database, [creation(), scan("DELIVERED", "11:00", location=LEEDS)])
    age(database, "R-1001", 5)

    said = texts(agent.get("/ops/returns?status=RDTPF&stuck=true"))

    assert (
        "Transferred to Sorting Facility Stuck The carrier says delivered, but there is no depot scan. 5 days" in said
    )


def test_a_list_is_read_page_by_page_without_repeating_or_leaving_out(agent: Client, database: str) -> None:
    recorded(database, [creation(f"R-{n:03}", retailer="acme" if n % 2 else "fjord") for n in range(130)])
    for filters, expected in (("", 130), ("?retailer=fjord", 65), ("?stuck=false&carrier=generic", 130)):
        found, address = list[str](), f"/ops/returns{filters}"
        while address:
            page = agent.get(address)
            found += rows_of(page)
            address = next_of(page) or ""
        assert found == sorted(set(found), reverse=True)
        assert len(found) == expected


def test_stuck_returns_are_read_page_by_page_the_longest_first(agent: Client, database: str) -> None:
    recorded(database, [creation(f"R-{n:03}") for n in range(60)])
    for n in range(60):
        age(database, f"R-{n:03}", 20 + n)

    first = agent.get("/ops/returns?stuck=true")
    second = agent.get(next_of(first) or "")

    assert rows_of(first) + rows_of(second) == [f"R-{n:03}" for n in reversed(range(60))]


def test_filters_that_cannot_be_meant_are_named(agent: Client, database: str) -> None:
    recorded(database, [creation()])
    for name, wrong in (("status", "XX"), ("stuck", "yes"), ("route", "x"), ("carrier", "a b"), ("connote", "!")):
        answer = agent.get("/ops/returns", params={name: wrong})
        assert answer.status_code == 422
        assert rows_of(answer) == []
        assert f'id="f-{name}"' in answer.text
        assert 'aria-invalid="true"' in answer.text
    assert agent.get("/ops/returns?cursor=abc").status_code == 404
    assert agent.get("/ops/returns?cursor=WyJ4IiwxXQ").status_code == 404


def test_a_return_shows_its_whole_history_with_what_became_of_each_event(agent: Client, database: str) -> None:
    recorded(
        database,
        [
            creation(order_number="A-4711", items=[{"sku": "SHOE-42", "quantity": 1}]),
            scan("COLLECTED", "10:00", location=LEEDS),
            scan("XY-9", "10:10"),
            hub(journals.RE, "13:00", connote="CN-7"),
            scan("IN_TRANSIT", "10:30"),
        ],
        [hub(journals.RR, "14:00", reason="worn_or_used")],
    )

    answer = agent.get("/ops/returns/R-1001")

    said = texts(answer)
    assert answer.status_code == 200
    assert answer.text.index('id="event-6"') < answer.text.index('id="event-1"')  # the newest first
    for expected in (
        "Return Rejected",
        "acme",
        "A-4711",
        "Carrier scan COLLECTED Collected from the consumer",
        "Leeds depot LBA, United Kingdom",
        "Unmapped code",
        "The carrier's table says what each of its scan codes means, and has none for this one.",
        "What would resolve it: Add the code to the carrier's table and run remap: the scan is evaluated again.",
        "Held",
        "no processing of this return is known",
        "If the hub never sent it, it should now",
        "Repeated",
        "On the timeline",
        "Nov 20, 2026 10:00:00 UTC",
        "the event’s own offset",
        "SHOE-42",
        '"sku": "SHOE-42"',
        "Kind Carrier scan Asserts Return In Transit",
    ):
        assert expected in said, expected
    assert re.search(r"first-mile\.scans / 0 @ [0-9]+", said)
    assert 'href="/ops/connotes/CN-7"' in answer.text
    assert 'href="/track/R-1001"' in answer.text
    assert "Void…" not in said  # the token lacks the scope `hub`
    assert audit(database)[-1] == ("history", "R-1001", "", [])


def test_times_are_those_of_the_place_and_utc(agent: Client, database: str) -> None:
    local = event(journals.SCAN, "local", "10:00", carrier="omniparcel", tracking_number="T-9", code="OP-3")
    del local["time"]
    local["data"]["local_time"] = "2026-07-20T10:00:00"
    recorded(
        database,
        [
            creation("R-9", carrier="omniparcel", tracking_number="T-9"),
            scan("COLLECTED", "10:00", "R-8", location=BERLIN),
            creation("R-8"),
            local,
        ],
    )

    by_country = texts(agent.get("/ops/returns/R-8"))
    by_table = texts(agent.get("/ops/returns/R-9"))

    assert "Nov 20, 2026 11:00:00 UTC+1 Nov 20, 2026 10:00:00 UTC" in by_country
    assert "the carrier’s table, for a local time without an offset" in by_table
    assert "Jul 20, 2026 10:00:00" in by_table


def test_what_was_held_and_counts_now_is_settled(agent: Client, database: str) -> None:
    recorded(database, [creation(), hub(journals.RE, "13:00", connote="CN-7")], [hub(journals.RP, "12:00")])

    said = texts(agent.get("/ops/returns/R-1001"))

    assert "That is settled now." in said
    assert "What would resolve it" not in said


def test_a_stuck_return_says_why_and_what_to_do(agent: Client, database: str) -> None:
    recorded(database, [creation(), scan("DELIVERED", "11:00")])
    age(database, "R-1001", 5)

    stuck = texts(agent.get("/ops/returns/R-1001"))
    ingest(database, [hub(journals.DS, "12:00")])  # the lists do not know it yet
    moved = texts(agent.get("/ops/returns/R-1001"))

    assert "The carrier says delivered, but there is no depot scan. For 5 days, which is longer than usual." in stuck
    assert "Ask the hub to look for the parcel" in stuck
    assert "no depot scan" not in moved


def test_a_long_history_is_read_page_by_page(agent: Client, database: str) -> None:
    ingest(database, [creation(), *(scan("IN_TRANSIT", f"{n // 60 + 10}:{n % 60:02}") for n in range(120))])

    seqs, address = list[int](), "/ops/returns/R-1001"
    while address:
        page = agent.get(address)
        seqs += [int(n) for n in re.findall(r'id="event-([0-9]+)"', page.text)]
        address = next_of(page) or ""

    assert seqs == list(range(121, 0, -1))


def test_a_return_that_is_not_known_shows_what_waits_for_it(agent: Client, database: str) -> None:
    ingest(database, [hub(journals.DS, "11:00", "R-404")])

    waiting = agent.get("/ops/returns/R-404")
    nothing = agent.get("/ops/returns/R-405")

    assert (waiting.status_code, nothing.status_code) == (404, 404)
    assert "Events that wait for it" in texts(waiting)
    assert "Depot scan" in texts(waiting)
    assert "Events that wait for it" not in texts(nothing)


def test_a_connote_shows_its_members_their_status_and_its_deliveries(agent: Client, database: str) -> None:
    def exported(return_id: str, connote: str, time: str) -> list[dict[str, Any]]:
        return [hub(journals.RP, "12:00", return_id), hub(journals.RE, time, return_id, connote=connote)]

    recorded(
        database,
        [creation(each) for each in ("R-1", "R-2", "R-3")],
        [*exported("R-1", "CN-1", "13:00"), *exported("R-2", "CN-1", "13:00")],
        [*exported("R-3", "CN-1", "13:30"), hub(journals.RE, "13:10", "R-3", connote="CN-2")],
        [delivery("CN-1")],
    )

    answer = agent.get("/ops/connotes/CN-1")

    said = texts(answer)
    assert rows_of(answer) == ["R-1", "R-2", "R-3"]
    assert "Nov 20, 2026 19:00:00 UTC+1 Nov 20, 2026 18:00:00 UTC Connote delivered Berlin, Germany" in said
    assert "Return Delivered Back To Retailer 3" in said
    assert "It was exported under CN-1 too, and goes by that one." in texts(agent.get("/ops/connotes/CN-2"))
    assert agent.get("/ops/connotes/CN-404").status_code == 404
    assert "No delivery of this connote is known." in texts(agent.get("/ops/connotes/CN-2"))


def test_connotes_under_way_are_listed_the_longest_first_and_what_came_without_members_last(
    agent: Client, database: str
) -> None:
    for number, time in ((1, "13:00"), (2, "12:30")):
        events = [
            hub(journals.RP, "12:00", f"R-{number}"),
            hub(journals.RE, time, f"R-{number}", connote=f"CN-{number}"),
        ]
        recorded(database, [creation(f"R-{number}"), *events])
    recorded(database, [delivery("CN-3")])

    answer, file = agent.get("/ops/connotes"), agent.get("/ops/connotes.csv")

    # The last one once more, where it may be acknowledged.
    assert re.findall(r"CN-\d", texts(answer)) == ["CN-2", "CN-1", "CN-3", "CN-3"]
    assert "Delivered without members" in texts(answer)
    assert [line.split(",")[:2] for line in file.text.splitlines()[1:]] == [
        ["CN-2", "under_way"],
        ["CN-1", "under_way"],
        ["CN-3", "without_members"],
    ]
    only = agent.get("/ops/connotes", params={"state": "without_members"})
    assert re.findall(r"CN-\d", texts(only)) == ["CN-3", "CN-3"]
    assert agent.get("/ops/connotes", params={"state": "lost"}).status_code == 404
    assert 'href="/ops/connotes/CN-2"' in agent.get("/ops/returns/R-2").text


def test_a_large_connote_is_read_page_by_page(agent: Client, database: str) -> None:
    returns = [f"R-{n:03}" for n in range(70)]
    batch = [creation(each) for each in returns]
    for each in returns:
        batch += [hub(journals.RP, "12:00", each), hub(journals.RE, "13:00", each, connote="CN-1")]
    recorded(database, batch)

    first = agent.get("/ops/connotes/CN-1")
    second = agent.get(next_of(first) or "")

    assert rows_of(first) + rows_of(second) == returns
    assert next_of(second) is None


@pytest.mark.parametrize("language", ("de", "fr", "es", "ar"))
def test_every_page_is_there_in_every_language(agent: Client, database: str, language: str) -> None:
    recorded(database, [creation(), scan("XY-9", "10:10"), hub(journals.RE, "13:00", connote="CN-7")])
    age(database, "R-1001", 30)

    for path in (
        "/ops",
        "/ops/returns",
        "/ops/returns/R-1001",
        "/ops/connotes/CN-7",
        "/ops/audit",
        "/ops/returns/R-404",
    ):
        answer = agent.get(path, headers={"accept-language": language})
        assert answer.headers["content-language"] == language
        assert "Stuck" not in texts(answer)


def test_an_attack_on_any_field_is_a_text_like_any_other(agent: Client, database: str) -> None:
    recorded(database, [creation()])
    names = (
        "q",
        "status",
        "stuck",
        "route",
        "carrier",
        "hub",
        "retailer",
        "tracking_number",
        "order_number",
        "connote",
    )

    for attack in ATTACKS:
        for answer in (
            agent.get("/ops", params={"q": attack, "lang": attack}),
            agent.get("/ops/returns", params=dict.fromkeys(names, attack)),
            agent.get("/ops/returns", params={"order_number": attack}),
            agent.get("/ops/returns", params={"cursor": attack}),
            agent.get("/ops/returns/R-1001", params={"before": attack, "voided": attack}),
            agent.get("/ops/connotes/CN-1", params={"after": attack}),
            agent.get(agent.base_url.copy_with(raw_path=f"/ops/returns/{quote(attack, safe='')}".encode())),
            agent.get(agent.base_url.copy_with(raw_path=f"/ops/connotes/{quote(attack, safe='')}".encode())),
            agent.get(
                agent.base_url.copy_with(raw_path=f"/ops/returns/R-1001/events/{quote(attack, safe='')}/void".encode())
            ),
        ):
            assert_escaped(answer)
        header = attack.encode("ascii", "ignore").translate(None, b"\r\n\0")
        for name in (b"accept-language", b"cookie", b"x-forwarded-for", b"origin", b"referer"):
            assert_escaped(agent.get("/ops/returns", headers={name: header}))


def test_an_attack_that_a_publisher_sent_is_a_text_like_any_other(agent: Client, database: str) -> None:
    texts_of_attacks = [attack.replace("\0", "") for attack in ATTACKS]
    events = [creation(order_number=texts_of_attacks[0][:128])]
    for n, attack in enumerate(texts_of_attacks):
        document = scan(attack[:128], f"10:{n:02}", location={"name": attack[:256], "code": attack[:64]}, note=attack)
        document["source"], document["id"] = attack[:200], f"{n}{attack[:200]}"
        events.append(document)
    events.append(
        event(journals.VOID, "v", "15:00", return_id="R-1001", source=ATTACKS[0], id=ATTACKS[1], by=ATTACKS[2], reason=ATTACKS[1])
    )  # fmt: skip
    recorded(database, events)

    for path in ("/ops/returns/R-1001", "/ops/returns", "/ops/audit"):
        answer = agent.get(path)
        assert answer.status_code == 200
        assert_escaped(answer)


def test_nothing_of_what_is_looked_at_is_logged(agent: Client, database: str) -> None:
    recorded(database, [creation("R-SECRET", order_number="ORDER-SECRET")])

    with logged() as lines:
        for path in (
            "/ops?q=ORDER-SECRET",
            "/ops/returns?order_number=ORDER-SECRET",
            "/ops/returns/R-SECRET",
            "/ops/connotes/C-SECRET",
            "/ops/SECRET",
            "/ops/returns/R-SECRET/events/1/void",
        ):
            agent.get(path)

    assert "/ops/returns/{return_id}" in lines.getvalue()
    assert "SECRET" not in lines.getvalue()
    assert MARK not in lines.getvalue()
