"""A simulated world, shuffled over the whole stream, through three workers at a time: what must come of it."""

from __future__ import annotations

from service.simulator.answer import Answer
from service.simulator.options import Options, Topics
from service.simulator.world import World
from tests.support.returns import stored_timelines
from tests.support.service import Service
from tests.support.waiting import PATIENCE

_NOW = 1_795_000_000.0


def in_any_order(service: Service, returns: int) -> None:
    """With repeats, late and invalid messages: every timeline is the function of its return's events."""
    seed = 20_261_123
    print(f"seed {seed}")
    topics = Topics(*(service.topics.name(n) for n in ("returns", "scans", "hub_events", "deliveries")))
    options = Options(
        returns=returns, seed=seed, rate=0, late=0.1, repeated=0.1, invalid=0.01, wrong_code=0.01, shuffle=True
    )
    answer = Answer()
    sent = []
    for message in World(options, lambda: _NOW, topics).messages():
        answer.add(message)
        sent.append((message.topic, message.key, message.value, message.headers))
    service.publish(sent)

    workers = [service.start("ingest", "--drain") for _ in range(3)]
    assert [worker.wait(240 * PATIENCE) for worker in workers] == [0, 0, 0], service.log_text()

    assert stored_timelines(service.database) == answer.timelines()
    assert service.query("SELECT count(*) FROM dead_letters") == [(answer.invalid,)]
    assert service.query("SELECT count(*) FROM parked") == [(answer.parked,)]
    assert "no difference" in service.done("verify")
