"""Voiding an event at the operations desk, through Kafka and ingestion and back to the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from httpx import Client

from service.adapters.kafka.publishing.producing import Publishing
from service.errors import Retryable
from tests.support import journals
from tests.support.api import settings_for, token
from tests.support.ingesting import drain, hub, publish, status
from tests.support.journals import creation, event, ingest, scan
from tests.support.loglines import logged
from tests.support.ops import ATTACKS, MARK, assert_escaped, audit, desk, fields, log_in, texts
from tests.support.service import Service

REASON = "The neighbour’s parcel was scanned"


@pytest.fixture
def agent(service: Service) -> Iterator[Client]:
    """Somebody at the desk of a service with Kafka."""
    with desk(service.settings, "ops", "hub", **{"accept-language": "en"}) as client:
        yield client


@pytest.fixture
def alone(database: str) -> Iterator[Client]:
    """Somebody at the desk of a service without Kafka."""
    with desk(settings_for(database), "ops", "hub", **{"accept-language": "en"}) as client:
        yield client


def void(client: Client, seq: int, **form: str) -> Any:
    """Fill in the form of an event of R-1001."""
    path = f"/ops/returns/R-1001/events/{seq}/void"
    return client.post(path, data={**fields(client.get(path), path), "reason": REASON, **form})


def test_a_void_goes_through_kafka_and_shows_when_it_is_recorded(agent: Client, service: Service) -> None:
    publish(service, creation(), hub(journals.DS, "ds", "11:00"), hub(journals.RP, "rp", "12:00"))
    drain(service)
    asked = agent.get("/ops/returns/R-1001/events/3/void")

    sent = void(agent, 3)
    page = agent.get(sent.headers["location"])
    drain(service)
    shown = agent.get(sent.headers["location"])

    assert "Return Processed → becomes Depot Scan" in texts(asked)
    assert "Return Processed no longer counts." in texts(asked)
    assert (sent.status_code, sent.headers["location"]) == (303, "/ops/returns/R-1001?voided=3")
    assert "The void of event 3 was sent." in texts(page)
    assert "data-pending" in page.text
    said = texts(shown)
    assert "Event 3 is void." in said
    assert f"token 1 says: {REASON}" in said
    assert "data-pending" not in shown.text
    assert status(service) == "DS"
    assert audit(service.database)[-4:] == [
        ("login", None, "", ["client"]),
        ("void", "R-1001", "", ["event", "void_id"]),
        ("history", "R-1001", "", []),
        ("history", "R-1001", "", []),
    ]
    ((key, source, by),) = service.query(
        "SELECT id, source, data ->> 'by' FROM history WHERE type = 'com.omnirps.event.voided.v1'"
    )
    assert key.startswith("void-")
    assert (source, by) == ("/returns-status/desk", "token 1")
    assert service.query("SELECT detail ->> 'void_id' FROM audit WHERE action = 'void'") == [(key,)]


def test_the_label_of_the_token_says_who(service: Service) -> None:
    publish(service, creation(), hub(journals.DS, "ds", "11:00"))
    drain(service)
    secret = token(service.settings, "ops", "hub")
    with psycopg.connect(service.database) as owner:
        owner.execute("UPDATE tokens SET label = 'Ann <b>'")
    with desk(service.settings, **{"accept-language": "en"}) as client:
        log_in(client, secret)
        void(client, 2)
        drain(service)
        page = client.get("/ops/returns/R-1001")

    assert f"Ann <b> says: {REASON}" in texts(page)
    assert "Ann &lt;b&gt;" in page.text


def test_a_void_that_is_sent_twice_is_one(agent: Client, service: Service) -> None:
    publish(service, creation(), hub(journals.DS, "ds", "11:00"))
    drain(service)
    path = "/ops/returns/R-1001/events/2/void"
    form = {**fields(agent.get(path), path), "reason": REASON}

    answers = [agent.post(path, data=form), agent.post(path, data=form)]
    drain(service)

    assert [answer.status_code for answer in answers] == [303, 303]
    assert service.query("SELECT count(*) FROM history") == [(3,)]
    again = agent.get("/ops/returns/R-1001/events/2/void")
    assert again.status_code == 409
    assert "This event cannot be voided" in texts(again)


def test_two_people_who_void_an_event_are_both_heard_and_name_two_voids(agent: Client, service: Service) -> None:
    publish(service, creation(), hub(journals.DS, "ds", "11:00"))
    drain(service)

    answers = [void(agent, 2), void(agent, 2, reason="Said twice"), void(agent, 2, asked="9" * 18)]
    drain(service)

    assert [answer.status_code for answer in answers] == [303] * 3
    assert status(service) == "RC"
    assert service.query("SELECT verdict, count(*) FROM history WHERE seq > 2 GROUP BY 1") == [("informational", 3)]
    assert service.query("SELECT reason FROM history WHERE reason IS NOT NULL OR exceptions IS NOT NULL") == []


def test_a_creation_and_a_void_cannot_be_voided(alone: Client, database: str) -> None:
    ingest(
        database,
        [creation(), event(journals.VOID, "v", "15:00", return_id="R-1001", source="/x", id="y", by="b", reason="r")],
    )
    form = fields(alone.get("/ops"), "/ops/logout")

    page = alone.get("/ops/returns/R-1001")
    answers = [alone.get(f"/ops/returns/R-1001/events/{seq}/void") for seq in (1, 2)]
    answers += [alone.post(f"/ops/returns/R-1001/events/{seq}/void", data={**form, "reason": REASON}) for seq in (1, 2)]

    assert "/void" not in page.text
    assert [answer.status_code for answer in answers] == [409] * 4
    assert "void" not in [row[0] for row in audit(database)]


def test_a_token_without_the_scope_of_a_hub_voids_nothing(database: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    with desk(settings_for(database), "ops", "read", "create", **{"accept-language": "en"}) as client:
        page = client.get("/ops/returns/R-1001")
        form = fields(page, "/ops/logout")
        asked = client.get("/ops/returns/R-1001/events/2/void")
        done = client.post("/ops/returns/R-1001/events/2/void", data={**form, "reason": REASON})

    assert "/void" not in page.text
    assert (asked.status_code, done.status_code) == (403, 403)
    assert "log in with a token that carries the scope hub as well" in texts(done)
    assert [row[0] for row in audit(database)] == ["login", "history"]


def test_a_scope_that_the_token_loses_is_lost_at_once(alone: Client, database: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    path = "/ops/returns/R-1001/events/2/void"
    form = fields(alone.get(path), path)

    with psycopg.connect(database) as owner:
        owner.execute("UPDATE tokens SET scopes = '{ops}'")

    assert alone.post(path, data={**form, "reason": REASON}).status_code == 403


def test_a_void_from_elsewhere_is_not_sent(alone: Client, database: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    path = "/ops/returns/R-1001/events/2/void"
    form = {**fields(alone.get(path), path), "reason": REASON}

    answers = [
        alone.post(path, data=form, headers={"sec-fetch-site": "cross-site"}),
        alone.post(path, data=form, headers={"origin": "https://evil.example"}),
        alone.post(path, data={"reason": REASON}),
        alone.post(path, data={**form, "form": "0" * 64}),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert "void" not in [row[0] for row in audit(database)]


def test_a_void_needs_a_reason_and_keeps_what_was_typed(alone: Client, database: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])

    for reason in ("", "   ", "x" * 1025, "\0\u202e\n"):
        answer = void(alone, 2, reason=reason)
        assert answer.status_code == 422, reason
        assert "Say why, in at most 1,024 characters." in texts(answer)
    for attack in ATTACKS:
        assert_escaped(void(alone, 2, reason=attack + "x" * 1100))
    kept = void(alone, 2, reason=f"<i>{MARK}</i>" + "x" * 1100)
    assert f"&lt;i&gt;{MARK}" in kept.text
    assert "void" not in [row[0] for row in audit(database)]


def test_an_event_that_is_not_there_cannot_be_voided(alone: Client, database: str) -> None:
    ingest(database, [creation()])

    for address in (
        "R-1001/events/2",
        "R-1001/events/0",
        "R-1001/events/x",
        "R-404/events/1",
        "R-1001/events/2147483647",
    ):
        answer = alone.get(f"/ops/returns/{address}/void")
        assert answer.status_code == 404
        assert "This event is not known" in texts(answer)


def test_when_kafka_is_away_nobody_is_told_that_it_was_sent(
    alone: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Retryable("no Kafka broker answers")

    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    monkeypatch.setattr(Publishing, "publish_now", away)

    with logged() as lines:
        answer = void(alone, 2)

    assert answer.status_code == 503
    assert "It is not known whether the void was sent" in texts(answer)
    assert REASON in answer.text
    assert REASON not in lines.getvalue()
    assert "void_failed" in lines.getvalue()
    assert audit(database)[-1][0] == "void"  # it was tried
