"""A service whose journal is not the one it was: what is filled, published, refused and set right again."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import psycopg
import pytest
from kafka.structs import OffsetAndMetadata, TopicPartition
from pydantic_core import from_json

from service.application.journal.publish import OutputTopics
from service.application.journal.reconcile import Summary
from service.domain.exceptional import reasons
from service.errors import Refused
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wire.record import Record
from service.wire.rows.exception_ids import NamedWait, Waits, exception_id, subject_of, waiting_id
from service.wire.stored import decode_state
from service.wiring.mending import reconcile_topics, verify_topics
from service.wiring.relay import relay
from tests.support import relaying, subscribing
from tests.support.filling import Filler
from tests.support.journals import differences
from tests.support.service import OUTPUTS, Service


class Bench:
    """A journal that is filled without Kafka, with the relay and the commands as they are run."""

    def __init__(self, service: Service) -> None:
        self.service, self.settings, self.database = service, service.settings, service.database

    def move_to(self, database: str) -> None:
        """From now on the service has another database."""
        self.database = self.service.database = self.service.variables["RETURNS_DATABASE_URL"] = database
        self.settings = self.service.settings

    def fill(self, records: Iterable[Record], batch: int = 40) -> None:
        filler = Filler(self.database)
        filler.fill(records, batch)
        filler.close()

    def relay(self) -> None:
        relay(self.settings, Metrics(), Stop()).run(drain=True)

    def refuses(self, why: str) -> None:
        """The relay names the reason, and publishes nothing."""
        before = self.published()
        with pytest.raises(Refused, match=why):
            self.relay()
        assert self.published() == before

    def reconcile(self, *, dry_run: bool = False) -> tuple[Summary, list[str]]:
        lines: list[str] = []
        done = reconcile_topics(
            self.settings,
            Stop(),
            dry_run=dry_run,
            wait=False,
            say=lines.append,
            tell=lambda _: None,
            warn=lambda _: None,
        )
        assert done is not None
        return done, lines

    def published(self) -> list[int]:
        topics = self.service.topics
        return [topics.end(topics.name(name)) for name in OUTPUTS]

    def batches(self) -> int:
        return int(self.service.query("SELECT count(*) FROM batches")[0][0])

    def forget_position(self) -> None:
        """Kafka forgets the relay's position, as it does after a week without a relay."""
        self.service.topics.admin.delete_groups([self.settings.relay_group_id])

    def everything_is_published(self) -> None:
        """Wait until workers have taken in what stands in the topics, and a relay has published it."""
        self.service.done("ingest", "--drain")
        self.service.done("relay", "--drain")

    def all_agree(self, *, without: Iterable[str] = ()) -> relaying.Published:
        """Whoever folded the changes from their beginning, and whoever read the compacted topic, holds what the API says."""
        seen = self.seen()
        said = subscribing.answered(self.database)
        alone = set(without)
        folded = {k: v for k, v in subscribing.fold(seen.changes).items() if k not in alone}
        assert folded == said
        compacted = {k: subscribing.of_document(v) for k, v in seen.current.items() if k not in alone}
        assert compacted == said
        held_open = {each["exception_id"] for each in subscribing.open_of(seen.exceptions)}
        assert {id_ for id_ in held_open if subject_of(id_) not in alone} == open_exceptions(self.database)
        assert differences(self.database) == []
        assert verify_topics(self.settings) == []
        return seen

    def verified(self) -> list[str]:
        """How the topics differ from the journal, as `verify --topics` says it."""
        return verify_topics(self.settings)

    def folded(self) -> set[str]:
        """The exceptions that are open for whoever folds their topic."""
        return {each["exception_id"] for each in subscribing.open_of(self.seen().exceptions)}

    def seen(self) -> relaying.Published:
        """Everything that subscribers can see now."""
        topics = OutputTopics(*(self.service.topics.name(name) for name in OUTPUTS))
        return relaying.published_on(self.service.topics.bootstrap_servers, topics)

    def commit(self, position: OffsetAndMetadata) -> None:
        """Somebody else commits under the relay's group."""
        consumer = self.service.clients.consumer(group_id=self.settings.relay_group_id, enable_auto_commit=False)
        consumer.commit({TopicPartition(self.settings.topic_status_changes, 0): position})
        consumer.close()


def open_exceptions(database: str) -> set[str]:
    """The exceptions that the journal has open."""
    with psycopg.connect(database) as connection:
        states = connection.execute(
            "SELECT DISTINCT ON (return_no) return_id, seq, version, state::text FROM history JOIN returns USING (return_no)"
            " ORDER BY return_no, seq DESC"
        ).fetchall()
        waits = connection.execute("SELECT kind, subject FROM told_waits").fetchall()
    found = {waiting_id(NamedWait(Waits(kind), subject)) for kind, subject in waits}
    for return_id, seq, version, text in states:
        state = decode_state(from_json(text), seq, version, b"")
        found |= {exception_id(return_id, reason) for reason in reasons(state.evidence, state.timeline)}
    return found


def pieces(records: Iterable[Record], number: int) -> list[list[Record]]:
    """Shuffled, so that each piece has events that change what the pieces before it said."""
    everything = list(records)
    Random(20261125).shuffle(everything)
    size = -(-len(everything) // number)
    return [everything[i : i + size] for i in range(0, len(everything), size)]
