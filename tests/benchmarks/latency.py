"""How long a change takes from its event's arrival in Kafka to a `read_committed` subscriber, at a steady rate, and what
CPU all processes take for it meanwhile.

The floor is measured in the same run, at the same rate: produce, consume, one COMMIT, nothing decided. With another
checkout to compare with (`--against`) the two take turns, so that whatever else the machine does is shared by both.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg

from service.simulator.options import Options, Topics
from service.simulator.play import play
from tests.benchmarks.bed import Bed, steps
from tests.benchmarks.filled import Unfilled
from tests.benchmarks.measure import cpu_seconds
from tests.support.service import ROOT, Service
from tests.support.waiting import eventually

_WARM_UP_SECONDS = 8.0
_TOLERATED = 0.05  # of the rate
_COMMANDS = ("ingest", "relay", "project")


class Arrival(NamedTuple):
    """When a change came, when its batch began and when it was handed to the producer: seconds since 1970."""

    at: float
    recorded_at: float
    published_at: float


class Run(NamedTuple):
    """Seconds of each message; CPU in cores by process, and batches a second, once it was warm."""

    took: Sequence[float]
    stages: Mapping[str, Sequence[float]] = {}
    cores: dict[str, float] = {}  # noqa: RUF012 - of a tuple
    batches: float = 0.0
    steps: dict[str, float] = {}  # noqa: RUF012 - seconds of a batch in each step, on average


class Compared(NamedTuple):
    """Another checkout to take turns with, how often, and what this one is set to meanwhile."""

    against: Path | None = None
    repeats: int = 1
    settings: dict[str, str] = {}  # noqa: RUF012 - of a tuple


def run(bed: Bed, rate: int, seconds: float, compared: Compared) -> dict[str, list[Run]]:
    """The floor, then the other checkout, if there is one, and the service, by turns."""
    with bed.topics() as topics, bed.database() as database, bed.service(database, topics) as service:
        results = {"floor": [Run(floor(service, rate, seconds))]}
    for _ in range(compared.repeats if compared.against else 1):
        for name, code in (("before", compared.against), ("service", ROOT)):
            if code is None:
                continue
            with bed.topics() as topics, bed.database(code) as database, bed.service(database, topics) as service:
                service.code = code
                service.variables |= compared.settings if name == "service" else {}
                results.setdefault(name, []).append(through_service(bed, service, rate, seconds))
    return results


def through_service(bed: Bed, service: Service, rate: int, seconds: float) -> Run:
    """Events of a world without mishaps in, status changes out. Raises Unfilled when not all came, or not at the rate."""
    processes = {command: psutil.Process(service.start(command).pid) for command in _COMMANDS}
    sent: dict[tuple[str, str], float] = {}
    arrived: dict[tuple[str, str], Arrival] = {}  # by the first change of each event
    stop = threading.Event()
    ready = threading.Event()

    def subscribe() -> None:
        consumer = service.clients.consumer(service.settings.topic_status_changes, fetch_max_wait_ms=10)
        while not stop.is_set():
            for records in consumer.poll(timeout_ms=50).values():
                now = time.time()
                for record in records:
                    data = json.loads(record.value)["data"]
                    recorded_at = datetime.fromisoformat(data["recorded_at"]).timestamp()
                    name = (data["cause"]["source"], data["cause"]["id"])
                    arrived.setdefault(name, Arrival(now, recorded_at, record.timestamp / 1000))
            ready.set()
        consumer.close()

    subscriber = threading.Thread(target=subscribe)
    subscriber.start()
    ready.wait(20)
    names = Topics(*(service.topics.name(name) for name in ("returns", "scans", "hub_events", "deliveries")))
    options = Options(returns=0, seed=7, rate=rate, late=0, repeated=0, skipped=0, invalid=0, wrong_code=0, binary=0)
    warm: list[tuple[float, Counter[str]]] = []

    def look() -> None:
        used = Counter({name: cpu_seconds(process) for name, process in (processes | bed.servers).items()})
        used["batches"] = service.query("SELECT coalesce(max(n), 0) FROM batches")[0][0]
        warm.append((time.monotonic(), used))

    _publish(service, options, names, sent, seconds, look)
    look()
    time.sleep(2)  # what is under way, undisturbed by questions
    try:
        eventually(lambda: not missing(service, sent.keys() - arrived.keys()), timeout=20, every=1)
    except AssertionError:
        lost = len(missing(service, sent.keys() - arrived.keys()))
        raise Unfilled(f"of {len(sent):,} events, {lost:,} were not heard of") from None
    finally:
        stop.set()
        subscriber.join()
    require_rate(len(sent), rate, seconds - _WARM_UP_SECONDS)
    (began, before), (ended, after) = warm
    cores = {name: (after[name] - before[name]) / (ended - began) for name in before}
    number = service.query("SELECT max(n) FROM batches")[0][0]
    each = {step: seconds / number for step, seconds in steps(service).items()}
    both = [(at, arrived[name]) for name, at in sent.items() if name in arrived]
    stages = {
        "to its batch": [arrival.recorded_at - at for at, arrival in both],
        "to the relay": [arrival.published_at - arrival.recorded_at for _, arrival in both],
        "to the subscriber": [arrival.at - arrival.published_at for _, arrival in both],
    }
    return Run([arrival.at - at for at, arrival in both], stages, cores, cores.pop("batches"), each)


def missing(service: Service, silent: AbstractSet[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of the events that no change was heard of: those that moved something, and those that are not recorded yet.

    What a void moves has another cause, the event that asserts the milestone in place of the one that was voided; and so has what a
    collection moves in whose second the delivery lies that came before it.
    """
    recorded = service.query(
        "SELECT source, id, bool_or(EXISTS (SELECT FROM json_array_elements(changes) AS c WHERE c ->> 1 = milestone)) "
        "FROM history GROUP BY 1, 2 UNION ALL SELECT source, id, false FROM parked UNION ALL SELECT source, id, false FROM connote_deliveries"
    )
    known = {(source, id_) for source, id_, _ in recorded}
    moved = {(source, id_) for source, id_, moves in recorded if moves}
    return {name for name in silent if name in moved or name not in known}


def require_rate(number: int, rate: int, seconds: float) -> None:
    """Raises Unfilled when so many in so many seconds are far from the rate that was asked for."""
    if abs(number - rate * seconds) > _TOLERATED * rate * seconds:
        raise Unfilled(f"{number / seconds:,.0f} events/s instead of {rate:,}")


def _publish(
    service: Service, options: Options, topics: Topics, sent: dict[Any, float], seconds: float, warm: Callable[[], None]
) -> None:
    producer = service.clients.producer(linger_ms=0)
    started = time.monotonic()
    is_warm = False

    def publish(topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        nonlocal is_warm
        event = json.loads(value)
        future = producer.send(topic, value=value, key=key, headers=headers)
        if time.monotonic() - started > _WARM_UP_SECONDS:
            name = (event["source"], event["id"])
            future.add_callback(lambda _: sent.setdefault(name, time.time()))
            if not is_warm:
                is_warm = True
                warm()

    play(publish, options, topics=topics, should_stop=lambda: time.monotonic() - started > seconds)
    producer.flush()
    producer.close()


def floor(service: Service, rate: int, seconds: float) -> list[float]:
    """Produce, consume, one COMMIT of one row."""
    topic = service.topics.create("floor", 1)
    took: list[float] = []
    done = threading.Event()

    def consume() -> None:
        consumer = service.clients.consumer(topic, fetch_max_wait_ms=10)
        with psycopg.connect(service.database) as connection:
            connection.execute("CREATE TABLE floor (at float8)")
            connection.commit()
            while not done.is_set():
                for records in consumer.poll(timeout_ms=50).values():
                    times = [float(record.value) for record in records]
                    connection.cursor().executemany("INSERT INTO floor VALUES (%s)", [(at,) for at in times])
                    connection.commit()
                    took.extend(time.time() - at for at in times)
        consumer.close()

    thread = threading.Thread(target=consume)
    thread.start()
    producer = service.clients.producer(linger_ms=0)
    seconds = min(seconds, 15)
    number = _at_rate(rate, seconds, lambda: producer.send(topic, value=str(time.time()).encode()))
    producer.flush()
    producer.close()
    try:
        eventually(lambda: len(took) == number, timeout=20)
    finally:
        done.set()
        thread.join()
    require_rate(number, rate, seconds)
    return took[rate:]  # without the first second


def _at_rate(rate: int, seconds: float, do: Callable[[], object]) -> int:
    """So many times a second; how often in all."""
    started, number = time.monotonic(), 0
    while (now := time.monotonic() - started) < seconds:
        while number < now * rate:
            do()
            number += 1
        time.sleep(0.002)
    return number
