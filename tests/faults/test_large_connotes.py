"""A connote with 20,000 members: one delivery through the API, and everybody is told of every one of them, in order."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.faults.test_large_messages import peak
from tests.support.api import token
from tests.support.forking import Process
from tests.support.ingesting import message
from tests.support.journals import DELIVERED, RE, RP, creation, event
from tests.support.service import Service
from tests.support.telling import free_port
from tests.support.waiting import eventually

MEMBERS = 20_000
CONNOTE = "CN-LARGE"
MOST_MIB = 400  # that a process holds more than before the delivery
MOST_SECONDS = 120.0
STRUCTURED = {"content-type": "application/cloudevents+json"}


def events() -> Iterator[dict[str, Any]]:
    """The members: created, processed, exported."""
    for number in range(MEMBERS):
        return_id = f"R-{number:05}"
        hub = {"return_id": return_id, "hub": "akl-1"}
        yield creation(return_id, retailer=f"retailer-{number % 7}")
        yield event(RP, f"{return_id}-rp", "12:00", **hub)
        yield event(RE, f"{return_id}-re", "13:00", connote=CONNOTE, **hub)


class Subscriber:
    """Follows the topic of status changes: of each return the versions, kinds and milestones, in the order of the topic."""

    def __init__(self, service: Service) -> None:
        self._consumer = service.clients.consumer(service.topics.name("status_changes"), max_poll_records=5_000)
        self.told: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        self.number = 0

    def has(self, number: int) -> bool:
        """Whether so many changes came by now."""
        for batch in self._consumer.poll(timeout_ms=100).values():
            self.number += len(batch)
            for record in batch:
                data = json.loads(record.value)["data"]
                self.told[data["return_id"]].append((data["version"], data["kind"], data["milestone"]))
        return self.number >= number


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_delivery_of_a_connote_with_20_000_members_moves_all_of_them_once_and_in_order(service: Service) -> None:
    """What: one POST of a connote's delivery. How: the seconds until its members are recorded, told and listed; the most
    memory that each process held more than before; every member's changes in the order of its versions.
    """
    service.publish(message(service, each) for each in events())
    for command in ("ingest", "relay", "project"):
        service.done(command, "--drain", timeout=600)
    subscriber = Subscriber(service)
    eventually(lambda: subscriber.has(3 * MEMBERS), 120)
    port = str(free_port())
    processes = {name: service.start(name) for name in ("ingest", "relay", "project")}
    processes["serve"] = service.start("serve", RETURNS_HTTP_PORT=port)
    secret = token(service.settings, "read", "scan")
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {secret}"}, timeout=60
    ) as client:
        eventually(lambda: is_there(client), 60)
        listed = connote(client)
        assert (listed["state"], listed["members"], listed["under_way"]) == ("under_way", MEMBERS, MEMBERS)
        before = {name: peak(process) for name, process in processes.items()}

        seconds = delivered(service, client, subscriber)

        after = {name: peak(process) - before[name] for name, process in processes.items()}
        print(json.dumps({"members": MEMBERS, "seconds": seconds, "further MiB": after}))
        document = connote(client)
        assert (document["state"], document["delivered"], document["days_under_way"]) == ("delivered", MEMBERS, 0)
        assert len(set(members(client))) == MEMBERS
    assert not subscriber.has(4 * MEMBERS + 1)
    assert len(subscriber.told) == MEMBERS
    steps = [(1, "reached", "RC"), (2, "reached", "RP"), (3, "reached", "RE"), (4, "reached", "RDBTC")]
    assert {return_id: said for return_id, said in subscriber.told.items() if said != steps} == {}
    assert service.done("verify", timeout=300)
    assert max(after.values()) < MOST_MIB
    assert seconds["listed"] < MOST_SECONDS
    for process in processes.values():
        end(service, process)


def delivered(service: Service, client: httpx.Client, subscriber: Subscriber) -> dict[str, float]:
    """Deliver it; the seconds until Kafka had it, and from then on until all members were recorded, told and listed."""
    seconds, begun = {}, time.monotonic()
    answer = client.post("/v1/events", json=event(DELIVERED, "delivered", "18:00", connote=CONNOTE), headers=STRUCTURED)
    assert answer.status_code == 200, answer.text
    seconds["accepted"] = round(time.monotonic() - begun, 2)
    begun = time.monotonic()
    recorded = "SELECT count(*) FROM history WHERE milestone = 'RDBTC'"
    goals: dict[str, Callable[[], bool]] = {
        "recorded": lambda: service.query(recorded) == [(MEMBERS,)],
        "told": lambda: subscriber.has(4 * MEMBERS),
        "listed": lambda: bool(connote(client)["delivered"] == MEMBERS),
    }

    def all_reached() -> bool:
        for name in [each for each in goals if each not in seconds]:
            if goals[name]():
                seconds[name] = round(time.monotonic() - begun, 2)
        return goals.keys() <= seconds.keys()

    eventually(all_reached, MOST_SECONDS, every=0.1)
    return seconds


def is_there(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def connote(client: httpx.Client) -> dict[str, Any]:
    answer = client.get(f"/v1/connotes/{CONNOTE}", params={"limit": 1})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def members(client: httpx.Client) -> Iterator[str]:
    """All of them, page by page."""
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(
            f"/v1/connotes/{CONNOTE}", params={"limit": 500} | ({"cursor": cursor} if cursor else {})
        ).json()
        yield from (each["return_id"] for each in page["items"])
        cursor = page["next_cursor"]


def end(service: Service, process: Process) -> None:
    """It stops as it is told to."""
    assert service.stop(process) == 0
