"""How many events a second `POST /v1/events` takes, beside the same events straight to Kafka.

The publishers of a simulated world send with tokens that are bound, one event a request or many; the API judges each of
them and answers when every replica has it. Nobody consumes meanwhile: what is measured is the way in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

from deploy.local.process import free_port
from service.adapters.postgres.access.tokens import NewToken, make_token
from service.adapters.postgres.database import connect
from service.simulator.messages import Message, encode
from service.simulator.options import Options, Topics
from service.simulator.public.publishers import Publisher, publisher_of
from service.simulator.world import World
from service.wire.cloudevents import MEDIA_TYPE
from service.wire.http_events import BATCH_MEDIA_TYPE
from tests.benchmarks.bed import NOW, Bed
from tests.benchmarks.filled import Unfilled
from tests.benchmarks.measure import cpu_seconds
from tests.support.service import ROOT, Service
from tests.support.waiting import eventually

CONNECTIONS = 16
SIZES = (1, 50, 500)  # events a request
_PIECE = 20_000  # events between two looks at the clock
_RATE = 10_000_000
_WARMING_SECONDS = 3.0  # connections to Kafka and PostgreSQL, tokens, code


class Run(NamedTuple):
    """One way in, for some seconds."""

    per_second: float  # events
    seconds: list[float]  # of each answer; none where nobody waits for one
    cpu: dict[str, float]  # of one core, by who took it: client, server, broker, postgres


def run(bed: Bed, returns: int, seconds: float, repeats: int) -> dict[str, list[Run]]:
    """Kafka itself, then requests of each size, and of the largest with a second `serve`, in turn."""
    ways = {f"{size} a request": (size, 1) for size in SIZES} | {f"{SIZES[-1]}, 2 servers": (SIZES[-1], 2)}
    results: dict[str, list[Run]] = {"straight to Kafka": [], **{name: [] for name in ways}}
    with bed.topics() as topics, bed.database() as database, bed.service(database, topics) as service:
        events = _events(service, returns)
        tokens = _tokens(database, events)
        print(f"{sum(map(len, events.values())):,} events of {len(events)} publishers", flush=True)
        for repeat in range(repeats):
            results["straight to Kafka"].append(_straight(bed, service, events, seconds))
            for name, (size, servers) in ways.items():
                requests = _requests(events, tokens, size)
                with _servers(service, servers) as ports, _file(requests) as file:
                    _load(bed, ports, file, size, _WARMING_SECONDS)
                    results[name].append(_load(bed, ports, file, size, seconds))
            print(f"run {repeat + 1} of {repeats} done", flush=True)
    return results


def _events(service: Service, returns: int) -> dict[Publisher, list[Message]]:
    """By publisher, as the API publishes them: in structured mode, the source below the publisher's name."""
    topics = Topics(*(service.topics.name(name) for name in ("returns", "scans", "hub_events", "deliveries")))
    flawless = Options(returns=returns, seed=1, rate=0, repeated=0, invalid=0, wrong_code=0)
    found = defaultdict[Publisher, list[Message]](list)
    for message in World(flawless, lambda: NOW, topics).messages():
        publisher, event = publisher_of(message.fact), message.fact.event
        voids = None if event.voids is None else (f"/{publisher.name}/{event.voids[0]}", event.voids[1])
        event = replace(event, source=f"/{publisher.name}/{event.source}", voids=voids)
        fact = message.fact._replace(event=event)
        found[publisher].append(encode(fact, topics, message.moment, binary=False))
    return dict(found)


def _tokens(database: str, publishers: Mapping[Publisher, object]) -> dict[Publisher, str]:
    with connect(database, "bench") as connection:
        return {
            each: make_token(connection, NewToken((each.scope,), "bench", each.name, each.bounds, rate=_RATE))
            for each in publishers
        }


def _requests(events: Mapping[Publisher, Sequence[Message]], tokens: Mapping[Publisher, str], size: int) -> list[bytes]:
    """Each with so many events of one publisher; what is left over stays away."""
    found = list[bytes]()
    for publisher, messages in events.items():
        for begins in range(0, len(messages) - size + 1, size):
            values = [message.value for message in messages[begins : begins + size]]
            body, kind = (values[0], MEDIA_TYPE) if size == 1 else (b"[" + b",".join(values) + b"]", BATCH_MEDIA_TYPE)
            head = (
                f"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {tokens[publisher]}\r\n"
                f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            found.append(head.encode() + body)
    if not found:
        raise Unfilled(f"no publisher has {size} events: a larger world is needed")
    return found


def _straight(bed: Bed, service: Service, events: Mapping[Publisher, Sequence[Message]], seconds: float) -> Run:
    """With a producer that has company for each message, and waits for all replicas."""
    records = cycle([(m.topic, m.key, m.value, m.headers) for each in events.values() for m in each])
    before, began, used, sent = _spent(bed, ()), time.perf_counter(), time.process_time(), 0
    while not sent or time.perf_counter() - began < seconds:
        sent += service.publish(islice(records, _PIECE))
    elapsed = time.perf_counter() - began
    return Run(sent / elapsed, [], _cores(before, _spent(bed, ()), elapsed, time.process_time() - used))


@contextmanager
def _servers(service: Service, number: int) -> Iterator[dict[int, psutil.Process]]:
    """So many `serve`, by the ports that they listen on."""
    started = {}
    for _ in range(number):
        port = free_port()
        started[port] = service.start("serve", RETURNS_HTTP_PORT=str(port))
    for port in started:
        eventually(partial(_answers, port), timeout=30, why="`serve` does not start")
    yield {port: psutil.Process(process.pid) for port, process in started.items()}
    for process in started.values():
        service.stop(process)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def _file(requests: Sequence[bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requests.json")
        file.write_text(json.dumps([request.decode() for request in requests]))
        yield file


def _load(bed: Bed, ports: Mapping[int, psutil.Process], file: Path, size: int, seconds: float) -> Run:
    """Every server with its own client at once."""
    command = (sys.executable, "-m", "tests.benchmarks.posting")
    before = _spent(bed, ports.values())
    with ExitStack() as held:
        clients = [
            held.enter_context(
                subprocess.Popen(
                    [*command, str(port), file, str(seconds), str(CONNECTIONS // len(ports))],
                    cwd=ROOT,
                    env=os.environ,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for port in ports
        ]
        said = [client.communicate()[0] for client in clients]
    if any(client.returncode for client in clients):
        raise Unfilled("an event was not taken, see above")
    results = [json.loads(text) for text in said]
    cpu = _cores(before, _spent(bed, ports.values()), seconds, sum(each["cpu"] for each in results) * seconds)
    took = [second for each in results for second in each["seconds"]]
    return Run(size * sum(each["per_second"] for each in results), took, cpu)


def _spent(bed: Bed, servers: Iterable[psutil.Process]) -> dict[str, float]:
    ours = {"server": sum(cpu_seconds(each) for each in servers)}
    return ours | {name: cpu_seconds(process) for name, process in bed.servers.items()}


def _cores(before: Mapping[str, float], after: Mapping[str, float], seconds: float, client: float) -> dict[str, float]:
    return {"client": client / seconds, **{name: (after[name] - before[name]) / seconds for name in before}}
