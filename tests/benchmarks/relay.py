"""How fast `relay --drain` publishes a full journal, beside a bare producer and a bare transactional one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaProducer, TopicPartition

from tests.benchmarks.bed import Bed, fill
from tests.benchmarks.filled import Unfilled, held, require
from tests.benchmarks.measure import Sample, sampled
from tests.support.service import OUTPUTS, ROOT, Service

_TRANSACTION = 2000  # messages


class Run(NamedTuple):
    """One way of publishing the same messages."""

    messages: int
    sample: Sample


def run(bed: Bed, returns: int, repeats: int, against: Path | None = None) -> dict[str, list[Run]]:
    """The relay, that of another checkout, then its own messages again by the two bare producers, `repeats` times.

    Each checkout has a database of its own, which its worker filled from the same topics: it may know other tables.
    """
    relays = {"relay": ROOT} if against is None else {"before": against, "relay": ROOT}
    results: dict[str, list[Run]] = {"bare producer": [], "bare transactional": [], **{name: [] for name in relays}}
    with ExitStack() as kept:
        topics, databases, meant = kept.enter_context(bed.topics()), dict[str, str](), None
        for name, code in relays.items():
            databases[name] = kept.enter_context(bed.database(code))
            with bed.service(databases[name], topics) as service:
                meant, service.code = meant or fill(service, returns), code
                service.done("ingest", "--drain", timeout=900)
                require(meant, held(databases[name]))
        for repeat in range(repeats):
            messages: list[Any] = []
            for name, code in relays.items():
                # Topics and a position of its own each time, so that each publishes everything.
                with bed.topics() as outputs, bed.service(databases[name], outputs) as publishing:
                    publishing.code = code
                    sample = relay(bed, publishing)
                    messages = published(publishing)
                    require_changes(publishing, messages)
                    results[name].append(Run(len(messages), sample))
                    if code == ROOT:
                        results["bare producer"].append(Run(len(messages), bare(bed, publishing, messages)))
                        again = bare(bed, publishing, messages, transactional=True)
                        results["bare transactional"].append(Run(len(messages), again))
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


def published(service: Service) -> list[Any]:
    """All that is in the output topics: (topic, key, value, headers)."""
    records: list[Any] = []
    with closing(service.clients.consumer(max_poll_records=5000)) as consumer:
        outputs = [
            TopicPartition(topic, partition)
            for topic in map(service.topics.name, OUTPUTS)
            for partition in consumer.partitions_for_topic(topic)
        ]
        ends = consumer.end_offsets(outputs)
        consumer.assign(outputs)
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                records += [(r.topic, r.key, r.value, list(r.headers)) for r in batch]
    return records


def require_changes(service: Service, messages: Sequence[Any]) -> None:
    """Raises Unfilled when these are not all changes of the journal, and no letters."""
    by_topic = Counter(topic for topic, *_ in messages)
    changes = by_topic[service.topics.name("status_changes")]
    letters = by_topic[service.topics.name("dead_letters")]
    meant = service.query(
        "SELECT sum(version) FROM (SELECT max(version) AS version FROM history GROUP BY return_no) AS v"
    )
    if changes != meant[0][0] or letters:
        raise Unfilled(f"{changes:,} changes and {letters:,} letters published instead of {meant[0][0]:,} and none")


def bare(bed: Bed, service: Service, messages: Sequence[Any], *, transactional: bool = False) -> Sample:
    """Nothing but kafka-python: the same messages in the same topics."""
    failed: list[Exception] = []
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
                producer.send(topic, value=value, key=key, headers=headers).add_errback(failed.append)
            if transactional:
                producer.commit_transaction()
        producer.flush()
    producer.close()
    if failed:
        raise Unfilled(f"{len(failed):,} messages were not published: {failed[0]!r}")
    return sample
