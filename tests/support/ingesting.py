"""Ingestion for tests: events to publish, workers inside the test, and the answer that they must come to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from service.config import Settings
from service.domain.events import key_digest
from service.domain.timeline import Timeline, decide
from service.domain.whole import gather
from service.metrics import Metrics
from service.runtime.ingest.loop import IngestLoop
from service.runtime.lifecycle import Stop
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser, SubjectKind
from service.wire.record import Record
from service.wiring.mending import verify_journal
from service.wiring.worker import ingest
from tests.support.journals import DELIVERED, RC, SCAN, event
from tests.support.returns import stored_timelines
from tests.support.service import Service

STRUCTURED = (("content-type", b"application/cloudevents+json"),)
Message = tuple[str, bytes | None, bytes | None, Iterable[tuple[str, bytes]]]


def message(service: Service, document: dict[str, Any]) -> Message:
    """The event on the topic and under the key that its publisher would use."""
    data = document["data"]
    if document["type"] == RC:
        topic, key = "returns", data["return_id"]
    elif document["type"] == SCAN:
        topic, key = "scans", f"{data['carrier']}/{data['tracking_number']}"
    elif document["type"] == DELIVERED:
        topic, key = "deliveries", data["connote"]
    else:
        topic, key = "hub_events", data["return_id"]
    return service.topics.name(topic), key.encode(), json.dumps(document).encode(), STRUCTURED


def publish(service: Service, *documents: dict[str, Any]) -> None:
    """Write events to their topics."""
    service.publish(message(service, document) for document in documents)


def hub(type_: str, id_: str, time: str, return_id: str = "R-1001", **data: Any) -> dict[str, Any]:
    """An event of hub akl-1."""
    return event(type_, id_, time, return_id=return_id, hub="akl-1", **data)


def loop(service: Service, *, stop: Stop, drain: bool = False, **settings: Any) -> IngestLoop:
    """A worker inside the test; `settings` replace those of the service."""
    merged = Settings(**{**service.settings.model_dump(), **settings})
    return ingest(merged, Metrics(), stop, drain=drain)


def drain(service: Service, **settings: Any) -> None:
    """Ingest all that is there, in this process."""
    loop(service, stop=Stop(), drain=True, **{"poll_timeout_ms": 30, **settings}).run()


class Worker:
    """A worker in a thread of the test."""

    def __init__(self, loop: IngestLoop, stop: Stop) -> None:
        self.loop = loop
        self.stop = stop
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="worker")
        self.thread.start()

    def _run(self) -> None:
        try:
            self.loop.run()
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        """Stop it; raises what it ended with."""
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error


@contextmanager
def working(
    service: Service, *, before: Callable[[IngestLoop], object] = lambda _: None, **settings: Any
) -> Iterator[Worker]:
    """A worker that works during the block."""
    stop = Stop()
    made = loop(service, stop=stop, **settings)
    before(made)
    worker = Worker(made, stop)
    try:
        yield worker
    finally:
        worker.end()


def expected_timelines(documents: Iterable[dict[str, Any]]) -> dict[str, Timeline]:
    """The timeline that each return must have, from the set of the events alone: the invalid ones left out by the test.

    A label belongs to the first creation, as listed, that names it.
    """
    parser = Parser(CarrierTables.load())
    inbound = [
        parser.parse(Record("any", 0, 0, 1_795_600_000_000, None, json.dumps(each).encode(), STRUCTURED))
        for each in documents
    ]
    owners: dict[str, str] = {}
    for each in inbound:
        if (attributes := each.event.attributes) is not None:
            owners.setdefault(f"{attributes.carrier}/{attributes.tracking_number}", each.subject)
    timelines = {}
    for return_id in {each.subject for each in inbound if each.event.attributes is not None}:
        own = [
            each.event
            for each in inbound
            if (each.kind is SubjectKind.RETURN and each.subject == return_id)
            or (each.kind is SubjectKind.LABEL and owners.get(each.subject) == return_id)
        ]
        connotes = {each.connote for each in own if each.connote is not None}
        own += [each.event for each in inbound if each.kind is SubjectKind.CONNOTE and each.subject in connotes]
        distinct = {(each.source, each.id): each for each in reversed(own)}.values()
        timelines[return_id] = decide(gather(distinct, {key_digest(*each.voids) for each in distinct if each.voids}))
    return timelines


def assert_right(service: Service, documents: Iterable[dict[str, Any]], *, dead_letters: int = 0) -> None:
    """Every stored timeline is the function of the set of events, and `verify` finds no difference."""
    assert service.query("SELECT count(*) FROM dead_letters") == [(dead_letters,)]
    assert stored_timelines(service.database) == expected_timelines(documents)
    assert_verified(service)


def assert_verified(service: Service) -> None:
    """`verify` finds no difference, and no history has a gap."""
    _, differences = verify_journal(service.settings)
    assert differences == []
    gaps = service.query(
        "SELECT return_no, count(*), max(seq) FROM history GROUP BY return_no HAVING count(*) <> max(seq)"
    )
    assert gaps == []


def history(service: Service, return_id: str = "R-1001") -> list[tuple[str, str, str | None]]:
    """The id, verdict and reason of each row of a return, in the order of recording."""
    return service.query(
        "SELECT id, verdict, reason FROM history JOIN returns USING (return_no) WHERE return_id = %s ORDER BY seq",
        return_id,
    )


def status(service: Service, return_id: str = "R-1001") -> str:
    """The code of a return's status."""
    found = stored_timelines(service.database)[return_id].status
    assert found is not None
    return found.value
