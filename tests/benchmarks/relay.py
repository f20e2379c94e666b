"""How fast `relay --drain` publishes a full journal, beside a bare producer and a bare transactional one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaProducer

from tests.benchmarks.bed import Bed, fill
from tests.benchmarks.measure import Sample, sampled
from tests.support.service import OUTPUTS, ROOT, Service

_TRANSACTION = 2000  # messages


class Run(NamedTuple):
    """One way of publishing the same messages."""

    messages: int
    sample: Sample


def run(bed: Bed, returns: int, repeats: int, against: Path | None = None) -> dict[str, list[Run]]:
    """The relay, that of another checkout, then its own messages again by the two bare producers, `repeats` times."""
    relays = {"relay": ROOT} if against is None else {"before": against, "relay": ROOT}
    results: dict[str, list[Run]] = {"bare producer": [], "bare transactional": [], **{name: [] for name in relays}}
    with bed.topics() as topics, bed.database() as database, bed.service(database, topics) as service:
        print(f"filling the journal: {fill(service, returns):,} messages", flush=True)
        service.done("ingest", "--drain", timeout=900)
        messages: list[Any] = []
        for repeat in range(repeats):
            for name, code in relays.items():
                # Topics and a position of its own each time, so that each publishes everything.
                with bed.topics() as outputs, bed.service(database, outputs) as publishing:
                    publishing.code = code
                    sample = relay(bed, publishing)
                    messages = messages or published(publishing, service)
                results[name].append(Run(len(messages), sample))
            results["bare producer"].append(Run(len(messages), bare(bed, service, messages)))
            results["bare transactional"].append(Run(len(messages), bare(bed, service, messages, transactional=True)))
            print(f"run {repeat + 1} of {repeats} done", flush=True)
    return results


def relay(bed: Bed, service: Service) -> Sample:
    """Publish the whole journal."""
    with sampled(bed.servers) as sample:
        process = service.start("relay", "--drain")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, service.log_text()
        sample.cpu["relay"] = used.ru_utime + used.ru_stime
    return sample


def published(service: Service, other: Service) -> list[Any]:
    """What one relay published: (topic, key, value, headers), with the other's topics in place of its own."""
    topics = {service.topics.name(name): other.topics.name(name) for name in OUTPUTS}
    consumer = service.clients.consumer(*topics, max_poll_records=5000)
    records: list[Any] = []
    quiet = time.monotonic()
    while time.monotonic() - quiet < 3:
        for batch in consumer.poll(timeout_ms=500).values():
            records += [(topics[r.topic], r.key, r.value, list(r.headers)) for r in batch]
            quiet = time.monotonic()
    consumer.close()
    return records


def bare(bed: Bed, service: Service, messages: Sequence[Any], *, transactional: bool = False) -> Sample:
    """Nothing but kafka-python: the same messages in the same topics."""
    options: dict[str, Any] = {"retry_backoff_ms": 5, "linger_ms": 50, "batch_size": 128 * 1024}
    if transactional:
        options["transactional_id"] = service.topics.name("bare")
    producer: Any = KafkaProducer(bootstrap_servers=bed.stack.bootstrap_servers, **options)
    if transactional:
        producer.init_transactions()
    with sampled(bed.servers) as sample:
        for start in range(0, len(messages), _TRANSACTION):
            if transactional:
                producer.begin_transaction()
            for topic, key, value, headers in messages[start : start + _TRANSACTION]:
                producer.send(topic, value=value, key=key, headers=headers)
            if transactional:
                producer.commit_transaction()
        producer.flush()
    producer.close()
    return sample
