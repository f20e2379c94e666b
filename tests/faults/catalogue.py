"""The faults of the table: what they are called, what the operator does, and what must be seen of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.faults import injected
from tests.faults.injected import Kafka
from tests.support.bed import Bed

Story = Callable[[Bed, Kafka], Iterator[None]]

_NO_POSTGRES: Final = dict.fromkeys(("ingest", "relay", "project", "serve"), "PostgreSQL")
_NO_KAFKA: Final = {"ingest": "Kafka", "relay": "Kafka", "serve": "Kafka"}


@dataclass(frozen=True, slots=True)
class Fault:
    """`shows`: words that a process must show within 15 s; `seen_on`: the process that stands in a column."""

    name: str
    title: str
    operator: str
    story: Story
    shows: Mapping[str, str]
    hold_seconds: float = 20.0  # until it is cured; 0: nobody does anything, and it must work again by itself
    seen_on: Mapping[str, str] = field(default_factory=dict)
    on_cluster: bool = False


_RECONCILE: Final = "`returns-status reconcile`, once the workers are ready"
_REFUSES: Final = {"relay": "refuses to publish"}

FAULTS: Final = (
    Fault("postgres-stopped", "PostgreSQL stopped", "starts it again", injected.postgres_stopped, _NO_POSTGRES),
    Fault("postgres-killed", "PostgreSQL killed (SIGKILL)", "starts it again", injected.postgres_killed, _NO_POSTGRES),
    Fault(
        "postgres-frozen",
        "PostgreSQL frozen (SIGSTOP)",
        "lets it run again (here SIGCONT), or starts it anew",
        injected.postgres_frozen,
        _NO_POSTGRES,
    ),
    Fault(
        "postgres-read-only",
        "PostgreSQL read-only (`default_transaction_read_only`)",
        "makes it writable: `ALTER SYSTEM RESET`, `pg_reload_conf()`",
        injected.postgres_read_only,
        dict.fromkeys(("ingest", "relay", "project", "serve"), "read-only"),
    ),
    Fault(
        "postgres-connections",
        "PostgreSQL out of connections",
        "ends whoever holds them",
        injected.no_connections,
        dict.fromkeys(("ingest", "relay", "project", "serve"), "no more connections"),
    ),
    Fault("kafka-stopped", "Kafka stopped", "starts it again", injected.kafka_stopped, _NO_KAFKA),
    Fault("kafka-killed", "Kafka killed (SIGKILL)", "starts it again", injected.kafka_killed, _NO_KAFKA),
    Fault(
        "kafka-frozen",
        "Kafka frozen (SIGSTOP)",
        "lets it run again (here SIGCONT), or starts it anew",
        injected.kafka_frozen,
        _NO_KAFKA,
    ),
    Fault(
        "worker-killed",
        "A worker killed (SIGKILL), another one runs",
        "nothing",
        injected.worker_killed,
        {},
        0,
        {"ingest": "other ingest"},
    ),
    Fault(
        "relay-killed",
        "The relay that leads killed (SIGKILL), another one stands by",
        "nothing",
        injected.relay_killed,
        {},
        0,
        {"relay": "other relay"},
    ),
    Fault(
        "fuse",
        "A blown fuse: 1,500 invalid messages in one partition",
        "has their publisher mended; `replay` once a version understands the messages",
        injected.fuse,
        {},
        0,
    ),
    Fault(
        "stuck-partition",
        "A stuck partition: a publisher leaves a transaction open on it",
        "ends the publisher's transaction: `kafka-transactions.sh abort`, or the publisher itself",
        injected.stuck_partition,
        {"ingest": "stands still"},
    ),
    Fault(
        "restored",
        "The database restored to an older state while everything runs",
        _RECONCILE,
        injected.restored,
        _REFUSES,
    ),
    Fault(
        "position-forgotten",
        "The relay's position gone from Kafka (its group deleted), found when it starts",
        _RECONCILE,
        injected.position_forgotten,
        _REFUSES,
    ),
    Fault(
        "input-deleted",
        "An input topic deleted; made anew 20 s later",
        "`returns-status topics`",
        injected.input_made_anew,
        {"ingest": "no such topic"},
    ),
    Fault("input-replaced", "An input topic deleted and made anew at once", "nothing", injected.input_replaced, {}, 0),
    Fault(
        "output-replaced",
        "An output topic (status changes) deleted and made anew",
        _RECONCILE,
        injected.output_made_anew,
        _REFUSES,
    ),
    Fault(
        "relay-behind",
        f"A relay that was stopped starts {injected.BURST:,} returns behind",
        "nothing",
        injected.relay_far_behind,
        {"relay": "lag"},
        0,
    ),
    Fault(
        "one-broker-of-three",
        "One broker of three killed (SIGKILL)",
        "nothing: it works on two; starts it again",
        injected.one_broker_of_three,
        {"ingest": "2 of 3 brokers", "relay": "2 of 3 brokers", "serve": "2 of 3 brokers"},
        0,
        on_cluster=True,
    ),
)
