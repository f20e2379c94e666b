"""The service's pages as people reach them: its processes, and the simulator's messages to move returns with."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.local.stack import LocalStack
from service.domain.milestones import RANKED, Milestone, Route
from service.domain.timeline import Timeline
from service.simulator.answer import Answer
from service.simulator.messages import Message
from service.simulator.options import Options
from service.simulator.options import Topics as InputTopics
from service.simulator.world import World
from tests.support.forking import Process
from tests.support.service import INPUTS, Service, create_topics, new_service
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually

RC, RT, RDTPF, DS, RP, RE, RDBTC = RANKED
STRUCTURED: Final = (("content-type", b"application/cloudevents+json"),)
WORLD: Final = Options(returns=600, seed=4)  # enough returns for every kind of story
FLAWLESS: Final = replace(WORLD, late=0, in_bulk=0, repeated=0, skipped=0, wrong_code=0, invalid=0)


class Story(NamedTuple):
    """A simulated return: what is published of it, in order."""

    return_id: str
    messages: tuple[Message, ...]

    def of(self, milestone: Milestone) -> list[Message]:
        """The messages whose event asserts the milestone."""
        return [message for message in self.messages if message.event and message.event.milestone is milestone]

    def told(self, milestone: Milestone) -> dict[str, Any]:
        """The data of the first event that asserts the milestone."""
        message = self.of(milestone)[0]
        document: dict[str, Any] = json.loads(message.value)
        return document["data"] if "specversion" in document else document


class Site:
    """A running service with its pages at `url`, and a simulated world to publish."""

    def __init__(self, service: Service, world: Options) -> None:
        self.service = service
        self.database = service.database
        self.url = ""
        self._serving: Process | None = None
        topics = InputTopics(*(service.topics.name(name) for name in INPUTS))
        self.messages = list(World(world, time.time, topics).messages())
        self.answer = Answer(self.messages)

    def serve(self, **settings: str) -> None:
        """Start to serve, at the same address as before if there was one."""
        port = self.url.rpartition(":")[2] or "0"
        self._serving = self.service.start("serve", RETURNS_HTTP_PORT=port, **settings)
        log = self.service.newest_log

        def address() -> str:
            found = re.search(r'"serving".*?"url": "([^"]+)"|"url": "([^"]+)".*?"serving"', log.read_text())
            return (found[1] or found[2]) if found else ""

        self.url = eventually(address, 30, why="`serve` does not start")

    def stop_serving(self) -> None:
        """Stop to serve, as a supervisor does it."""
        assert self._serving is not None
        assert self.service.stop(self._serving) == 0

    def publish(self, *messages: Message) -> None:
        """Send messages as the simulator does."""
        self.service.publish((m.topic, m.key, m.value, m.headers) for m in messages)

    def story(self, fits: Callable[[Timeline], bool], number: int = 0) -> Story:
        """One of the simulated returns whose timeline fits; no two tests of a file take the same."""
        fitting = [each for each in sorted(self.answer.returns) if fits(self.answer.timeline(each))]
        return_id = fitting[number]
        connotes = {event.connote for event in self.answer.events(return_id) if event.connote}
        subjects = {return_id, *connotes}
        return Story(return_id, tuple(m for m in self.messages if m.subject in subjects))


def complete(timeline: Timeline) -> bool:
    """All seven milestones."""
    return timeline.counts.keys() == set(RANKED)


def rejected(timeline: Timeline) -> bool:
    """Received at the hub, and refused there."""
    return Milestone.RR in timeline.counts and DS in timeline.counts and RT in timeline.counts


def straight_to_retailer(timeline: Timeline) -> bool:
    """Delivered, on the route that has no hub."""
    return timeline.route is Route.FIRST_MILE_ONLY and timeline.complete


@contextmanager
def running_site(
    database: str,
    stack: LocalStack,
    logs: Path,
    *commands: str,
    world: Options = FLAWLESS,
    **settings: str,
) -> Iterator[Site]:
    """The pages on this database, and further processes of the service beside them."""
    topics, clients = Topics(stack.bootstrap_servers), Clients(stack.bootstrap_servers)
    try:
        create_topics(topics, 1)
        with new_service(database, topics, clients, logs, 1) as service:
            # Tests read more than people do, and from one address.
            service.variables.update(
                {"RETURNS_PUBLIC_CLIENT_RATE": "100000", "RETURNS_PUBLIC_BURST": "1000", **settings}
            )
            site = Site(service, world)
            for command in commands:
                service.start(command)
            site.serve()
            yield site
    finally:
        clients.close()
        topics.close()
