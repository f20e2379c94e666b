"""Acknowledging an exception at the desk: from its queue and from its return, and how it is shown from then on."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from httpx import Client, Response

from service.application.access.bounds import Bounds
from service.web.html.catalogue import LANGUAGES
from tests.support.api import project, settings_for, token
from tests.support.journals import RE, RP, creation, event, ingest, scan
from tests.support.ops import ATTACKS, MARK, assert_escaped, audit, desk, fields, log_in, texts
from tests.support.roles import user

pytestmark = pytest.mark.postgres
ACTION = "/ops/returns/R-1001/exceptions/awaiting_processed/acknowledge"
NOTE = "The hub looks for it"


@pytest.fixture
def agent(database: str) -> Iterator[Client]:
    with desk(settings_for(database), "ops", **{"accept-language": "en"}) as client:
        yield client


def export(id_: str = "re", time: str = "13:00") -> dict[str, Any]:
    return event(RE, id_, time, return_id="R-1001", hub="akl1", connote="C-1")


def let(database: str, *events: dict[str, Any]) -> None:
    """Record these, and bring the lists up."""
    ingest(database, events)
    project(database)


def acknowledge(client: Client, **form: str) -> Response:
    """Fill in the form of R-1001's export that waits for its processing."""
    return client.post(ACTION, data={**fields(client.get(ACTION), ACTION), "note": NOTE, **form})


def returns(answer: Response) -> list[str]:
    """The returns that a list shows."""
    assert answer.status_code == 200, answer.text
    return re.findall(r'<a href="/ops/returns/([^"/]+)" dir="ltr" data-row', answer.text)


def offers(answer: Response) -> list[str]:
    return [html.unescape(href) for href in re.findall(r'href="([^"]*/acknowledge[^"]*)"', answer.text)]


def test_a_queue_leads_to_a_form_and_back_to_what_still_waits(agent: Client, database: str) -> None:
    let(
        database,
        creation(),
        export(),
        creation("R-1002"),
        event(RE, "x", "13:00", return_id="R-1002", hub="akl1", connote="C-1"),
    )

    queue = agent.get("/ops/queues/held")
    (offer,) = [each for each in offers(queue) if "R-1001" in each]
    asked = agent.get(offer)
    sent = agent.post(ACTION, data={**fields(asked, ACTION), "note": f"  {NOTE} "})
    shown = agent.get(sent.headers["location"])

    assert sorted(returns(queue)) == ["R-1001", "R-1002"]
    assert "Exported before it was processed Events: 1. Open for" in texts(asked)
    assert (sent.status_code, sent.headers["location"]) == (303, "/ops/queues/held?acknowledged=R-1001")
    assert returns(shown) == ["R-1002"]
    assert "R-1001 Acknowledged. It is hidden until it changes." in texts(shown)


def test_what_is_hidden_is_shown_to_who_asks_for_it_with_who_when_and_the_note(agent: Client, database: str) -> None:
    let(database, creation(), export())
    acknowledge(agent)

    waits, hidden = agent.get("/ops/queues/held"), agent.get("/ops/queues/held?state=acknowledged")
    file = agent.get("/ops/queues/held.csv?state=acknowledged").text

    assert returns(waits) == []
    assert '<option value="acknowledged">Acknowledged</option>' in waits.text
    assert returns(hidden) == ["R-1001"]
    assert re.search(rf"Acknowledged [^|]{{,40}}2\d\d\d[^|]{{,40}} token 1 says: {NOTE}", texts(hidden)), texts(hidden)
    assert '<option value="acknowledged" selected>' in hidden.text
    (row,) = csv.DictReader(io.StringIO(file, newline=""))
    assert (row["return_id"], row["state"]) == ("R-1001", "acknowledged")
    assert NOTE not in file
    assert agent.get("/ops/queues/held?state=resolved").status_code == 404


def test_the_page_of_a_return_has_its_exceptions_and_tells_what_was_said_of_them(agent: Client, database: str) -> None:
    let(database, creation(), export(), scan("NO-SUCH", "10:00"), creation("R-1002"))

    before = agent.get("/ops/returns/R-1001")
    sent = acknowledge(agent)
    shown = agent.get(sent.headers["location"])

    assert offers(before) == [ACTION, ACTION.replace("awaiting_processed", "unknown_code")]
    assert sent.headers["location"] == "/ops/returns/R-1001?acknowledged=awaiting_processed#exceptions"
    assert "Exported before it was processed Acknowledged. It is hidden until it changes." in texts(shown)
    assert f"token 1 says: {NOTE}" in texts(shown)
    assert "Exceptions" not in texts(agent.get("/ops/returns/R-1002"))
    again = agent.get(ACTION)
    assert "It is acknowledged already. Another note takes the place of this one." in texts(again)


def test_each_exception_of_a_return_leads_to_all_events_that_give_it(agent: Client, database: str) -> None:
    second = export() | {"id": "re-2", "time": "2026-11-20T14:30:00Z"}
    let(
        database,
        creation(),
        export(),
        second,
        *(scan("IN_TRANSIT", f"{h:02}:{m:02}") for h in (10, 11) for m in range(30)),
    )

    shown = agent.get("/ops/returns/R-1001")

    assert "Events: 2. Open for" in texts(shown)
    links = shown.text.split('class="givers"')[1].split("</ol>")[0]
    assert re.findall(r'href="([^"]+)"', links) == [
        "/ops/returns/R-1001?before=3#event-2",  # on another page of the history
        "/ops/returns/R-1001?before=4#event-3",
    ]
    older = agent.get("/ops/returns/R-1001?before=4")
    links = older.text.split('class="givers"')[1].split("</ol>")[0]
    assert re.findall(r'href="([^"]+)"', links) == ["#event-2", "#event-3"]
    assert 'id="event-2"' in older.text


def test_figures_count_what_waits_and_say_how_much_is_hidden_beside_it(agent: Client, database: str) -> None:
    let(
        database,
        creation(),
        export(),
        creation("R-1002"),
        event(RE, "x", "13:00", return_id="R-1002", hub="akl1", connote="C-1"),
    )
    ingest(
        database, [creation("R-1003", route="first_mile_only"), event(RP, "p", "12:00", return_id="R-1003", hub="akl1")]
    )
    project(database)

    acknowledge(agent)
    one = [texts(agent.get(path)) for path in ("/ops", "/ops/queues")]
    path = ACTION.replace("R-1001", "R-1002")
    agent.post(path, data={**fields(agent.get(path), path), "note": NOTE})
    none = [texts(agent.get(path)) for path in ("/ops", "/ops/queues")]

    for page in one:
        assert re.search(r"Held events 1 oldest: \S+ \S+ and 1 acknowledged", page), page
        assert re.search(r"Refused events 1 oldest: \S+ \S+ (?!and)", page), page
    for page in none:
        assert "Held events 0 Nothing waits and 2 acknowledged" in page


def test_a_scan_with_a_code_that_a_table_lacks_is_hidden_and_the_code_is_not(agent: Client, database: str) -> None:
    let(database, creation(), scan("NO-SUCH", "10:00"))
    path = ACTION.replace("awaiting_processed", "unknown_code")

    agent.post(path, data={**fields(agent.get(path), path), "note": NOTE})

    assert returns(agent.get("/ops/queues/unmapped/scans")) == []
    assert "generic NO-SUCH 1 Code unknown" in texts(agent.get("/ops/queues/unmapped"))


def test_it_comes_back_when_it_changes(agent: Client, database: str) -> None:
    let(database, creation(), export())
    acknowledge(agent)

    let(database, export("re-2", "14:00"))

    assert returns(agent.get("/ops/queues/held")) == ["R-1001", "R-1001"]
    assert "says" not in texts(agent.get("/ops/returns/R-1001")).partition("History")[0]


def test_what_changed_since_the_form_was_made_is_not_hidden(agent: Client, database: str) -> None:
    let(database, creation(), export())
    form = fields(agent.get(ACTION), ACTION)

    let(database, export("re-2", "14:00"))
    late = agent.post(ACTION, data={**form, "note": NOTE})

    assert late.status_code == 409
    assert "This exception has changed" in texts(late)
    assert returns(agent.get("/ops/queues/held")) == ["R-1001", "R-1001"]
    assert "acknowledge" not in [row[0] for row in audit(database)]


def test_one_that_is_not_known_and_one_that_is_resolved_say_so(agent: Client, database: str) -> None:
    let(database, creation(), export())
    form = {**fields(agent.get(ACTION), ACTION), "note": NOTE}
    let(database, event(RP, "rp", "12:00", return_id="R-1001", hub="akl1"))

    for answer in (agent.get(ACTION), agent.post(ACTION, data=form)):
        assert answer.status_code == 409
        assert "This exception is resolved" in texts(answer)
    for path in (
        "R-9999/exceptions/awaiting_processed",
        "R-1001/exceptions/unknown_code",
        "R-1001/exceptions/nonsense",
    ):
        for answer in (
            agent.get(f"/ops/returns/{path}/acknowledge"),
            agent.post(f"/ops/returns/{path}/acknowledge", data=form),
        ):
            assert answer.status_code == 404
            assert "This exception is not known" in texts(answer)


@pytest.mark.parametrize("note", ("", " \u202e ", "x" * 1025))
def test_without_a_note_or_with_a_long_one_it_asks_again(agent: Client, database: str, note: str) -> None:
    let(database, creation(), export())

    answer = acknowledge(agent, note=note, back="/ops/queues/held")

    assert answer.status_code == 422
    assert "Say something of it, in at most 1,024 characters." in texts(answer)
    assert fields(answer, ACTION)["back"] == "/ops/queues/held"
    assert returns(agent.get("/ops/queues/held")) == ["R-1001"]


def test_a_form_of_another_site_or_session_acknowledges_nothing(agent: Client, database: str) -> None:
    let(database, creation(), export())
    with desk(settings_for(database), "ops") as other:
        stolen = fields(other.get(ACTION), ACTION)

    answers = [agent.post(ACTION, data={**stolen, "note": NOTE}), agent.post(ACTION, data={"note": NOTE})]
    answers.append(
        agent.post(
            ACTION, data={**fields(agent.get(ACTION), ACTION), "note": NOTE}, headers={"origin": "https://evil.example"}
        )
    )

    assert [answer.status_code for answer in answers] == [403] * 3
    assert returns(agent.get("/ops/queues/held")) == ["R-1001"]


@pytest.mark.parametrize(
    "back", ("https://evil.example/", "//evil.example", "/ops/queues/held?x=1", "/ops/logout", "held")
)
def test_a_form_leads_back_to_a_queue_or_to_the_return_and_nowhere_else(
    agent: Client, database: str, back: str
) -> None:
    let(database, creation(), export())

    asked = agent.get(ACTION, params={"back": back})
    sent = acknowledge(agent, back=back)

    assert not re.search(r'(href|action|value)="[^"?]*evil', asked.text)  # the other languages have the whole address
    assert sent.headers["location"] == "/ops/returns/R-1001?acknowledged=awaiting_processed#exceptions"


def test_a_note_is_shown_as_text_whatever_it_holds(agent: Client, database: str) -> None:
    let(database, creation(), export())

    note = " ".join(attack for attack in ATTACKS if len(attack) < 100)
    sent = acknowledge(agent, note=note)

    assert sent.status_code == 303, sent.text
    for path in ("/ops/returns/R-1001", "/ops/queues/held?state=acknowledged", ACTION):
        answer = agent.get(path)
        assert_escaped(answer)
        assert f"javascript:{MARK}" in texts(answer)
    for attack in (MARK * 1500, "\u202e"):
        assert_escaped(acknowledge(agent, note=attack, back=attack))


def test_the_audit_log_says_which_and_not_what(agent: Client, database: str) -> None:
    let(database, creation(), export())

    acknowledge(agent)

    assert ("acknowledge", "R-1001", "", ["reason"]) in audit(database)
    page = texts(agent.get("/ops/audit?subject=R-1001"))
    assert "Acknowledged an exception" in page
    assert NOTE not in page


@contextmanager
def bound(database: str, bounds: Bounds) -> Iterator[Client]:
    settings = settings_for(database)
    with desk(settings, **{"accept-language": "en"}) as client:
        assert log_in(client, token(settings, "ops", bounds=bounds)).status_code == 303
        yield client


def test_who_is_bound_acknowledges_no_more_than_the_own(agent: Client, database: str) -> None:
    let(database, creation(), export())
    acknowledge(agent, note="Mrs Smith")

    with bound(database, Bounds(retailers=frozenset({"bravo"}))) as bravo:
        other = bravo.get(ACTION)
    with bound(database, Bounds(hubs=frozenset({"mel1"}))) as mel1:
        foreign, seen = mel1.get(ACTION), mel1.get("/ops/returns/R-1001")
        listed = mel1.get("/ops/queues/held?state=acknowledged")

    assert other.status_code == 404
    assert foreign.status_code == 403
    assert "This exception is not yours to acknowledge" in texts(foreign)
    for page in (seen, listed):
        assert "Acknowledged" in texts(page)
        assert "Smith" not in page.text


def test_the_role_of_the_web_may_do_it(database: str) -> None:
    let(database, creation(), export())
    secret = token(settings_for(database), "ops")

    with user(database, "returns_web") as url, desk(settings_for(url), **{"accept-language": "en"}) as agent:
        assert log_in(agent, secret).status_code == 303
        assert [acknowledge(agent).status_code, acknowledge(agent, note="Found").status_code] == [303, 303]
        assert "says: Found" in texts(agent.get("/ops/returns/R-1001"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_pages(agent: Client, database: str, language: str) -> None:
    let(database, creation(), export(), scan("NO-SUCH", "10:00"))
    acknowledge(agent)

    for path in (
        ACTION,
        "/ops/queues/held?state=acknowledged",
        "/ops/returns/R-1001?acknowledged=awaiting_processed",
        "/ops",
    ):
        answer = agent.get(path, headers={"accept-language": language})
        assert (answer.status_code, answer.headers["content-language"]) == (200, language)


def test_a_database_that_is_set_back_hides_nothing(agent: Client, database: str) -> None:
    let(database, creation(), export())
    acknowledge(agent)

    with psycopg.connect(database) as owner:
        owner.execute("UPDATE acknowledgements SET batch_id = '1'")

    assert returns(agent.get("/ops/queues/held")) == ["R-1001"]
    assert re.search(r"Held events 1 oldest: \S+ \S+ (?!and)", texts(agent.get("/ops/queues")))
