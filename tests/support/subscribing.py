"""What a subscriber must come to hold: changes folded strictly, and what the HTTP API says, in one form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.domain.events import told_place
from service.domain.milestones import BESIDE
from service.metrics import Metrics
from service.web.app import create_app
from tests.support.loglines import logged
from tests.support.web import served

MEMBERS: Final = (
    "return_id", "version", "status", "status_name", "complete", "retailer", "order_number", "route", "carrier",
    "tracking_number", "connote",
)  # fmt: skip
# Of a return: the members above, and under "timeline" when, where and by whom each milestone that counts was seen.
Held = dict[str, Any]


def held(members: Mapping[str, Any], timeline: Mapping[str, tuple[Any, Any, Any]]) -> Held:
    """What is held of a return. Its connote counts from its export on: a change tells no earlier one."""
    known = {name: members[name] for name in MEMBERS}
    return {**known, "connote": known["connote"] if "RE" in timeline else None, "timeline": dict(timeline)}


def fold(changes: Sequence[Mapping[str, Any]]) -> dict[str, Held]:
    """What the changes amount to, applied in this order; fails the test where one is lost, repeated or swapped."""
    assert_each_once_in_order(changes)
    timelines: dict[str, dict[str, tuple[Any, Any, Any]]] = defaultdict(dict)
    latest: dict[str, Mapping[str, Any]] = {}
    for change in changes:
        return_id, milestone, kind = change["return_id"], change["milestone"], change["kind"]
        timeline = timelines[return_id]
        assert change["previous_status"] == latest.get(return_id, {}).get("status"), change
        latest[return_id] = change
        if kind in BESIDE:
            continue
        assert (milestone in timeline) == (kind in {"retimed", "revoked"}), change
        assert kind != "reached" or change["status"] != change["previous_status"], change
        if kind == "revoked":
            del timeline[milestone]
        else:
            timeline[milestone] = (change["occurred_at"], change["location"], change["cause"]["source"])
    return {return_id: held(change, timelines[return_id]) for return_id, change in latest.items()}


def open_of(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The exceptions that are open for whoever folds their messages by `exception_id`: the last message of each."""
    last = {message["exception_id"]: message for message in messages}
    return [message for message in last.values() if message["state"] == "open"]


def assert_each_once_in_order(changes: Iterable[Mapping[str, Any]]) -> None:
    """The versions of each return are 1, 2, 3, ... as they come."""
    versions: dict[str, list[int]] = defaultdict(list)
    for change in changes:
        versions[change["return_id"]].append(change["version"])
    wrong = {return_id: told for return_id, told in versions.items() if told != list(range(1, len(told) + 1))}
    lost = sum(max(told) - len(set(told)) for told in wrong.values())
    repeated = sum(len(told) - len(set(told)) for told in wrong.values())
    swapped = sum(told != sorted(told) for told in wrong.values())
    shown = dict(list(wrong.items())[:3])
    assert not wrong, f"{lost} messages lost, {repeated} repeated, swapped in {swapped} returns, such as {shown}"


def answered(database: str) -> dict[str, Held]:
    """What `GET /v1/returns/{return_id}` says of each return, but for names of places that subscribers are not told."""
    with connect(database, "test") as connection:
        rows = connection.execute("SELECT return_id FROM returns ORDER BY return_id").fetchall()
        token = create_token(connection, ("read",))
    said = {}
    # Its lines, one a request, would bury what a failed test says.
    with (
        logged("warning"),
        open_pool(database, 2) as pool,
        served(create_app(PostgresReading(pool), Metrics()), token) as client,
    ):
        for (return_id,) in rows:
            answer = client.get(f"/v1/returns/{return_id}")
            assert answer.status_code == 200, answer.text
            document = answer.json()
            for step in document["timeline"]:
                step["location"] = told_place(step["location"])
            said[return_id] = of_document(document)
    return said


def without_names(held: Held) -> Held:
    """The same without names of places that are no facilities."""
    steps = held["timeline"].items()
    return {**held, "timeline": {code: (at, told_place(place), source) for code, (at, place, source) in steps}}


def of_document(document: Mapping[str, Any]) -> Held:
    """What a document of a return says."""
    timeline = {
        step["code"]: (step["occurred_at"], step["location"], step["source"])
        for step in document["timeline"]
        if step["state"] == "reached"
    }
    return held(document, timeline)
