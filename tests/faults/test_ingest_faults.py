"""Workers that are killed and frozen while events flow. What must hold at the end is the same as ever."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from typing import Any

import pytest

from service.simulator.answer import Answer
from service.simulator.options import Options, Topics
from service.simulator.world import World
from tests.support.forking import Process
from tests.support.ingesting import assert_verified
from tests.support.returns import stored_timelines
from tests.support.service import Service
from tests.support.waiting import eventually

NOW = 1_795_000_000.0
SEED = 20_261_123


def a_world(service: Service, returns: int) -> tuple[Answer, list[Any]]:
    topics = Topics(*(service.topics.name(n) for n in ("returns", "scans", "hub_events", "deliveries")))
    options = Options(returns=returns, seed=SEED, rate=0, late=0.1, repeated=0.1, invalid=0.01, shuffle=True)
    answer, sent = Answer(), []
    for message in World(options, lambda: NOW, topics).messages():
        answer.add(message)
        sent.append((message.topic, message.key, message.value, message.headers))
    return answer, sent


def assert_complete(service: Service, answer: Answer) -> None:
    assert stored_timelines(service.database) == answer.timelines()
    assert service.query("SELECT count(*) FROM dead_letters") == [(answer.invalid,)]
    assert service.query("SELECT count(*) FROM parked") == [(answer.parked,)]
    assert_verified(service)


def moved(service: Service) -> int:
    return int(service.query("SELECT coalesce(sum(next), 0) FROM offsets")[0][0])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_workers_killed_at_random_lose_and_repeat_nothing(service: Service) -> None:
    """What: SIGKILL to one of three workers at random moments, a new one in its place, while events flow.

    How: a shuffled world in pieces; at last a drain, and the tables are compared with what the events alone say.
    """
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    answer, sent = a_world(service, 2_500)
    settings = {"RETURNS_SESSION_TIMEOUT_MS": "1500", "RETURNS_BATCH_SIZE": "200"}
    workers = [service.start("ingest", **settings) for _ in range(3)]
    kills = 0
    for start in range(0, len(sent), 1_500):
        service.publish(sent[start : start + 1_500])
        until = moved(service) + chance.randrange(1, 700)
        with contextlib.suppress(AssertionError):
            eventually(lambda until=until: moved(service) >= until, 8)  # type: ignore[misc]
        victim = chance.randrange(len(workers))
        workers[victim].send_signal(signal.SIGKILL)
        workers[victim].wait(10)
        workers[victim] = service.start("ingest", **settings)
        kills += 1

    assert service.run("ingest", "--drain", timeout=200, **settings).returncode == 0
    assert [service.stop(worker) for worker in workers] == [0, 0, 0], service.log_text()
    assert kills >= 8
    assert_complete(service, answer)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_was_frozen_past_its_session_does_no_harm_when_it_thaws(service: Service) -> None:
    """What: SIGSTOP for longer than the session time-out, then SIGCONT, again and again, while another one works.

    How: what the frozen one holds belongs to the other when it thaws; its commit must hit no row.
    """
    chance = random.Random(SEED)
    answer, sent = a_world(service, 2_000)
    settings = {"RETURNS_SESSION_TIMEOUT_MS": "1500", "RETURNS_BATCH_SIZE": "150"}
    frozen = service.start("ingest", **settings)
    other = service.start("ingest", **settings)
    for start in range(0, len(sent), 4_000):
        service.publish(sent[start : start + 4_000])
        time.sleep(chance.random())  # a moment of its own
        before = moved(service)
        frozen.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        eventually(lambda stopped=stopped: time.monotonic() - stopped > 4, 10)  # type: ignore[misc]
        frozen.send_signal(signal.SIGCONT)
        assert moved(service) >= before
        assert_alive(service, frozen, other)

    assert service.run("ingest", "--drain", timeout=200, **settings).returncode == 0
    assert [service.stop(worker) for worker in (frozen, other)] == [0, 0], service.log_text()
    assert_complete(service, answer)


def assert_alive(service: Service, *workers: Process) -> None:
    assert [worker.poll() for worker in workers] == [None] * len(workers), service.log_text()
