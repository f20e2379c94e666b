"""The desk's queues, dead letters, files and figures, as a browser gets them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from httpx import Client, Response

from service.web.html.catalogue import LANGUAGES
from service.wire.record import Record
from tests.support.api import project, settings_for, token
from tests.support.filling import Filler, world
from tests.support.journals import RE, RP, creation, event, ingest, scan
from tests.support.ops import ATTACKS, MARK, assert_escaped, audit, desk, fields, log_in, texts
from tests.support.roles import user
from tests.support.thorough import share
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.postgres

LISTS = (
    "/ops/queues/stuck",
    "/ops/queues/held",
    "/ops/queues/refused",
    "/ops/queues/parked",
    "/ops/queues/in-use",
    "/ops/queues/unmapped",
    "/ops/queues/unmapped/scans",
    "/ops/dead-letters",
)
PAGES = ("/ops", "/ops/queues", "/ops/figures", *LISTS)


@pytest.fixture
def agent(database: str) -> Iterator[Client]:
    with desk(settings_for(database), "ops") as client:
        yield client


def execute(database: str, statement: str, *parameters: Any) -> list[Any]:
    with psycopg.connect(database) as connection:
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def bury(database: str, *values: bytes | None, topic: str = "first-mile.scans") -> list[int]:
    """Make dead letters of these; their numbers."""
    filler = Filler(database)
    at = int(datetime.now(UTC).timestamp() * 1000)
    key, headers = b"generic/TR-1001", (("content-type", b"application/cloudevents+json"), ("x", None))
    filler.write([Record(topic, 0, 10_000 + n, at, key, value, headers) for n, value in enumerate(values)])
    filler.close()
    return [row[0] for row in execute(database, "SELECT letter_no FROM dead_letters ORDER BY 1")]


def mend(database: str, letter_no: int, document: dict[str, Any]) -> None:
    """Let the letter be what today's rules understand, as if a table or a topic's setting had been mended."""
    execute(
        database, "UPDATE dead_letters SET value = %s WHERE letter_no = %s", json.dumps(document).encode(), letter_no
    )


def age(database: str, return_id: str, **ago: float) -> None:
    """Let a return have been in its status for so long."""
    moved = datetime.now(UTC) - timedelta(**ago)
    execute(database, "UPDATE search_returns SET status_recorded_at = %s WHERE return_id = %s", moved, return_id)


def rows_of(answer: Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def test_the_first_thing_to_look_at_is_what_the_carrier_delivered_and_nobody_scanned(
    agent: Client, database: str
) -> None:
    ingest(database, [creation("R-1"), scan("DELIVERED", "10:00", "R-1")])
    ingest(database, [creation("R-2"), scan("DELIVERED", "10:00", "R-2"), creation("R-3")])
    project(database)
    age(database, "R-1", days=5)

    home, board = texts(agent.get("/ops")), texts(agent.get("/ops/queues"))
    listed = agent.get("/ops/queues/stuck?status=RDTPF")

    for page in (home, board):
        assert "Carrier says delivered, no depot scan 1 oldest: 5 days" in page
        assert "For more than 3 days no hub has confirmed" in page
        assert page.index("Carrier says delivered") < page.index("Label made, never collected")
    assert re.findall(r'href="/ops/returns/([^"]+)"', listed.text) == ["R-1"]
    assert "5 days" in texts(listed)


def test_a_threshold_comes_from_the_settings(database: str) -> None:
    ingest(database, [creation("R-1")])
    project(database)
    age(database, "R-1", hours=3)

    with desk(settings_for(database, stuck_hours_rc=2), "ops") as agent:
        assert "no carrier has scanned the parcel for more than 2 hours" in texts(
            agent.get("/ops/queues/stuck?status=RC")
        )
        assert "R-1" in texts(agent.get("/ops/queues/stuck"))
    with desk(settings_for(database, stuck_hours_rc=4), "ops") as agent:
        assert "R-1" not in texts(agent.get("/ops/queues/stuck"))


def test_held_refused_parked_and_unmapped_events_are_listed_with_their_reasons(agent: Client, database: str) -> None:
    lost = event(RP, "p", "12:00", return_id="R-77", hub="leeds")
    ingest(database, [creation("R-1"), scan("=WHAT()", "10:00", "R-1"), creation("R-2", tracking_number="TR-1"), lost])
    ingest(database, [event(RE, "re", "12:00", return_id="R-1", hub="leeds", connote="C-1")])
    ingest(database, [creation("R-5", route="first_mile_only"), event(RP, "x", "12:00", return_id="R-5", hub="leeds")])
    project(database)

    held, refused = texts(agent.get("/ops/queues/held")), texts(agent.get("/ops/queues/refused"))
    codes = agent.get("/ops/queues/unmapped")

    assert "R-1" in held
    assert "Exported before it was processed" in held
    assert "R-5" in refused
    assert "Route ends at the first mile" in refused
    assert "R-77" in texts(agent.get("/ops/queues/parked"))
    assert "R-2" in texts(agent.get("/ops/queues/in-use"))
    assert "generic =WHAT() 2 Code unknown" in texts(codes)
    (scans,) = re.findall(r'href="(/ops/queues/unmapped/scans[^"]*)"', codes.text)
    assert "R-1" in texts(agent.get(scans.replace("&amp;", "&")))
    assert "R-1" not in texts(agent.get("/ops/queues/unmapped/scans?carrier=generic&code=OTHER"))


def test_a_list_goes_on_page_by_page_and_its_file_has_all_of_it(agent: Client, database: str) -> None:
    ingest(database, [creation(f"R-{n:03}", retailer="acme" if n % 2 else "bolt") for n in range(130)])
    project(database)
    execute(database, "UPDATE search_returns SET status_recorded_at = '2026-01-01'")

    seen, address = [], "/ops/queues/stuck?retailer=acme"
    while address:
        page = agent.get(address)
        seen.append(re.findall(r'href="/ops/returns/([^"]+)"', page.text))
        found = re.search(r'href="([^"]+)" rel="next"', page.text)
        address = found[1].replace("&amp;", "&") if found else ""
    rows = rows_of(agent.get("/ops/queues/stuck.csv?retailer=acme"))

    expected = [f"R-{n:03}" for n in range(1, 130, 2)]
    assert [len(page) for page in seen] == [50, 15]
    assert [each for page in seen for each in page] == expected
    assert [row["return_id"] for row in rows] == expected
    assert {row["stuck"] for row in rows} == {"true"}


def test_a_file_is_a_file_and_does_nothing_in_a_spreadsheet_and_is_noted(agent: Client, database: str) -> None:
    ingest(database, [creation("R-1"), scan("=WHAT()", "10:00", "R-1")])
    project(database)
    (letter_no,) = bury(database, b"{")

    codes, letters = agent.get("/ops/queues/unmapped.csv"), agent.get("/ops/dead-letters.csv?reason=not_json&open=yes")
    looked_at = agent.head("/ops/dead-letters.csv")

    assert codes.headers["content-type"] == "text/csv; charset=utf-8"
    assert codes.headers["content-disposition"] == 'attachment; filename="queues-unmapped.csv"'
    assert codes.headers["cache-control"] == "no-store"
    assert codes.text.startswith("carrier,code,reason,scans,oldest,newest,example\r\ngeneric,'=WHAT(),unknown_code,1,")
    assert [(row["id"], row["reason"]) for row in rows_of(letters)] == [(str(letter_no), "not_json")]
    assert looked_at.status_code == 200
    assert [row[:1] for row in audit(database)] == [("login",), ("export",), ("export",)]


def test_a_file_has_no_more_rows_than_the_settings_allow(database: str) -> None:
    ingest(database, [creation(f"R-{n}") for n in range(20)])
    project(database)
    execute(database, "UPDATE search_returns SET status_recorded_at = '2026-01-01'")

    with desk(settings_for(database, ops_export_rows=7), "ops") as agent:
        assert len(rows_of(agent.get("/ops/queues/stuck.csv"))) == 7
        assert "at most 7 rows" in texts(agent.get("/ops/queues/stuck"))


def test_a_letter_is_replayed_and_leads_to_the_return_it_became_part_of(agent: Client, database: str) -> None:
    ingest(database, [creation()])
    project(database)
    (letter_no,) = bury(database, b'{"broken": ')
    mend(database, letter_no, scan("COLLECTED", "10:00"))
    page = agent.get(f"/ops/dead-letters/{letter_no}")

    action = f"/ops/dead-letters/{letter_no}/replay"
    result = agent.post(action, data=fields(page, action))

    assert "Today’s rules understand this message" in texts(page)
    assert result.status_code == 200
    assert "stands in its return’s history" in texts(result)
    assert 'href="/ops/returns/R-1001"' in result.text
    assert f'action="{action}"' not in result.text  # there is nothing left to replay
    assert execute(database, "SELECT attempts, resolved_at IS NULL FROM dead_letters") == [(2, False)]
    assert execute(database, "SELECT verdict FROM history ORDER BY seq") == [("advanced",), ("advanced",)]
    assert [(row[0], row[1]) for row in audit(database)[1:]] == [
        ("letter", str(letter_no)),
        ("replay", str(letter_no)),
    ]
    assert texts(agent.get("/ops/dead-letters?open=no")).count("Resolved") > 0


@pytest.mark.parametrize("case", ("failed", "waiting", "duplicate", "resolved_before"))
def test_what_became_of_a_letter_is_said_in_words(agent: Client, database: str, case: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    (letter_no,) = bury(database, b'{"broken": ')
    if case == "waiting":
        mend(database, letter_no, scan("COLLECTED", "10:00", "R-9999"))
    elif case == "duplicate":
        mend(database, letter_no, scan("COLLECTED", "10:00"))
    action = f"/ops/dead-letters/{letter_no}/replay"
    form = fields(agent.get(f"/ops/dead-letters/{letter_no}"), action)
    if case == "resolved_before":
        execute(database, "UPDATE dead_letters SET resolved_at = now()")

    said = texts(agent.post(action, data=form))

    expected = {
        "failed": "still no event. The letter stays open. Not JSON:",
        "waiting": "waits for its return to be created",
        "duplicate": "recorded already",
        "resolved_before": "had been resolved before",
    }
    assert expected[case] in said


def test_a_replay_that_another_site_asks_for_is_not_done(agent: Client, database: str) -> None:
    (letter_no,) = bury(database, b"{")
    action = f"/ops/dead-letters/{letter_no}/replay"
    form = fields(agent.get(f"/ops/dead-letters/{letter_no}"), action)

    answers = [
        agent.post(action),
        agent.post(action, data={"form": "guessed"}),
        agent.post(action, data=form, headers={"sec-fetch-site": "cross-site"}),
        agent.post(action, data=form, headers={"origin": "https://evil.example"}),
        agent.get(action),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 404]
    assert execute(database, "SELECT attempts FROM dead_letters") == [(1,)]
    assert "replay" not in [row[0] for row in audit(database)]


def test_whoever_is_not_logged_in_sees_nothing_and_takes_nothing_away(database: str) -> None:
    (letter_no,) = bury(database, b"{")
    with desk(settings_for(database)) as stranger:
        answers = [stranger.get(path) for path in (*PAGES, f"/ops/dead-letters/{letter_no}")]
        answers += [stranger.get(f"{path}.csv") for path in LISTS]
        answers += [stranger.post(f"/ops/dead-letters/{letter_no}/replay")]

    assert {answer.status_code for answer in answers} == {303}
    assert {answer.text for answer in answers} == {""}
    assert execute(database, "SELECT attempts FROM dead_letters") == [(1,)]


def test_a_letters_bytes_are_shown_as_what_they_are(agent: Client, database: str) -> None:
    values = (b"\x00\xff\xfeab", b'{"a": "\xe2\x80\xae<b>zqx</b>", ', None, b"x" * 40_000, b'{"a":1,"a":2}')
    letters = bury(database, *values)

    binary, broken, nothing, long, twice = (agent.get(f"/ops/dead-letters/{each}") for each in letters)

    assert "00 ff fe 61 62" in texts(binary)
    assert "...ab" in texts(binary)
    assert_escaped(broken)
    assert "\\u202e<b>zqx</b>" in texts(broken)
    assert "The message has no value." in texts(nothing)
    assert "40,000 bytes" in texts(long)
    assert "23,616 bytes more are kept" in texts(long)
    assert '{"a":1,"a":2}' in texts(twice)  # laid out it would have lost a member
    assert "generic/TR-1001" in texts(binary)


@contextmanager
def figures_of(database: str, **settings: Any) -> Iterator[Client]:
    with desk(settings_for(database, **settings), "ops") as client:
        yield client


def test_figures_are_drawn_and_told_as_tables(database: str) -> None:
    filler = Filler(database)
    filler.fill(world(250, seed=41))
    filler.close()
    project(database)
    execute(database, "UPDATE search_days SET day = current_date - (EXTRACT(day FROM day)::int - 1)")
    execute(
        database,
        "WITH gone AS (DELETE FROM search_minutes RETURNING events) INSERT INTO search_minutes"
        " SELECT date_trunc('minute', now()) - interval '3 minutes', sum(events) FROM gone",
    )
    (events,) = execute(database, "SELECT sum(events) FROM search_minutes")[0]
    delivered = execute(database, "SELECT returns FROM search_counts WHERE route = 'omnirps' AND status = 'RDBTC'")[0][
        0
    ]

    with figures_of(database) as agent:
        page = agent.get("/ops/figures")

    said = texts(page)
    assert f"Return Delivered Back To Retailer {delivered} {delivered}" in said
    assert f"Most: {events:,} in a minute. In the last whole minute: 0. In the hour: {events:,}." in said
    assert "Return Created → – Return In Transit" in said
    assert "Kafka does not answer: the lag is not known right now." in said
    assert page.text.count("<svg") >= 20
    assert_escaped(page)
    for svg in re.findall(r"<svg[^>]*>", page.text):
        assert 'aria-hidden="true"' in svg or ('role="img"' in svg and "aria-labelledby" in svg and "aria-desc" in svg)
    ids = re.findall(r'\sid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    for label in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page.text):
        assert label in ids


def test_figures_that_lack_something_say_so(agent: Client, database: str) -> None:
    empty = texts(agent.get("/ops/figures"))
    execute(database, "UPDATE cursors SET n = 5 WHERE name = 'figures'")

    assert empty.count("There is nothing to draw yet.") == 3
    assert "Too few returns are complete" in empty
    assert "These figures do not hold returns from before" in texts(agent.get("/ops/figures"))


def test_tables_that_have_fallen_behind_for_a_minute_say_so(agent: Client, database: str) -> None:
    ingest(database, [creation()])
    before = texts(agent.get("/ops"))
    execute(database, "UPDATE batches SET recorded_at = now() - interval '10 minutes'")

    after = texts(agent.get("/ops"))

    assert "have been behind" not in before
    assert "Lists and figures have been behind for 10 minutes: 1 batches" in after


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_there_in_every_language(database: str, language: str) -> None:
    filler = Filler(database)
    filler.fill(world(60, seed=42, invalid=0.1, wrong_code=0.1))
    filler.close()
    project(database)
    execute(database, "UPDATE search_returns SET status_recorded_at = '2026-01-01'")
    (letter_no,) = execute(database, "SELECT min(letter_no) FROM dead_letters")[0]

    with desk(settings_for(database), "ops", **{"accept-language": language}) as agent:
        answers = [agent.get(path) for path in (*PAGES, f"/ops/dead-letters/{letter_no}")]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["content-language"] for answer in answers} == {language}


@pytest.mark.shared_out
@pytest.mark.parametrize("path", LISTS)
def test_whatever_is_asked_for_nothing_breaks_and_nothing_is_reflected(agent: Client, database: str, path: str) -> None:
    ingest(database, [creation("R-1"), scan("WHAT", "10:00", "R-1")])
    bury(database, b"{")
    names = ("status", "retailer", "carrier", "hub", "route", "code", "reason", "topic", "open", "after")

    for number, attack in enumerate(ATTACKS):
        for name in share(names, 4, number):
            for ending in ("", ".csv"):
                answer = agent.get(path + ending, params={name: attack})
                assert answer.status_code in {200, 404}, (name, attack)
                if not ending:
                    assert_escaped(answer)
    for attack in ATTACKS:
        answer = agent.get(f"/ops/dead-letters/{quote(attack, safe='')}")
        assert answer.status_code in {200, 303, 404}
        assert MARK not in answer.text


def test_a_place_in_another_list_is_no_place_in_this_one(agent: Client, database: str) -> None:
    ingest(database, [creation(f"R-{n}") for n in range(60)])
    project(database)
    execute(database, "UPDATE search_returns SET status_recorded_at = '2026-01-01'")
    found = re.search(r"after=([^&\"]+)", agent.get("/ops/queues/stuck").text)
    assert found

    answers = [agent.get(f"{path}?after={found[1]}").status_code for path in ("/ops/queues/held", "/ops/dead-letters")]

    assert answers == [404, 404]


def test_the_lag_is_told_by_topic_while_kafka_answers(database: str, topics: Topics, clients: Clients) -> None:
    scans = topics.create("scans", partitions=2)
    for number in range(7):
        clients.producer().send(scans, b"x", partition=number % 2).get(timeout=10)
    execute(database, "INSERT INTO offsets VALUES (%s, 0, 1), (%s, 1, 3)", scans, scans)
    names = {f"topic_{name}": topics.name(name) for name in ("returns", "scans", "hub_events", "deliveries")}

    with desk(settings_for(database, topics.bootstrap_servers, **names), "ops") as agent:
        eventually(lambda: f"{scans} 3" in texts(agent.get("/ops")), 30)
        said = texts(agent.get("/ops"))

    assert f"{topics.name('returns')} unknown" in said  # there is no such topic
    assert "Kafka does not answer" not in said


def test_the_desk_works_with_the_role_of_the_web_process(database: str) -> None:
    ingest(database, [creation(), scan("DELIVERED", "10:00")])
    project(database)
    execute(database, "UPDATE search_returns SET status_recorded_at = '2026-01-01'")
    (letter_no,) = bury(database, b"{")
    mend(database, letter_no, scan("COLLECTED", "09:30"))
    secret = token(settings_for(database), "ops")

    with user(database, "returns_web") as url, desk(settings_for(url)) as agent:
        assert log_in(agent, secret).status_code == 303
        answers = [agent.get(path) for path in (*PAGES, f"/ops/dead-letters/{letter_no}")]
        answers += [agent.get(f"{path}.csv") for path in LISTS]
        action = f"/ops/dead-letters/{letter_no}/replay"
        answers.append(agent.post(action, data=fields(agent.get(f"/ops/dead-letters/{letter_no}"), action)))

    assert {answer.status_code for answer in answers} == {200}
    assert execute(database, "SELECT resolved_at IS NULL FROM dead_letters") == [(False,)]


def test_a_letter_is_corrected_at_the_desk_and_the_audit_log_says_what_was_set(agent: Client, database: str) -> None:
    ingest(database, [creation()])
    wrong = scan("COLLECTED", "10:00")
    wrong["data"]["carrier"] = "Generic Courier"
    (letter_no,) = bury(database, json.dumps(wrong).encode())
    action = f"/ops/dead-letters/{letter_no}/replay"
    form = fields(agent.get(f"/ops/dead-letters/{letter_no}"), action)

    nonsense = agent.post(action, data=form | {"set": "data.carrier"})
    result = agent.post(action, data=form | {"set": "data.carrier=generic\r\n\r\ndata.signed_by:=null\r\n"})

    assert nonsense.status_code == 422
    assert "PATH=VALUE or PATH:=JSON is expected" in texts(nonsense)
    assert "data.carrier</textarea>" in nonsense.text
    assert "stands in its return’s history" in texts(result)
    assert execute(database, "SELECT detail FROM audit WHERE action = 'replay'") == [
        ({"changed": "data.carrier, data.signed_by"},)
    ]


def test_the_desk_shows_whose_letters_are_thin_and_for_how_long_kafka_has_them(database: str, topics: Topics) -> None:
    topic = topics.create("thin", retention_ms=str(30 * 86_400_000))
    (letter_no,) = bury(database, None, topic=topic)
    execute(database, "UPDATE dead_letters SET reason = 'not_json', published_at = '2026-11-20T10:00:00Z'")
    execute(
        database,
        "INSERT INTO fuses (topic, partition, source, letters, last_offset, last_published_at, reason) VALUES"
        " (%s, 3, '/hubs/<b>', 41, 7, '2026-11-20T10:00:00Z', 'not_json'), (%s, 4, '', 2, 7, now(), 'not_json')",
        topic,
        topic,
    )
    execute(database, "UPDATE fuses SET mended_at = now() WHERE partition = 4")

    with desk(settings_for(database, topics.bootstrap_servers), "ops") as agent:
        page, letter = texts(agent.get("/ops/dead-letters")), texts(agent.get(f"/ops/dead-letters/{letter_no}"))

    assert "/hubs/<b> Invalid" in page
    assert "41 without a body, the last one: Not JSON" in page
    assert "Source cannot be read Mended" in page
    assert "Kafka has it until about Dec 20, 2026" in page
    assert "Only where it came and why is kept" in letter
    assert "Kafka has it until about Dec 20, 2026" in letter
