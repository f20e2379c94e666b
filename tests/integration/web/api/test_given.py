"""Each exception tells which events give it now, whatever order they came in: on a real database, by API and at the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import psycopg
import pytest
from httpx import Client

from service.adapters.postgres.reading import pasts
from service.application.access.bounds import Bounds
from service.application.reading.exceptions.given import MOST_EVENTS
from service.domain.milestones import Reason
from tests.support.api import api, project, settings_for, token, walk
from tests.support.journals import DS, RE, RP, RR, VOID, creation, event, ingest

pytestmark = pytest.mark.postgres


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database), "read", "ops") as client:
        yield client


def hub(type_: str, id_: str, time: str, of: str = "R-1001", **more: Any) -> dict[str, Any]:
    return event(type_, id_, time, return_id=of, hub="akl1", **more)


def export(id_: str, time: str, connote: str = "C-1", of: str = "R-1001") -> dict[str, Any]:
    return hub(RE, id_, time, of, connote=connote)


def given(client: Client, return_id: str) -> dict[str, list[str]]:
    """By reason: the events that each open exception of it tells, the same wherever it is told."""
    told = dict[str, list[str]]()
    for page in walk(client, "/v1/exceptions", return_id=return_id, state="open"):
        for item in page:
            events = [each["id"].removeprefix(f"{return_id}-") for each in item["events"]]
            assert told.setdefault(item["reason"], events) == events
            assert item["events_cut"] is False
    return told


CASES: dict[str, tuple[Callable[[str], list[dict[str, Any]]], dict[str, list[str]]]] = {
    "conflict": (
        lambda of: [
            creation(of),
            creation(of, retailer="zenith") | {"id": "z", "source": "/z"},
            hub(DS, "ds", "10:00", of),
        ],
        {"creation_conflict": ["rc", "z"]},
    ),
    "connotes": (
        lambda of: [
            *(creation(of), hub(RP, "rp", "11:00", of)),
            *(export("one", "12:00", of=of), export("two", "13:00", "C-2", of)),
        ],
        {"other_connote": ["one", "two"]},
    ),
    "held": (
        lambda of: [
            creation(of),
            export("one", "12:00", of=of),
            export("two", "13:00", of=of),
            hub(DS, "ds", "10:00", of),
        ],
        {"awaiting_processed": ["one", "two"]},
    ),
    "rejected": (
        lambda of: [
            *(creation(of), hub(RP, "rp", "10:00", of), hub(RR, "rr", "11:00", of, reason="x")),
            export("re", "12:00", of=of),
        ],
        {"already_rejected": ["re"]},
    ),
    "reused": (
        lambda of: [creation(of), hub(DS, "x", "10:00", of), hub(RP, "x", "11:00", of), hub(DS, "y", "12:00", of)],
        {"id_reused": ["x", "x"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_all_events_that_give_a_reason_are_told_in_every_order(client: Client, database: str, case: str) -> None:
    events, expected = CASES[case]
    names = [f"R-{number}" for number, _ in enumerate(permutations(events("")))]
    for name, order in zip(names, permutations(range(len(events("")))), strict=True):
        for place in order:  # each is a batch of its own
            ingest(database, [events(name)[place]])
    project(database)

    assert {name: given(client, name) for name in names} == dict.fromkeys(names, expected)


def test_what_is_void_gives_nothing_and_what_is_resolved_has_none(client: Client, database: str) -> None:
    first, second = export("one", "12:00"), export("two", "13:00")
    void = event(VOID, "v", "15:00", return_id="R-1001", source=first["source"], id="one", by="me", reason="wrong")
    ingest(database, [creation(), first, second, void])
    project(database)
    assert given(client, "R-1001") == {"awaiting_processed": ["two"]}

    ingest(database, [hub(RP, "rp", "11:00")])
    project(database)

    items = client.get("/v1/exceptions", params={"return_id": "R-1001"}).json()["items"]
    assert [(each["state"], each["events"], each["events_cut"]) for each in items] == [("resolved", [], False)] * 2


def test_what_waits_is_listed_itself(client: Client, database: str) -> None:
    ingest(database, [export("re", "12:00")])

    (item,) = client.get("/v1/exceptions").json()["items"]

    assert (item["verdict"], item["events"], item["events_cut"]) == ("parked", None, False)


def test_of_very_many_so_many_are_told_and_that_there_are_more(client: Client, database: str) -> None:
    ingest(database, [creation(), *(export(f"re-{n}", f"12:{n:02}") for n in range(MOST_EVENTS + 1))])
    project(database)

    items = client.get("/v1/exceptions", params={"limit": 5}).json()["items"]

    for item in items:
        assert [each["id"] for each in item["events"]] == [f"re-{n}" for n in range(MOST_EVENTS)]
        assert item["events_cut"] is True


@pytest.mark.parametrize("bound", ("MOST_ROWS", "MOST_BYTES"))
def test_of_what_is_too_much_to_read_the_own_event_is_told_and_that_there_may_be_more(
    client: Client, database: str, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    ingest(database, [creation(), export("one", "12:00"), export("two", "13:00")])
    ingest(database, [creation("R-1002"), export("three", "12:00", of="R-1002")])
    project(database)
    monkeypatch.setattr(pasts, bound, {"MOST_ROWS": 4, "MOST_BYTES": 300}[bound])

    items = client.get("/v1/exceptions").json()["items"]

    # There is room for the newest alone, which comes first.
    assert [(each["id"], [one["id"] for one in each["events"]], each["events_cut"]) for each in items] == [
        ("three", ["three"], False),
        ("two", ["two"], True),
        ("one", ["one"], True),
    ]


def test_of_a_return_with_very_many_events_the_own_one_is_told(client: Client, database: str) -> None:
    ingest(database, [creation(), *(export(f"re-{n}", f"12:{n % 60:02}") for n in range(pasts.MOST_EACH))])
    project(database)

    (item,) = client.get("/v1/exceptions", params={"limit": 1}).json()["items"]

    assert ([each["id"] for each in item["events"]], item["events_cut"]) == ([item["id"]], True)


def test_who_is_bound_is_told_no_event_that_is_not_the_own(client: Client, database: str) -> None:
    theirs = creation(retailer="zenith") | {"id": "zenith-1", "source": "/zenith"}
    void = event(VOID, "v", "20:00", return_id="R-1001", source="/zenith", id="zenith-1", by="ops", reason="theirs")
    again = {**theirs, "data": {**theirs["data"], "route": "first_mile_only"}}
    ingest(database, [creation(), theirs, again, void, export("re", "12:00")])
    project(database)
    secret = token(settings_for(database), "ops", bounds=Bounds(retailers=frozenset({"acme"})))

    with Client(base_url=client.base_url, headers={"authorization": f"Bearer {secret}"}) as acme:
        answer = acme.get("/v1/exceptions", params={"state": "open"})

    assert "zenith" not in answer.text
    assert {each["reason"] for each in answer.json()["items"]} == {"awaiting_processed"}


def test_an_exception_that_the_rules_of_before_gave_tells_its_own_event(client: Client, database: str) -> None:
    ingest(database, [creation(), export("re", "12:00")])
    project(database)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE search_exceptions SET reason = %s", (Reason.CLOCK_AHEAD.value,))

    (item,) = client.get("/v1/exceptions").json()["items"]

    assert ([each["id"] for each in item["events"]], item["events_cut"]) == (["re"], False)
