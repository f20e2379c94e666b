"""What an ingest worker tells of the input topics."""

from __future__ import annotations

import time
from typing import Final

from service.adapters.kafka.heads import KafkaHeads
from service.application.health import DatabaseFacts, InputLag, standing
from service.application.ports import Partition
from service.metrics import Metrics
from service.runtime.monitoring.board import Board
from service.runtime.monitoring.health import Check

_HEADS_AT_ONCE: Final = 8
_NAMED: Final = 3  # partitions that a check names


class InputsWatch:
    """The lag of the input topics, group-wide: every worker tells the same."""

    def __init__(self, metrics: Metrics, board: Board) -> None:
        self._metrics, self._board = metrics, board
        self._shown: set[Partition] = set()
        self.lag = InputLag()

    def stored(self, facts: DatabaseFacts, at: float) -> None:
        self.lag.stored_said(facts.offsets, at)

    def heads(self, heads: KafkaHeads) -> None:
        at = time.monotonic()
        wanted = self.lag.heads_wanted(at, _HEADS_AT_ONCE)
        if wanted:
            found = heads.timestamps(wanted)
            self.lag.heads_said({p: (offset, found.get(p)) for p, offset in wanted.items()}, at, time.time())

    def moves(self) -> Check:
        """Whether every partition with something in it moves, whoever reads it."""
        at = time.monotonic()
        lags = self.lag.lags(at, time.time())
        if still := standing(lags):
            named = ", ".join(
                f"{topic} {number} ({lags[topic, number].records:,} records, for {lags[topic, number].standing:.0f} s)"
                for topic, number in still[:_NAMED]
            )
            more = f" and {len(still) - _NAMED} more" if len(still) > _NAMED else ""
            return Check(f"stands still: {named}{more}", ok=False)
        if not self.lag.is_known(at):
            return Check("how far ingestion is behind is not known", ok=False)
        records, oldest = (
            sum(lag.records or 0 for lag in lags.values()),
            max((each.seconds for each in lags.values()), default=0),
        )
        return Check(f"ok, {records:,} records behind, the oldest for {oldest:.0f} s" if records else "ok")

    def fuse(self) -> Check:
        """Where nearly everything of a source is invalid: work goes on, and a person has to mend the source."""
        if blown := sorted(self._board.blown):
            named = ", ".join(f"{topic} {number}" for topic, number in blown[:_NAMED])
            return Check(f"nearly everything of a source is invalid and kept without its body: {named}")
        return Check()

    def refresh(self) -> None:
        metrics, at = self._metrics, time.monotonic()
        lags = self.lag.lags(at, time.time())
        metrics.lag_known.labels("ingest").set(self.lag.is_known(at))
        for gone in self._shown - lags.keys():
            for gauge in (metrics.lag, metrics.lag_seconds, metrics.stalled_seconds, metrics.deleted_records):
                gauge.remove(*gone)
        self._shown = set(lags)
        for partition, lag in lags.items():
            metrics.lag.labels(*partition).set(float("nan") if lag.records is None else lag.records)
            metrics.lag_seconds.labels(*partition).set(lag.seconds)
            metrics.stalled_seconds.labels(*partition).set(lag.standing)
            metrics.deleted_records.labels(*partition).set(lag.deleted)
