"""Sends the odd returns of a seed through the service, and compares what it holds of each with what is true."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple, TypeVar
from unittest.mock import patch

import psycopg

from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.search import PostgresSearch
from service.application.journal import sweep as sweeping
from service.application.journal.ingest import decode, write
from service.application.journal.publish import OutputTopics
from service.application.journal.slices import SliceLimits
from service.application.journal.watches.unheard import look
from service.application.ports import Arrival
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.projector import Projector
from service.wire.carriers import CarrierTables
from service.wire.documents import return_document
from service.wire.inbound import Parser
from service.wire.record import Record
from service.wire.stored import decode_state
from tests.support.odd_oracle import Oracle, Truth
from tests.support.odd_returns import Said, World, shuffled
from tests.support.relaying import Published, published_on
from tests.support.service import OUTPUTS, Service
from tests.support.subscribing import open_of
from tests.support.waiting import PATIENCE

_HEADERS: Final = (("content-type", b"application/cloudevents+json"),)
_SHOWN: Final = 5  # differences; there may be thousands, for one reason

Facts = dict[str, Any]
T = TypeVar("T")


class Held(NamedTuple):
    """What the service says: of each return, and of what belongs to none."""

    returns: dict[str, Facts]
    waiting: set[str]  # returns and labels that something waits for
    without_members: set[str]


class Figures(NamedTuple):
    """What was looked at."""

    events: int
    sent: int
    oddities: Mapping[str, int]


class OddReturns:
    """The odd returns of a seed, and what is true of them."""

    def __init__(self, seed: int, returns: int, now: datetime | None = None) -> None:
        self._seed = seed
        self._now = now or datetime.now(UTC).replace(microsecond=0)
        world = World(seed, returns, self._now)
        self._messages = world.messages()
        self.sent = list(shuffled(self._messages, seed))
        self.figures = Figures(len(self._messages), len(self.sent), world.counted)
        self._oracle = Oracle((message.event for message in self._messages), self._now)

    def compare(self, held: Held) -> list[str]:
        """Where the service is wrong, with all that it takes to play it again."""
        truths = {return_id: facts_of(truth) for return_id, truth in self._oracle.truths().items()}
        every = sorted(truths.keys() | held.returns)
        pairs = [(each, truths.get(each, {}), held.returns.get(each, {})) for each in every]
        found = [self._shown(*each) for each in pairs if each[1] != each[2]]
        for what, true, said in (
            ("waiting", self._oracle.parked(), held.waiting),
            ("without members", self._oracle.without_members(), held.without_members),
        ):
            if true != said:
                found.append(f"{what}: not {sorted(true - said)[:9]}, but {sorted(said - true)[:9]}")
        return found

    def judge(self, held: Held) -> None:
        """Fail where it is wrong."""
        found = self.compare(held)
        said = "\n\n".join(found[:_SHOWN])
        assert not found, f"seed {self._seed}, now {self._now}: {len(found)} differences, such as\n{said}"

    def _shown(self, return_id: str, true: Facts, said: Facts) -> str:
        names = sorted(name for name in true.keys() | said.keys() if true.get(name) != said.get(name))
        lines = [f"{return_id}: {name}: true {true.get(name)!r}, held {said.get(name)!r}" for name in names]
        return "\n".join([*lines, *(json.dumps(message.event) for message in self.about(return_id))])

    def about(self, return_id: str) -> list[Said]:
        """Whatever names the return, its labels or its connotes; and the creations and closings of whom it shares a label with."""
        own = [each for each in self._messages if each.event["data"].get("return_id") == return_id]
        labels = {_label(each) for each in own} - {None}
        connotes = {each.event["data"].get("connote") for each in own} - {None}
        sharing = {each.event["data"].get("return_id") for each in self._messages if _label(each) in labels}

        def is_about(each: Said) -> bool:
            data = each.event["data"]
            if each.topic == "returns":
                return data["return_id"] in sharing
            if data.get("return_id") is not None:
                return bool(data["return_id"] == return_id)
            return _label(each) in labels or data.get("connote") in connotes

        return sorted(filter(is_about, self._messages), key=lambda each: each.event["time"])


def _label(said: Said) -> tuple[str, str] | None:
    data = said.event["data"]
    return (data["carrier"], data["tracking_number"]) if "tracking_number" in data else None


def facts_of(truth: Truth) -> Facts:
    """What is compared of it."""
    labels = [{"carrier": carrier, "tracking_number": number} for carrier, number in truth.labels]
    timeline = {code: (at, source, location or None) for code, (at, source, location) in truth.timeline.items()}
    return {**truth._asdict(), "labels": labels, "timeline": timeline}


def facts_in(document: Mapping[str, Any], exceptions: Collection[str]) -> Facts:
    """The same, of a return's document."""
    named = ("retailer", "route", "carrier", "tracking_number", "labels", "connote", "status", "complete")
    closed = document["closed"]
    return {
        **{name: document[name] for name in named},
        "closed": None if closed is None else (closed["reason"], datetime.fromisoformat(closed["at"])),
        "timeline": {
            step["code"]: (datetime.fromisoformat(step["occurred_at"]), step["source"], step["location"] or None)
            for step in document["timeline"]
            if step["state"] == "reached"
        },
        "exceptions": set(exceptions),
    }


# In processes, from topic to topic


def through_workers(service: Service, odd: OddReturns, workers: int = 3) -> Held:
    """Publish them in their order, let so many workers read them at a time, an hour pass, and everybody be told."""
    service.publish((service.topics.name(said.topic), said.key.encode(), _value(said), _HEADERS) for said in odd.sent)
    running = [service.start("ingest", "--drain") for _ in range(workers)]
    assert [each.wait(1200 * PATIENCE) for each in running] == [0] * workers, service.log_text()
    pass_an_hour(service.database)
    service.done("relay", "--drain", timeout=600)
    service.done("project", "--drain", timeout=600)
    topics = OutputTopics(*(service.topics.name(name) for name in OUTPUTS))
    published = published_on(service.topics.bootstrap_servers, topics)
    assert published.dead == []
    open_ = _folded(published.exceptions)
    _listed(service.database, open_)
    _told_right(published)
    return Held(
        {id_: facts_in(document, open_[id_]) for id_, document in published.current.items()},
        *_beside(service.database),
    )


def _value(said: Said) -> bytes:
    return json.dumps(said.event).encode()


def pass_an_hour(database: str) -> None:
    """For the voids that named nothing, and have a worker look at all of them."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE unheard_voids SET recorded_at = recorded_at - interval '1 hour'")
    with closing(PostgresJournal(database, CarrierTables.load())) as journal:
        while look(journal):
            pass


def _folded(messages: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Which are open, for who folds the topic by `exception_id`."""
    open_ = defaultdict[str, set[str]](set)
    for message in open_of(messages):
        open_[message["return_id"]].add(message["reason"])
    return open_


def _listed(database: str, open_: Mapping[str, set[str]]) -> None:
    """What is listed is what the topic tells."""
    listed = in_list(database)
    differing = [each for each in listed.keys() | open_.keys() if listed.get(each, set()) != open_.get(each, set())]
    shown = [(each, open_.get(each), listed.get(each)) for each in sorted(differing)[:_SHOWN]]
    assert not differing, f"{len(differing)} are listed otherwise than the topic tells: {shown}"


def in_list(database: str) -> dict[str, set[str]]:
    """The reasons that are listed as open, by return."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT return_id, array_agg(reason) FROM search_exceptions WHERE resolved_at IS NULL GROUP BY return_id"
        ).fetchall()
    return {return_id: set(reasons) for return_id, reasons in rows}


def _told_right(published: Published) -> None:
    """Who applies the changes of a return in their order misses none, and holds what its document says."""
    versions, timelines = defaultdict[str, int](int), defaultdict[str, dict[str, Any]](dict)
    last: dict[str, Mapping[str, Any]] = {}
    for change in published.changes:
        return_id = change["return_id"]
        versions[return_id] += 1
        assert change["version"] == versions[return_id], change
        if change["kind"] == "revoked":
            del timelines[return_id][change["milestone"]]
        elif change["kind"] not in {"closed", "reopened", "detailed"}:
            timelines[return_id][change["milestone"]] = (change["occurred_at"], change["location"])
        last[return_id] = change
    for return_id, document in published.current.items():
        steps = [step for step in document["timeline"] if step["state"] == "reached"]
        timeline = {step["code"]: (step["occurred_at"], step["location"]) for step in steps}
        assert timelines[return_id] == timeline, (timelines[return_id], document)
        told = ["version", "status", "complete", "closed", "labels", "retailer", "route"]
        told += ["connote"] if "RE" in timeline else []
        assert {n: last[return_id][n] for n in told} == {n: document[n] for n in told}, (last[return_id], document)


def _beside(database: str) -> tuple[set[str], set[str]]:
    """What something waits for, and which connotes were delivered without members."""
    with psycopg.connect(database) as connection:
        waiting = connection.execute("SELECT DISTINCT subject FROM parked").fetchall()
        alone = connection.execute(
            """SELECT DISTINCT connote FROM connote_deliveries AS d WHERE type <> 'com.omnirps.event.voided.v1'
            AND NOT EXISTS (SELECT FROM connote_members AS m WHERE m.connote = d.connote)"""
        ).fetchall()
    return {subject for (subject,) in waiting}, {connote for (connote,) in alone}


# In this process, from batch to batch


def through_batches(database: str, odd: OddReturns, seed: int, most: int = 60) -> Held:
    """Record them in their order, in batches of up to so many, and place what waits now and then."""
    played(database, odd.sent, Random(seed), most)
    pass_an_hour(database)
    Projector(PostgresSearch(database, SliceLimits(rows=1500)), Stop(), Metrics()).run(drain=True)
    return held_in(database)


def played(database: str, sent: Sequence[Said], chance: Random, most: int) -> None:
    """Record the messages, as two workers do by turns: each remembers what it did, and sweeps stay behind."""
    tables = CarrierTables.load()
    now = int(datetime.now(UTC).timestamp() * 1000)
    records = (Record(said.topic, 0, offset, now, None, _value(said), _HEADERS) for offset, said in enumerate(sent))
    with closing(PostgresJournal(database, tables)) as one, closing(PostgresJournal(database, tables)) as other:
        journals = one, other
        for batch in _batches(records, chance, most):
            items = decode(Parser(tables), batch)
            assert all(isinstance(item, Arrival) for item in items), items
            _again(lambda items=items: write(chance.choice(journals), items, {}))  # type: ignore[misc]
            while chance.random() < 0.6:
                with patch.object(sweeping, "BATCHES_A_SWEEP", chance.randint(1, 4)):
                    _again(lambda: sweeping.sweep(chance.choice(journals)))
        while _again(lambda: sweeping.sweep(one)) is not None:
            pass


def _again(do: Callable[[], T]) -> T:
    """What a worker does once more, done once more."""
    while True:
        with suppress(Retryable):
            return do()


def _batches(records: Iterator[Record], chance: Random, most: int) -> Iterator[list[Record]]:
    while batch := list(itertools.islice(records, chance.randint(1, most))):
        yield batch


def held_in(database: str) -> Held:
    """What is stored and listed."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (return_no) return_id, seq, version, state FROM history JOIN returns USING (return_no)"
            " ORDER BY return_no, seq DESC"
        ).fetchall()
    open_, found = in_list(database), {}
    for return_id, seq, version, state in rows:
        document = return_document(return_id, decode_state(state, seq, version, b""))
        found[return_id] = facts_in(document, open_.get(return_id, set()))
    return Held(found, *_beside(database))
