"""A void takes one event out of its return's set, whichever of the two comes first, from topic to topic."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, NamedTuple

import pytest

from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.access.bounds import UNBOUND
from service.application.journal.publish import OutputTopics
from service.application.reading.tracking import find_history
from tests.support.ingesting import assert_right, drain, history, hub, publish
from tests.support.journals import DELIVERED, DS, RE, RP, RR, VOID, creation, event, scan
from tests.support.relaying import published_on, told, truth
from tests.support.service import Service
from tests.support.subscribing import answered, fold

Document = dict[str, Any]


def void(return_id: str, voided: str, id_: str | None = None, time: str = "20:00") -> Document:
    """What `voided` names, by its end where it is an event of the return, is taken out of it."""
    id_ = id_ or f"{return_id}-void-{voided}"
    target = {"source": "/test", "id": f"{return_id}-{voided}"}
    return event(VOID, id_, time, return_id=return_id, by="j.doe", reason="scanned by mistake", **target)


def journey(return_id: str, connote: str) -> list[Document]:
    """All that can happen to a return before its connote is delivered."""
    return [
        creation(return_id),
        scan("COLLECTED", "10:00", return_id),
        scan("IN_TRANSIT", "11:00", return_id),
        scan("DELIVERED", "12:00", return_id),
        hub(DS, f"{return_id}-ds", "13:00", return_id),
        hub(RP, f"{return_id}-rp", "14:00", return_id),
        hub(RE, f"{return_id}-re", "15:00", return_id, connote=connote),
    ]


def delivered(connote: str) -> Document:
    return event(DELIVERED, f"{connote}-d", "18:00", connote=connote)


class Case(NamedTuple):
    """What is published first, what once that is ingested, and what must follow from the second."""

    first: list[Document]
    then: list[Document]
    status: str
    changes: list[tuple[str, str, str]]  # kind, milestone, status
    rows: list[tuple[str, str | None]]  # verdict, reason
    out: set[str] | None = None  # the ids of the whole history that do not count


def full(*then: Document, **expected: Any) -> Case:
    """After a whole journey of the return that `then` is about, to the retailer."""
    return_id = then[0]["data"]["return_id"]
    return Case([*journey(return_id, f"C-{return_id}"), delivered(f"C-{return_id}")], list(then), **expected)


QUIET = ("informational", None)
CASES = {
    "depot-scan": full(
        void("depot-scan", "ds"),
        status="RDBTC",
        changes=[("revoked", "DS", "RDBTC")],
        rows=[QUIET],
        out={"depot-scan-ds", "depot-scan-void-ds"},
    ),
    "processed": full(
        void("processed", "rp"),
        status="DS",
        changes=[("revoked", "RDBTC", "RE"), ("revoked", "RE", "RP"), ("revoked", "RP", "DS")],
        rows=[QUIET],
        out={"processed-rp", "processed-re", "C-processed-d", "processed-void-rp"},
    ),
    "exported": full(
        void("exported", "re"),
        status="RP",
        changes=[("revoked", "RDBTC", "RE"), ("revoked", "RE", "RP")],
        rows=[QUIET],
    ),
    "delivered": full(
        event(VOID, "v-d", "20:00", return_id="delivered", source="/test", id="C-delivered-d", by="a", reason="b"),
        status="RE",
        changes=[("revoked", "RDBTC", "RE")],
        rows=[QUIET],
    ),
    "first-of-two-scans": full(
        void("first-of-two-scans", "COLLECTED-10:00"),
        status="RDBTC",
        changes=[("retimed", "RT", "RDBTC")],
        rows=[QUIET],
        out={"first-of-two-scans-COLLECTED-10:00", "first-of-two-scans-void-COLLECTED-10:00"},
    ),
    "only-scan": Case(
        [creation("only-scan"), scan("COLLECTED", "10:00", "only-scan")],
        [void("only-scan", "COLLECTED-10:00")],
        "RC",
        [("revoked", "RT", "RC")],
        [QUIET],
    ),
    "rejected": Case(
        [*journey("rejected", "C-rejected")[:6], hub(RR, "rejected-rr", "14:30", "rejected", reason="fake")],
        [
            hub(RE, "rejected-re", "15:00", "rejected", connote="C-rejected"),
            void("rejected", "rr"),
        ],
        "RE",
        [("revoked", "RR", "RP"), ("reached", "RE", "RE")],
        [("refused", "already_rejected"), QUIET],
    ),
    "creation": full(void("creation", "rc"), status="RDBTC", changes=[], rows=[("refused", "not_voidable")]),
    "void": full(
        void("void", "ds"),
        void("void", "void-ds"),
        status="RDBTC",
        changes=[("revoked", "DS", "RDBTC")],
        rows=[QUIET, ("refused", "not_voidable")],
    ),
    "twice": full(
        void("twice", "ds"),
        void("twice", "ds"),
        void("twice", "ds", id_="another"),
        status="RDBTC",
        changes=[("revoked", "DS", "RDBTC")],
        rows=[QUIET, QUIET],
    ),
    "before": Case(
        journey("before", "C-before")[:4],
        [void("before", "rp"), hub(RP, "before-rp", "14:00", "before"), hub(DS, "before-ds", "13:00", "before")],
        "DS",
        [("reached", "DS", "DS")],
        [QUIET, ("refused", "voided"), ("advanced", None)],
    ),
    "unknown-event": full(void("unknown-event", "nothing"), status="RDBTC", changes=[], rows=[QUIET]),
    "unknown-return": Case(
        [void("unknown-return", "ds", time="08:00"), void("unknown-return", "rp", time="20:00")],
        [*journey("unknown-return", "C-unknown")[:1], *journey("unknown-return", "C-unknown")[4:6]],
        "RC",
        [("reached", "RC", "RC")],
        [],  # in an order that the sweep makes
    ),
    "other-connote": full(
        void("other-connote", "re"),
        hub(RE, "other-connote-re2", "16:00", "other-connote", connote="C-right"),
        delivered("C-right"),
        status="RDBTC",
        changes=[
            ("revoked", "RDBTC", "RE"),
            ("revoked", "RE", "RP"),
            ("reached", "RE", "RE"),
            ("reached", "RDBTC", "RDBTC"),
        ],
        rows=[QUIET, ("advanced", None), ("advanced", None)],
    ),
    "late-delivery": Case(
        journey("late-delivery", "C-late"),
        [void("late-delivery", "re"), delivered("C-late")],
        "RP",
        [("revoked", "RE", "RP")],
        [QUIET, ("held", "awaiting_exported")],
    ),
}


def outputs(service: Service) -> OutputTopics:
    return OutputTopics(*service.settings.output_topics)


def test_whatever_is_voided_the_timeline_goes_on_without_it(service: Service) -> None:
    # In several turns, so that what comes first is known across topics.
    publish(service, *(each for case in CASES.values() for each in case.first))
    drain(service)
    recorded = {name: len(history(service, name)) for name in CASES}
    versions = {name: len(changes) for name, changes in truth(service.database).items()}
    for turn in range(max(len(case.then) for case in CASES.values())):
        publish(service, *(each for case in CASES.values() for each in case.then[turn : turn + 1]))
        drain(service)
    service.done("relay", "--drain")

    everything = [each for case in CASES.values() for each in (*case.first, *case.then)]
    assert_right(service, everything)
    published = published_on(service.topics.bootstrap_servers, outputs(service))
    changes = told(published.changes)
    assert changes == truth(service.database)
    exceptions = defaultdict(list)
    for each in published.exceptions:
        exceptions[each["return_id"]].append((each["verdict"], each["reason"]))
    with open_pool(service.database, 1) as pool:
        for name, case in CASES.items():
            rows = [tuple(row[1:]) for row in history(service, name)[recorded[name] :]]
            assert (name, published.current[name]["status"]) == (name, case.status)
            assert (name, [each[1:] for each in changes[name][versions.get(name, 0) :]]) == (name, case.changes)
            assert not case.rows or (name, rows) == (name, case.rows)
            # A voided event is no exception: somebody has looked at it.
            looked_at = {row for row in rows if row[0] in {"held", "refused"} and row[1] != "voided"}
            assert looked_at <= set(exceptions[name])
            found = find_history(PostgresReading(pool), UNBOUND, name, 0, 100)
            assert found is not None
            assert case.out is None or {item["id"] for item in found[0] if not item["counts"]} == case.out
    assert published.current["exported"]["connote"] is None
    assert published.current["other-connote"]["connote"] == "C-right"
    assert fold(published.changes) == answered(service.database)


def test_a_void_takes_a_delivery_from_one_return_of_a_connote_and_no_other(service: Service) -> None:
    deliver = delivered("C-1")
    voided = event(
        VOID, "v", "20:00", return_id="R-1001", source="/test", id=deliver["id"], by="hub", reason="left out"
    )
    documents = [*journey("R-1001", "C-1"), *journey("R-2002", "C-1"), voided, deliver]
    publish(service, *documents)

    drain(service)

    assert_right(service, documents)
    assert {name: changes[-1][3] for name, changes in truth(service.database).items()} == {
        "R-1001": "RE",
        "R-2002": "RDBTC",
    }


def test_the_history_says_who_voided_what_and_why(service: Service) -> None:
    publish(service, *journey("R-1001", "C-1"))
    drain(service)
    publish(service, void("R-1001", "ds"))
    drain(service)

    with open_pool(service.database, 1) as pool:
        found = find_history(PostgresReading(pool), UNBOUND, "R-1001", 0, 100)

    assert found is not None
    item = found[0][-1]
    expected = {"type": VOID, "milestone": None, "verdict": "informational", "counts": False, "location": None}
    assert {name: item[name] for name in expected} == expected
    assert item["data"] == {
        "return_id": "R-1001",
        "by": "j.doe",
        "reason": "scanned by mistake",
        "source": "/test",
        "id": "R-1001-ds",
    }


@pytest.mark.parametrize("seed", (20_261_123,))
def test_voids_hold_in_any_order_and_with_two_workers(service: Service, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    documents = [delivered(f"C-{number}") for number in range(10)]
    for number in range(100):
        name = f"R-{number:04}"
        events = journey(name, f"C-{number % 10}")
        ends = [each["id"].removeprefix(f"{name}-") for each in events]
        voids = [void(name, chance.choice(ends), id_=f"{name}-v{n}") for n in range(chance.randint(1, 4))]
        documents += [*events, *voids]
        if chance.random() < 0.3:
            documents.append(void(name, "v0", id_=f"{name}-vv"))
    sent = documents * 2
    chance.shuffle(sent)
    publish(service, *sent)

    workers = [service.start("ingest", "--drain", RETURNS_BATCH_SIZE="40") for _ in range(2)]
    statuses = [worker.wait(60) for worker in workers]
    service.done("relay", "--drain")

    assert statuses == [0, 0], service.log_text()
    assert_right(service, documents)
    published = published_on(service.topics.bootstrap_servers, outputs(service))
    assert told(published.changes) == truth(service.database)
    assert fold(published.changes) == answered(service.database)
