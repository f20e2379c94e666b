"""A batch of Kafka records becomes one append to the journal.

Ingestion writes down what it can place. What it cannot (an event before its return, a delivery before or after its
members) it keeps, and the sweep places it once both sides are committed: see `sweep`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from service.application.journal.appending import Placed, StepEnded, append
from service.application.ports import (
    Arrival,
    DeadLetter,
    HistoryRow,
    Item,
    Journal,
    Move,
    Partition,
    Transaction,
    WhileWaiting,
)
from service.domain.events import Event
from service.domain.milestones import Verdict
from service.errors import InvalidEvent
from service.wire.inbound import Inbound, SubjectKind, label
from service.wire.record import Record

_RETURN, _LABEL, _CONNOTE = SubjectKind.RETURN, SubjectKind.LABEL, SubjectKind.CONNOTE


class Parser(Protocol):
    """Bytes to an event."""

    def parse(self, record: Record) -> Inbound:
        """The event, or InvalidEvent."""


class Outcome(NamedTuple):
    """What became of a batch, for the log line and the metrics; `parked` and `duplicates` by topic.

    `leaves_more`: of a sweep, that the next one has more to do for the same batches.
    """

    verdicts: Mapping[tuple[str, Verdict], int]  # by topic and verdict
    duplicates: Mapping[str, int] = MappingProxyType({})
    parked: Mapping[str, int] = MappingProxyType({})
    deliveries: int = 0
    conflicts: int = 0
    letters_kept: Sequence[DeadLetter] = ()  # those that were not kept before
    leaves_more: bool = False

    @property
    def recorded(self) -> int:
        """How many history rows there are now."""
        return sum(self.verdicts.values())


def decode(parser: Parser, records: Iterable[Record]) -> list[Item]:
    """Understand the records, in their order; one that is invalid becomes a dead letter beside its neighbours."""
    items = list[Item]()
    for item in records:
        try:
            items.append(Arrival(parser.parse(item), item))
        except InvalidEvent as error:
            items.append(DeadLetter(item, error.reason, error.detail, error.source))
    return items


def write(
    journal: Journal,
    items: Sequence[Item],
    moves: Mapping[Partition, Move],
    step: StepEnded = lambda _: None,
    while_waiting: WhileWaiting | None = None,
) -> Outcome:
    """Record a batch and move the offsets, in one transaction; `while_waiting` is the transaction's.

    Raises LostPartition if a partition has another owner, and what a transaction raises.
    """
    with journal.transaction(while_waiting) as tx:
        tx.advance(moves)
        outcome = take_in(tx, items, step)
    step("commit")
    return outcome


def take_in(tx: Transaction, items: Sequence[Item], step: StepEnded = lambda _: None) -> Outcome:
    """Record a batch as the rest of a transaction."""
    arrivals = [item for item in items if isinstance(item, Arrival)]
    letters = [item for item in items if isinstance(item, DeadLetter)]
    placed, parked, deliveries = _place(tx, arrivals)
    # Parked before placed, as the sweep does it: in one order for all, or two of them could wait for each other.
    again = tx.park(parked) if parked else []
    again += tx.keep_deliveries(deliveries) if deliveries else []
    rows, repeats, conflicts, doubtful = append(tx, placed, step)
    letters_kept = tx.keep_dead_letters(letters) if letters else []
    tx.number_batch(len(rows))
    step("write")
    duplicates = Counter(arrival.record.topic for arrival in [*repeats, *again])
    if len(letters_kept) < len(letters):  # some are kept since they came the first time
        duplicates += _by_topic(letters) - _by_topic(letters_kept)
    return Outcome(
        verdicts(rows),
        duplicates,
        Counter(arrival.record.topic for arrival in (*parked, *doubtful)),
        len(deliveries),
        conflicts,
        letters_kept,
    )


def _by_topic(letters: Iterable[DeadLetter]) -> Counter[str]:
    return Counter(letter.record.topic for letter in letters)


def verdicts(rows: Iterable[HistoryRow]) -> dict[tuple[str, Verdict], int]:
    """How many rows there are, by topic and verdict."""
    counts = dict[tuple[str, Verdict], int]()
    for row in rows:
        key = row.arrival.record.topic, row.entry.verdict
        counts[key] = counts.get(key, 0) + 1
    return counts


def _place(tx: Transaction, arrivals: Sequence[Arrival]) -> tuple[list[Placed], list[Arrival], list[Arrival]]:
    """Find each event's return; (placed, to park, deliveries)."""
    named, scanned, created = set[str](), set[str](), list[Inbound]()
    for arrival in arrivals:
        inbound = arrival.inbound
        kind = inbound.kind
        if kind is _LABEL:
            scanned.add(inbound.subject)
        elif kind is _RETURN:
            named.add(inbound.subject)
            if inbound.event.attributes is not None:
                created.append(inbound)
    returns, new = tx.number_returns(named, {inbound.subject for inbound in created}) if named else ({}, set())
    labels = _labels(tx, scanned, [(returns[inbound.subject], inbound.event) for inbound in created], new)
    # Creations first: a scan may stand before the one that made its return known in this very batch.
    creations, placed, parked, deliveries = list[Placed](), list[Placed](), list[Arrival](), list[Arrival]()
    for arrival in arrivals:
        inbound = arrival.inbound
        kind = inbound.kind
        if kind is _CONNOTE:
            deliveries.append(arrival)
            continue
        return_no = returns.get(inbound.subject) if kind is _RETURN else labels.get(inbound.subject)
        if return_no is None:
            parked.append(arrival)
        elif (attributes := inbound.event.attributes) is not None:
            # Nobody has a label that only a duplicate names.
            taken = labels.get(label(attributes.carrier, attributes.tracking_number), return_no) != return_no
            creations.append(Placed(return_no, arrival, taken))
        else:
            placed.append(Placed(return_no, arrival))
    return creations + placed, parked, deliveries


def _labels(
    tx: Transaction, scanned: Collection[str], creations: Iterable[tuple[int, Event]], new: Collection[int]
) -> dict[str, int]:
    """Whose the named labels are, those of creations claimed: scans may name labels that nobody has claimed yet."""
    first = dict[str, int]()
    for return_no, event in creations:
        if (attributes := event.attributes) is not None:  # a duplicate names what is claimed already
            first.setdefault(label(attributes.carrier, attributes.tracking_number), return_no)
    # Most returns are new, and so are their labels.
    fresh = {name: return_no for name, return_no in first.items() if return_no in new}
    owners = tx.claim_labels(fresh) if fresh else {}
    others = [name for name in first.keys() | scanned if name not in owners]
    if others:
        owners |= tx.find_labels(others)
    anew = {name: return_no for name, return_no in first.items() if name not in owners}
    return owners | (tx.claim_labels(anew) if anew else {})
