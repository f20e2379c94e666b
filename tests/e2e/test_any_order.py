"""The promise: whatever the order, the repeats and the broken messages, every timeline is right.

A simulated world is shuffled over the whole stream, with repeats, late and invalid messages, and goes through three
workers at a time. What each return's timeline must be follows from the set of its events alone.
"""

from __future__ import annotations

import pytest

from service.simulator.answer import Answer
from service.simulator.options import Options, Topics
from service.simulator.world import World
from tests.support.returns import stored_timelines
from tests.support.service import Service

NOW = 1_795_000_000.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("returns", (10_000,))
def test_every_timeline_is_the_function_of_its_events_whatever_their_order(service: Service, returns: int) -> None:
    seed = 20_261_123
    print(f"seed {seed}")
    topics = Topics(*(service.topics.name(n) for n in ("returns", "scans", "hub_events", "deliveries")))
    options = Options(
        returns=returns, seed=seed, rate=0, late=0.1, repeated=0.1, invalid=0.01, wrong_code=0.01, shuffle=True
    )
    answer = Answer()
    sent = []
    for message in World(options, lambda: NOW, topics).messages():
        answer.add(message)
        sent.append((message.topic, message.key, message.value, message.headers))
    service.publish(sent)

    workers = [service.start("ingest", "--drain") for _ in range(3)]
    assert [worker.wait(240) for worker in workers] == [0, 0, 0], service.log_text()

    assert stored_timelines(service.database) == answer.timelines()
    assert service.query("SELECT count(*) FROM dead_letters") == [(answer.invalid,)]
    assert service.query("SELECT count(*) FROM parked") == [(answer.parked,)]
    assert "no difference" in service.done("verify")
