"""What a token that is bound sees and may do: nothing of anybody else's, whatever route it asks.

The oracle is the empty service: to who is bound to another retailer, carrier or hub, every route answers byte for byte as
it did before there was anything at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest
from fastapi import APIRouter, FastAPI
from httpx import Client

from service.application.access.bounds import UNBOUND, Bounds
from service.config import Settings
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wire.record import Record
from service.wiring import serving
from tests.support import journals
from tests.support.api import project, settings_for, token
from tests.support.bounds import (
    EMPTY,
    FIGURES,
    LETTER,
    PUBLIC,
    Asked,
    Told,
    act,
    ask,
    desk_routes,
    path_of,
    requests,
    world,
)
from tests.support.filling import Filler
from tests.support.journals import creation, event, ingest, scan
from tests.support.ops import audit, log_in, texts
from tests.support.topics import Topics
from tests.support.unheard import pass_an_hour
from tests.support.web import served

SCOPES = ("read", "create", "scan", "hub", "ops")
OTHERS = {
    "retailer": Bounds(retailers=frozenset({"bravo"})),
    "two retailers": Bounds(retailers=frozenset({"bravo", "cargo"})),
    "carrier": Bounds(carriers=frozenset({"nzpost"})),
    "hub of a retailer": Bounds(retailers=frozenset({"bravo"}), hubs=frozenset({"mel1"})),
}
TABLES = (
    "returns",
    "history",
    "parked",
    "dead_letters",
    "connote_members",
    "connote_deliveries",
    "creations",
    "acknowledgements",
    "waiting_acknowledgements",
)
TOPICS = ("returns", "scans", "hub_events", "deliveries")
pytestmark = [pytest.mark.postgres, pytest.mark.kafka, pytest.mark.slow]


class Site(NamedTuple):
    """The service on a database and a broker."""

    app: FastAPI
    client: Client
    settings: Settings
    topics: Topics

    @property
    def database(self) -> str:
        return self.settings.database_url.get_secret_value()

    @contextmanager
    def caller(self, bounds: Bounds, *scopes: str) -> Iterator[Client]:
        """Somebody with a token, at the API and logged in at the desk."""
        with Client(base_url=self.client.base_url, timeout=30, headers={"accept-language": "en"}) as client:
            secret = token(self.settings, *(scopes or SCOPES), bounds=bounds)
            assert log_in(client, secret).status_code == 303
            client.headers["authorization"] = f"Bearer {secret}"
            yield client

    def kept(self) -> tuple[Any, ...]:
        """All that a write could have changed: rows, letters that were tried, and what is in Kafka."""
        with psycopg.connect(self.database) as connection:
            counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES]
            tried = connection.execute("SELECT sum(attempts) FROM dead_letters").fetchone()
        ends = [self.topics.end(getattr(self.settings, f"topic_{name}")) for name in TOPICS]
        return (*counts, tried, *ends)

    def fill(self) -> None:
        """The world of retailer acme, and a dead letter."""
        filler = Filler(self.database)
        filler.write([Record("first-mile.scans", 0, 10**6, 1_795_600_000_000, None, LETTER, ())])
        filler.close()
        ingest(self.database, world())
        pass_an_hour(self.database)
        project(self.database)

    def next_letter(self) -> int:
        """The number that the first dead letter will have."""
        with psycopg.connect(self.database) as connection:
            row = connection.execute("SELECT nextval(pg_get_serial_sequence('dead_letters', 'letter_no'))").fetchone()
        assert row is not None
        return int(row[0]) + 1

    def everything(self, letter: int) -> list[Asked]:
        """All that can be asked."""
        return list(requests(self.client.get("/openapi.json").json(), desk_routes(self.app.routes, "GET"), letter))


@pytest.fixture
def site(database: str, topics: Topics) -> Iterator[Site]:
    names = {f"topic_{name}": topics.create(name.replace("_", "-")) for name in TOPICS}
    # A return is stuck as soon as it is anything.
    hours = dict.fromkeys((f"stuck_hours_{status}" for status in ("rc", "rt", "rdtpf", "ds", "rp", "re")), 1e-6)
    settings = settings_for(database, topics.bootstrap_servers, **names, **hours)
    with serving.web(settings, Metrics(), Stop()) as app, served(app) as client:
        client.timeout = 30
        yield Site(app, client, settings, topics)


@pytest.mark.timeout(300)
def test_no_route_tells_a_bound_token_of_anybody_elses(site: Site) -> None:
    letter = site.next_letter()
    asked = site.everything(letter)
    actions = sorted(set(desk_routes(site.app.routes, "POST")) - PUBLIC - {"/ops/logout"})

    def told(client: Client) -> dict[str, Told]:
        acted = {f"post {template}": act(client, path_of(template, letter), template) for template in actions}
        return ask(client, asked) | acted

    with ExitStack() as callers:
        others = {name: callers.enter_context(site.caller(bounds)) for name, bounds in OTHERS.items()}
        everybody = callers.enter_context(site.caller(UNBOUND))
        before = {name: told(client) for name, client in others.items()}
        empty = ask(everybody, [each for each in asked if each.method == "get"])
        site.fill()
        kept = site.kept()

        for name, client in others.items():
            found = told(client)

            assert [each for each in found if found[each] != before[name][each]] == [], name
        assert site.kept() == kept

        # And all of these would have told something, to who is not bound: nothing was asked for in vain.
        shown = ask(everybody, asked)
    assert [each.name for each in asked if not _tells(each, shown[each.name], empty.get(each.name))] == []


def _tells(asked: Asked, shown: Told, before: Told | None) -> bool:
    if asked.method != "get":
        # The address with a secret in it is for nobody with a token.
        return shown.status in (200, 201, 207) or "{secret}" in asked.template
    if asked.template in EMPTY:
        return True
    return (shown.status == 200 and shown != before and (shown.is_marked or asked.template in FIGURES)) or (
        shown.status == 303 and asked.template == "/ops"  # a search that leads straight to what it found
    )


def test_a_route_without_bounds_is_found_out(site: Site) -> None:
    router = APIRouter()

    @router.get("/v1/leaks")
    def leaks() -> int:
        with psycopg.connect(site.database) as connection:
            row = connection.execute("SELECT count(*) FROM returns").fetchone()
        return 0 if row is None else int(row[0])

    site.app.include_router(router)
    asked = [Asked("get", "/v1/leaks", "/v1/leaks", {})]
    with site.caller(OTHERS["retailer"]) as bravo:
        before = ask(bravo, asked)
        site.fill()

        assert ask(bravo, asked) != before


def test_no_route_of_the_api_answers_without_a_token(site: Site) -> None:
    letter = site.next_letter()

    answers = ask(site.client, site.everything(letter))

    # An address without a secret leads nowhere; the desk leads to its login.
    assert {name: told.status for name, told in answers.items() if told.status not in (401, 404, 303)} == {}


def test_a_bound_token_sees_its_own_and_that_alone(site: Site) -> None:
    site.fill()
    mine = {"retailer": "bravo", "carrier": "nzpost"}
    ingest(
        site.database,
        [
            creation("R-2001", order_number="B-1", **mine),
            creation("R-2002", **mine),
            event(journals.RP, "rp-2", "12:00", return_id="R-2001", hub="mel1"),
            event(journals.RE, "re-2", "13:00", return_id="R-2001", hub="mel1", connote="CN-1"),
        ],
    )
    project(site.database)

    for bounds in (OTHERS["retailer"], OTHERS["two retailers"], OTHERS["carrier"]):
        with site.caller(bounds) as bravo:
            listed = bravo.get("/v1/returns").json()
            pages = [bravo.get("/v1/returns", params={"limit": 1}).json()]
            pages.append(bravo.get("/v1/returns", params={"limit": 1, "cursor": pages[0]["next_cursor"]}).json())
            one = bravo.get("/v1/returns/R-2001")
            history = bravo.get("/v1/returns/R-2001/history").json()["items"]
            connote = bravo.get("/ops/connotes/CN-1")
            file = bravo.get("/ops/returns.csv").text
            board = texts(bravo.get("/ops/queues"))

        assert [each["return_id"] for each in listed["items"]] == ["R-2002", "R-2001"]
        assert [[each["return_id"] for each in page["items"]] for page in pages] == [["R-2002"], ["R-2001"]]
        assert (listed["next_cursor"], pages[1]["next_cursor"]) == (None, None)
        assert (one.status_code, one.json()["order_number"]) == (200, "B-1")
        assert len(history) == 4
        assert connote.status_code == 200
        assert "R-2001" in connote.text
        assert "R-100" not in connote.text
        assert file.count("\r\n") == 3
        assert "R-100" not in file
        assert "R-100" not in board


def test_a_hubs_token_sees_the_status_of_any_return_that_leads_through_one_and_nothing_personal(site: Site) -> None:
    site.fill()
    ingest(site.database, [creation("R-3001", route="first_mile_only", order_number="A-1")])
    project(site.database)

    with site.caller(Bounds(hubs=frozenset({"mel1"}))) as hub:
        one = hub.get("/v1/returns/R-1001").json()
        told = [
            hub.get(path).text
            for path in ("/v1/returns/R-1001/history", "/v1/returns", "/ops/returns/R-1001", "/ops/connotes/CN-1")
        ]
        by_order = hub.get("/v1/returns", params={"order_number": "A-4711"}).json()
        search = hub.get("/ops", params={"q": "A-4711"})
        straight = hub.get("/v1/returns/R-3001")

    assert (one["status"], one["order_number"]) == ("RDBTC", None)
    assert [step["location"] for step in one["timeline"] if step["code"] == "RT"] == [{"country": "GB"}]
    for text in told:
        assert not [word for word in ("A-4711", "12 High Street", "Ann", "Bob", "A shoe") if word in text]
    assert (by_order["items"], search.status_code, straight.status_code) == ([], 404, 404)


def test_a_return_that_was_created_for_two_retailers_is_seen_by_nobody_who_is_bound(site: Site) -> None:
    ingest(site.database, [creation("R-2001", retailer="bravo"), creation("R-2002", retailer="bravo")])
    taken = creation("R-2001", "07:00", tracking_number="TR-2001")  # for acme, and earlier
    ingest(site.database, [{**taken, "id": "taken"}])
    project(site.database)
    hub = Bounds(hubs=frozenset({"mel1"}))

    for bounds in (Bounds(retailers=frozenset({"acme"})), OTHERS["retailer"], hub):
        with site.caller(bounds) as client:
            paths = ("/v1/returns/R-2001", "/v1/returns/R-2001/history", "/ops/returns/R-2001")
            assert [client.get(path).status_code for path in paths] == [404, 404, 404]
            assert "R-2001" not in client.get("/v1/returns").text
            assert client.get("/ops", params={"q": "R-2001"}).status_code == 404
    with site.caller(UNBOUND) as everybody:
        assert everybody.get("/v1/returns/R-2001").json()["retailer"] == "acme"


def test_at_the_desk_a_hubs_token_takes_back_what_its_hub_said_and_that_alone(site: Site) -> None:
    site.fill()
    path = "/ops/returns/R-1001/events/{}/void"

    for hub, answers in (("akl1", {2: 403, 5: 200}), ("mel1", {2: 403, 5: 403})):  # a scan, and what hub akl1 processed
        with site.caller(Bounds(hubs=frozenset({hub}))) as client:
            kept = site.kept()
            assert {seq: client.get(path.format(seq)).status_code for seq in answers} == answers
            done = [act(client, path.format(seq), "void").status for seq, status in answers.items() if status == 403]
            assert set(done) == {403}
            assert site.kept() == kept


REFUSED = (
    (OTHERS["carrier"], scan("COLLECTED", "10:00", "R-2001"), "data.carrier"),
    (OTHERS["carrier"], event(journals.DS, "a", "10:00", return_id="R-2001", hub="akl1"), "type"),
    (OTHERS["carrier"], event(journals.DELIVERED, "b", "10:00", connote="CN-1"), "data.carrier"),
    (Bounds(hubs=frozenset({"mel1"})), event(journals.DS, "c", "10:00", return_id="R-1", hub="akl1"), "data.hub"),
    (Bounds(hubs=frozenset({"mel1"})), scan("COLLECTED", "10:00"), "type"),
    (OTHERS["retailer"], creation("R-2001"), "data.retailer"),
    (OTHERS["retailer"], scan("COLLECTED", "10:00", "R-1001"), "data.tracking_number"),
    (OTHERS["retailer"], event(journals.DELIVERED, "d", "10:00", connote="CN-1"), "data.connote"),
    (OTHERS["retailer"], creation("R-1001", retailer="bravo", time="07:00"), "data.return_id"),
)


def test_a_refusal_names_what_is_outside_of_the_bounds(site: Site) -> None:
    site.fill()
    kept = site.kept()

    for bounds, said, field in REFUSED:
        with site.caller(bounds) as client:
            answer = client.post("/v1/events", json=said, headers={"content-type": "application/cloudevents+json"})

        (item,) = answer.json()["items"]
        assert answer.status_code == 422
        assert (item["reason"], [fault["path"] for fault in item["faults"]]) == ("not_allowed", [field])
    assert site.kept() == kept


def test_who_is_bound_says_what_is_its_own(site: Site) -> None:
    ingest(site.database, [creation("R-2001", retailer="bravo", tracking_number="TR-2001", carrier="generic")])
    generic, mel1 = Bounds(carriers=frozenset({"generic"})), Bounds(hubs=frozenset({"mel1"}))

    for bounds, said in (
        (generic, scan("COLLECTED", "10:00", "R-2001")),
        (generic, event(journals.DELIVERED, "d", "10:00", connote="CN-1", carrier="generic")),
        (mel1, event(journals.DS, "s", "11:00", return_id="R-2001", hub="mel1")),
        (mel1, event(journals.VOID, "v", "12:00", return_id="R-2001", source="/test", id="s", by="A", reason="b")),
        (OTHERS["retailer"], scan("COLLECTED", "10:00", "R-2001")),
        (OTHERS["retailer"], creation("R-2002", retailer="bravo")),
    ):
        with site.caller(bounds) as client:
            answer = client.post("/v1/events", json=said, headers={"content-type": "application/cloudevents+json"})

        assert (answer.status_code, said["type"]) == (200, said["type"]), answer.text
    ends = [site.topics.end(getattr(site.settings, f"topic_{name}")) for name in TOPICS]
    assert ends == [1, 2, 2, 1]


def test_what_was_done_by_way_of_the_api_is_in_the_audit_log_with_who(site: Site) -> None:
    site.fill()
    letter = site.next_letter() - 1
    with site.caller(UNBOUND) as client:
        client.post("/v1/returns", json=creation("R-2001")["data"])
        client.post(
            "/v1/events",
            json=[scan("COLLECTED", "10:00")],
            headers={"content-type": "application/cloudevents-batch+json"},
        )
        client.post(f"/v1/dead-letters/{letter}/replay")

    entered, *done = audit(site.database)

    assert entered[0] == "login"
    assert [(action, subject, detail) for action, subject, _, detail in done] == [
        ("create", "R-2001", []),
        ("send", None, ["events"]),
        ("replay", str(letter), []),
    ]
