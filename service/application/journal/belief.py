"""Whether the relay's position belongs to this journal and to what stands in the topics: else it must not be believed.

A database may be restored, fail over to a standby that lagged, or be another one; a position may be set back, set ahead or
forgotten; a topic may be made anew, or lose its end. Each shows where the three meet: the batch that the position names,
and the last change in each partition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from service.application.journal.publish import BatchLog, Sink, Tail
from service.application.journal.slices import Position
from service.errors import Refused

REMEDY: Final = "run `returns-status reconcile` (--dry-run tells what it would do)"
_LOOK_BACK: Final = 2000  # changes; with so many, each of some hundred partitions has one


def believe(position: Position, log: BatchLog, sink: Sink) -> None:
    """Return if the position may be believed. Raises Refused, which says why not, and Retryable."""
    _of_this_journal(position, log)
    done = log.reconciled(position)
    # What stood there when subscribers were reconciled may be of a journal that is no more.
    ends = done.ends.get(sink.topic_id(), ()) if done is not None else ()
    tails = {n: tail for n, tail in sink.tails().items() if n >= len(ends) or tail.offset >= ends[n]}
    _not_set_back(position, log, tails)
    _not_ahead(position, log, sink, tails, done.n if done is not None else 0)


def first_position(sink: Sink) -> Position:
    """Where a relay begins that finds no position. Raises Refused where there must have been one."""
    if sink.is_empty():
        return Position(0)
    raise Refused(
        "the output topics hold messages, but the position up to which they were published is gone from Kafka. Starting "
        f"over would repeat all of them: {REMEDY}"
    )


def _of_this_journal(position: Position, log: BatchLog) -> None:
    if position.n == 0:
        return
    end = log.end()
    if position.n > end:
        raise Refused(
            f"Kafka says that batch {position.n} is published, but the journal ends at {end}: it is another database, or "
            f"one that went back to an older state: {REMEDY}"
        )
    if log.batch_id(position.n) != position.batch_id:
        raise Refused(
            f"batch {position.n} of this journal is not the batch {position.n} that was published: it is another database, "
            f"or one that went back to an older state and on from there: {REMEDY}"
        )


def _not_set_back(position: Position, log: BatchLog, tails: Mapping[int, Tail]) -> None:
    for number, tail in sorted(tails.items()):
        row = log.row_of(tail.return_id, tail.version)
        where = f"version {tail.version} of {tail.return_id} stands in partition {number} of the status changes"
        if row is None:
            raise Refused(f"{where}, and this journal never said it: {REMEDY}")
        if row > position.last_row:
            raise Refused(
                f"{where}, but the position says that no more than batch {position.n} is published: somebody set it back, "
                f"or Kafka lost its newest state: {REMEDY}"
            )


def _not_ahead(position: Position, log: BatchLog, sink: Sink, tails: Mapping[int, Tail], reconciled: int) -> None:
    begins = sink.begins()
    seen = set[int]()
    for told in log.told_before(position, _LOOK_BACK):
        number = sink.partition(told.return_id)
        if told.row[0] <= reconciled or number in seen:
            continue
        seen.add(number)
        tail = tails.get(number)
        if tail is None and begins.get(number, 0) > 0:
            continue  # retention took all of it
        if tail is None or (tail.return_id, tail.version) != (told.return_id, told.version):
            raise Refused(
                f"the position says that batch {position.n} is published, but version {told.version} of {told.return_id} "
                f"is not the last change in partition {number}: somebody set the position ahead, or Kafka lost the end of "
                f"the topic: {REMEDY}"
            )
