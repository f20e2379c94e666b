"""Acknowledging what waits and is no return's at the desk: from its list, and how it is shown from then on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest
from httpx import Client, Response

from service.application.access.bounds import Bounds
from service.web.html.catalogue import LANGUAGES
from tests.integration.web.ops.test_acknowledging import bound, offers
from tests.support.api import settings_for, token
from tests.support.journals import DELIVERED, DS, event, ingest, scan
from tests.support.ops import ATTACKS, assert_escaped, audit, desk, fields, log_in, texts
from tests.support.roles import user

pytestmark = pytest.mark.postgres
LABEL, CONNOTE = (
    f"/ops/waiting/{name}/acknowledge" for name in ("label/generic/TR-1/parked", "connote/CN-1/without_members")
)
NOTE = "The portal sends it tomorrow"


@pytest.fixture
def agent(database: str) -> Iterator[Client]:
    with desk(settings_for(database), "ops", **{"accept-language": "en"}) as client:
        ingest(
            database,
            [
                scan("COLLECTED", "10:00", "R-1"),
                event(DS, "ds", "11:00", return_id="R-2", hub="akl1"),
                event(DELIVERED, "d", "12:00", connote="CN-1"),
            ],
        )
        yield client


def acknowledge(client: Client, action: str, **form: str) -> Response:
    return client.post(action, data={**fields(client.get(action), action), "note": NOTE, **form})


def abouts(answer: Response) -> list[str]:
    """What the list of parked events is about, from top to bottom."""
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-label="About"[^>]*><bdi>([^<]*)</bdi>', answer.text)


def test_the_list_of_parked_events_leads_to_a_form_and_back_to_what_still_waits(agent: Client, database: str) -> None:
    queue = agent.get("/ops/queues/parked")
    asked = agent.get(LABEL)

    sent = acknowledge(agent, LABEL)
    shown, hidden = agent.get(sent.headers["location"]), agent.get("/ops/queues/parked?state=acknowledged")
    file = agent.get("/ops/queues/parked.csv?state=acknowledged").text

    assert sorted(offers(queue)) == [LABEL, "/ops/waiting/return/R-2/parked/acknowledge"]
    assert "Its return is not known yet Events: 1. Open for" in texts(asked)
    assert (sent.status_code, abouts(shown)) == (303, ["R-2"])
    assert "generic TR-1 Acknowledged. It is hidden until it changes." in texts(shown)
    assert abouts(hidden) == ["generic TR-1"]
    assert NOTE in texts(hidden)
    (row,) = csv.DictReader(io.StringIO(file))
    assert (row["tracking_number"], row["state"]) == ("TR-1", "acknowledged")
    assert re.search(r"Parked events 1 oldest: \S+ \S+ and 1 acknowledged", texts(agent.get("/ops/queues")))
    assert [each[:2] for each in audit(database) if each[0] == "acknowledge"] == [("acknowledge", "generic/TR-1")]


def test_a_connote_without_members_is_acknowledged_from_its_page_and_leaves_the_list(
    agent: Client, database: str
) -> None:
    assert offers(agent.get("/ops/connotes")) == offers(agent.get("/ops/connotes/CN-1")) == [CONNOTE]

    sent = acknowledge(agent, CONNOTE)
    page = agent.get(sent.headers["location"])

    assert (sent.status_code, sent.headers["location"]) == (303, "/ops/connotes/CN-1")
    assert NOTE in texts(page)
    assert "CN-1" not in agent.get("/ops/connotes").text
    assert NOTE in texts(agent.get("/ops/connotes?acknowledged=true"))
    ingest(database, [event(DELIVERED, "d-2", "13:00", connote="CN-1")])
    assert offers(agent.get("/ops/connotes")) == [CONNOTE]


def test_what_has_changed_since_the_page_was_made_is_not_hidden(agent: Client, database: str) -> None:
    forms = {action: fields(agent.get(action), action) for action in (LABEL, CONNOTE)}
    again = [scan("DELIVERED", "13:00", "R-1"), event(DELIVERED, "d-2", "13:00", connote="CN-1")]
    ingest(database, again)

    answers = [agent.post(action, data={**form, "note": NOTE}) for action, form in forms.items()]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert "This exception has changed" in texts(answers[0])
    assert len(abouts(agent.get("/ops/queues/parked"))) == 3
    assert [acknowledge(agent, action).status_code for action in forms] == [303, 303]


@pytest.mark.parametrize("note", ("", "  ", "x" * 1025))
def test_without_a_note_nothing_is_done(agent: Client, database: str, note: str) -> None:
    answer = acknowledge(agent, LABEL, note=note)

    assert answer.status_code == 422
    assert "Say something of it" in texts(answer)
    assert [each for each in audit(database) if each[0] == "acknowledge"] == []


@pytest.mark.parametrize("path", ("label/generic/TR-9/parked", "connote/CN-9/without_members", "return/R-1/x", "x"))
def test_what_does_not_wait_is_not_known(agent: Client, path: str) -> None:
    answer = agent.get(f"/ops/waiting/{path}/acknowledge")

    assert answer.status_code == 404
    assert "This exception is not known" in texts(answer)


def test_whatever_is_written_in_a_note_is_text(agent: Client) -> None:
    for attack in ATTACKS:
        for action in (LABEL, CONNOTE):
            acknowledge(agent, action, note=attack)
        for path in ("/ops/queues/parked?state=acknowledged", LABEL, "/ops/connotes/CN-1", CONNOTE):
            assert_escaped(agent.get(path))


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_of_it_is_there_in_every_language(agent: Client, language: str) -> None:
    acknowledge(agent, LABEL)
    acknowledge(agent, CONNOTE)

    for path in (LABEL, CONNOTE, "/ops/queues/parked?state=acknowledged", "/ops/connotes?acknowledged=true"):
        answer = agent.get(path, headers={"accept-language": language})
        assert answer.status_code == 200
        assert f'lang="{language}"' in answer.text


def test_who_is_bound_to_another_carrier_or_a_hub_finds_none_of_it(agent: Client, database: str) -> None:
    acknowledge(agent, LABEL)

    for bounds in (Bounds(carriers=frozenset({"nzpost"})), Bounds(hubs=frozenset({"akl1"}))):
        with bound(database, bounds) as other:
            assert [other.get(path).status_code for path in (LABEL, CONNOTE)] == [404, 404]
            assert NOTE not in texts(other.get("/ops/queues/parked?state=acknowledged"))


def test_the_role_of_the_web_may_do_it(database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", "R-1"), event(DELIVERED, "d", "12:00", connote="CN-1")])
    secret = token(settings_for(database), "ops")

    with user(database, "returns_web") as url, desk(settings_for(url), **{"accept-language": "en"}) as agent:
        assert log_in(agent, secret).status_code == 303
        assert [acknowledge(agent, path).status_code for path in (LABEL, CONNOTE, LABEL)] == [303] * 3
