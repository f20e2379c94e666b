"""What the demo shows: figures read from PostgreSQL and Kafka, about once a second, at the cost of what is new."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from service.domain.milestones import RANKS, Milestone

_TOTALS = """
SELECT status, NULL, count(*) FROM (
    SELECT DISTINCT ON (return_no) status FROM history ORDER BY return_no, seq DESC
) AS latest GROUP BY status
UNION ALL
SELECT NULL, verdict, count(*) FROM history GROUP BY verdict
"""
# By the primary key of batches, history's index on batch_id, and its primary key.
_NEWS = """
SELECT h.return_no, h.seq, h.status, h.verdict, h.version, before.status
FROM batches b
JOIN history h USING (batch_id)
LEFT JOIN history before ON before.return_no = h.return_no AND before.seq = h.seq - 1
WHERE b.n > %s AND b.n <= %s
"""
_ASIDE = """
SELECT (SELECT count(*) FROM parked), (SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL)
"""


@dataclass(slots=True)
class Figures:
    """One look at the service; `lag` is None while Kafka does not answer."""

    statuses: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    parked: int = 0
    dead_letters: int = 0
    lag: int | None = None
    events_per_second: float = 0.0
    some_return: str | None = None  # one that has got somewhere
    complete_return: str | None = None  # one with all seven milestones

    @property
    def returns(self) -> int:
        """How many are known."""
        return self.statuses.total()

    @property
    def events(self) -> int:
        """How many are recorded."""
        return self.verdicts.total()


class Watch:
    """Follows the batch log, so that a look costs what is new and not what is there."""

    def __init__(self, database_url: str, bootstrap_servers: str, topics: tuple[str, ...]) -> None:
        self.figures = Figures()
        self._topics = topics
        self._seen: int | None = None  # batches.n
        self._looked = time.monotonic()
        self._database = psycopg.connect(database_url, connect_timeout=5, application_name="returns-demo")
        self._database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._kafka = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None, client_id="returns-demo")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._kafka.close()

    def look(self) -> Figures:
        """The figures as they are now. Raises psycopg.Error."""
        before, figures = self.figures.events, self.figures
        is_first = self._seen is None
        with self._database.transaction():
            stored = self._read()
        now = time.monotonic()
        if not is_first:
            rate = (figures.events - before) / max(now - self._looked, 0.001)
            # Batches come in steps; a little smoothing makes the number readable.
            figures.events_per_second = (
                rate if not figures.events_per_second else (0.6 * figures.events_per_second + 0.4 * rate)
            )
        self._looked = now
        figures.lag = self._lag(stored)
        return figures

    def _read(self) -> dict[tuple[str, int], int]:
        """Bring the figures up to date; the stored offsets of the input partitions."""
        latest = self._one("SELECT coalesce(max(n), 0) FROM batches")[0]
        if self._seen is None:
            for status, verdict, number in self._database.execute(_TOTALS):
                (self.figures.statuses if status else self.figures.verdicts)[status or verdict] = number
        else:
            self._count(self._database.execute(_NEWS, (self._seen, latest)).fetchall())
        self._seen = latest
        self.figures.parked, self.figures.dead_letters = self._one(_ASIDE)
        return {(t, p): n for t, p, n in self._database.execute("SELECT topic, partition, next FROM offsets")}

    def _count(self, news: list[tuple[Any, ...]]) -> None:
        figures = self.figures
        for _, _, status, verdict, _, previous in news:
            figures.verdicts[verdict] += 1
            figures.statuses[status] += 1
            if previous is not None:
                figures.statuses[previous] -= 1
        if figures.some_return is None:
            moved = [row for row in news if RANKS[Milestone(row[2])] >= RANKS[Milestone.RDTPF]]
            figures.some_return = self._return_id(moved)
        if figures.complete_return is None:
            figures.complete_return = self._return_id([row for row in news if row[2] == "RDBTC" and row[4] >= 7])

    def _return_id(self, rows: list[tuple[Any, ...]]) -> str | None:
        if not rows:
            return None
        found = self._one("SELECT return_id FROM returns WHERE return_no = %s", rows[-1][0])
        return str(found[0])

    def _one(self, query: str, *parameters: Any) -> tuple[Any, ...]:
        row = self._database.execute(query, parameters).fetchone()
        return row or ()

    def _lag(self, stored: dict[tuple[str, int], int]) -> int | None:
        with contextlib.suppress(KafkaError):
            partitions = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in self._kafka.partitions_for_topic(topic) or ()
            ]
            ends: dict[TopicPartition, int] = self._kafka.end_offsets(partitions)
            return sum(max(0, end - stored.get((tp.topic, tp.partition), 0)) for tp, end in ends.items())
        return None
