"""The update over rules: a database that the release before filled, migrated while everything runs and events go on coming.

`tests/data/before.xz` was made by that release (see tests/support/before.py). What its subscribers were told stands in the
output topics, and its relay was four fifths of the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.structs import TopicPartition

from service.adapters.kafka.publishing.position import to_offset
from service.application.journal.publish import OutputTopics
from service.application.journal.slices import Position
from tests.support import before, relaying, subscribing, upgrading
from tests.support.forking import Process
from tests.support.service import OUTPUTS, Service, create_topics, new_service
from tests.support.topics import Clients, Topics

# What the contract says of each oddity, once all of `upgrading.more` is in.
STATUSES = {
    **dict.fromkeys(
        ("U-BOX1", "U-BOX2", "U-BOX3", "U-OLD1", "U-OLD2", "U-MILE1", "U-PAIR", "U-ID", "U-BACK2"), "RDTPF"
    ),
    **dict.fromkeys(("U-MILE2", "U-FRI", "U-CON", "U-VOID", "U-ENDS", "U-ACME", "U-WAIT2", "U-MANY"), "RC"),
    **dict.fromkeys(("U-TWO1", "U-WAY", "U-CITY", "U-BACK", "U-LATE1", "U-LATE2"), "RT"),
    **dict.fromkeys(("U-SEP", "U-NOV", "U-SPR2", "U-TWICE", "U-TWICE2", "U-WAIT"), "RDBTC"),
    **dict.fromkeys(("U-SPR", "U-VD1", "U-VD2", "U-RE-RR", "U-RR-RE", "U-HELD"), "RE"),
    "U-TWO2": "RC",
    "U-MARCH": "DS",
    "U-RR": "RR",
    "U-WAIT3": "RDTPF",
}


@pytest.fixture
def service(empty_database: str, topics: Topics, clients: Clients, tmp_path: Path) -> Iterator[Service]:
    create_topics(topics)
    with new_service(empty_database, topics, clients, tmp_path) as service:
        yield service


def stand_where_it_stood(service: Service, position: Position) -> None:
    """The position of the relay of before."""
    described = service.topics.admin.describe_topics([service.topics.name(name) for name in OUTPUTS])
    ids = {topic["name"]: str(topic["topic_id"]) for topic in described}
    consumer = service.clients.consumer(group_id=service.variables["RETURNS_RELAY_GROUP_ID"], enable_auto_commit=False)
    topic_ids = [ids[service.topics.name(name)] for name in OUTPUTS]
    consumer.commit({TopicPartition(service.topics.name("status_changes"), 0): to_offset(position, topic_ids)})
    consumer.close()


class Supervised:
    """Processes that are started again and again until they stay, as a supervisor does with those that refuse to start."""

    def __init__(self, service: Service, *commands: str) -> None:
        self._service = service
        self._running: list[tuple[str, Process]] = [(command, service.start(command)) for command in commands]

    def keep(self) -> None:
        """Start again what ended."""
        for number, (command, process) in enumerate(self._running):
            if process.poll() is not None:
                self._running[number] = command, self._service.start(command)

    def stop(self) -> list[int]:
        return [self._service.stop(process) for _, process in self._running]


def everything_is_taken_in(service: Service) -> None:
    for command in ("ingest", "relay", "project"):
        service.done(command, "--drain", timeout=240)


@pytest.mark.timeout(1300)
def test_a_database_of_before_is_migrated_while_everything_runs_and_no_subscriber_sees_a_gap(service: Service) -> None:
    settings = service.settings
    outputs = OutputTopics(*(service.topics.name(name) for name in OUTPUTS))
    of = dict(zip(("changes", "current", "exceptions", "dead"), outputs, strict=True))
    kept = before.load(service.database)
    service.publish((of[each.topic], each.key, each.value, each.headers) for each in kept.messages)
    stand_where_it_stood(service, kept.position)
    told_before = len(relaying.published_on(service.topics.bootstrap_servers, outputs).changes)
    assert told_before > 100
    more = upgrading.more()

    # Some come in before there is anybody to take them; the processes are there before their migrations are.
    service.publish(upgrading.as_messages(more[::2], settings))
    running = Supervised(service, "ingest", "ingest", "relay", "project")
    migrated = service.start("migrate")
    assert migrated.wait(120) == 0, service.log_text()
    running.keep()
    service.publish(upgrading.as_messages(more[1::2], settings))
    everything_is_taken_in(service)
    running.keep()  # one may have looked before the migration, and ended behind it
    would = service.done("reassess", "--dry-run").splitlines()
    # Names are events of their own now: what the release before dropped counts once it is sent again.
    service.publish(upgrading.as_messages([*more, *upgrading.oddities()][::3], settings))
    done = service.done("reassess").splitlines()
    everything_is_taken_in(service)

    assert len(would) > 10
    assert len(done) > 10
    assert "0 would move" in service.done("reassess", "--dry-run").splitlines()[-1]
    service.done("project", "--rebuild")
    assert "no difference" in service.done("verify")
    assert "no difference" in service.done("verify", "--topics")
    assert running.stop() == [0, 0, 0, 0], service.log_text()

    seen = relaying.published_on(service.topics.bootstrap_servers, outputs)
    folded = subscribing.fold(seen.changes)  # fails where a version is lost, repeated or swapped
    assert len(seen.changes) > told_before
    assert {name: held["status"] for name, held in folded.items() if name in STATUSES} == STATUSES
    # The release before named places that are no facilities; nobody is told of those again.
    without_names = {name: subscribing.without_names(held) for name, held in folded.items()}
    assert without_names == subscribing.answered(service.database)
    current = {name: subscribing.of_document(document) for name, document in seen.current.items()}
    assert {name: subscribing.without_names(held) for name, held in current.items()} == without_names
    # Who folds the exceptions by their id, from the update on, holds none that is over.
    states = {each["exception_id"]: each["state"] for each in seen.exceptions if "state" in each}
    rows = service.query("SELECT return_id, reason FROM search_exceptions WHERE resolved_at IS NULL")
    listed = {f"return/{return_id}/{reason}" for return_id, reason in rows}
    assert {name for name, state in states.items() if state == "open" and name.startswith("return/")} <= listed
