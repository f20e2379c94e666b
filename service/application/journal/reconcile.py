"""Make subscribers and the journal agree again: after a restore, a failover, or a position that is not to be believed.

What subscribers hold is read from the output topics. Where the journal says something else of a return, a row goes into
its history that says what they held: its changes lead from there to the truth, and its versions go on from theirs. The
relay publishes these rows like all others. Run again after a crash at any point, it finds what is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from service.application.journal.publish import Outgoing, OutputTopics, Sink, of_letter
from service.application.journal.sides import (
    Agreeing,
    Change,
    Held,
    OpenException,
    Outputs,
    Sides,
    Standing,
    Stood,
    ToldException,
)
from service.application.journal.slices import Position
from service.application.ports import Arrival, HistoryRow
from service.domain.events import Event, Published, Sense, Words, told_place
from service.domain.exceptional import UNTOLD, reasons
from service.domain.journey import State, record
from service.domain.milestones import NAMES
from service.domain.rules import EARLIEST
from service.wire import outbound
from service.wire.inbound import Inbound, SubjectKind
from service.wire.outbound import Message
from service.wire.record import Record
from service.wire.rows.exception_ids import exception_id, waiting_id
from service.wire.rows.reconciled import NOTHING, RECONCILED, SOURCE, event_data, folded, published_of, summary
from service.wire.stored import to_micros

_ROWS: Final = 500  # in one COPY
_MESSAGES: Final = 200  # in one Kafka transaction
_LETTERS: Final = 8  # likewise: one may be as large as a message can be

_encode = msgspec.json.Encoder(order="sorted").encode
T = TypeVar("T")
_Publish = Callable[[Sequence[Outgoing]], object]


class Summary(NamedTuple):
    """What a reconciliation did, or would do."""

    returns: int = 0
    told: int = 0  # returns of which something is told
    changes: int = 0
    unknown: int = 0
    exceptions: int = 0
    letters: int = 0
    resolved: int = 0  # exceptions that subscribers held open and that are not
    reopened: int = 0  # the other way round


def read_topics(outputs: Outputs, sides: Sides, tell: Callable[[str], object]) -> None:
    """Put beside the journal what subscribers hold."""
    tell("reading the current statuses")
    sides.note_documents(outputs.documents())
    tell("reading the status changes")
    sides.note_changes(outputs.changes())
    if outdated := sides.outdated():
        # The compacted topic was made anew, or lost its end: the changes say what subscribers hold.
        changes = (change for change in outputs.changes() if change.return_id in outdated)
        sides.note_folded(_fold(changes, sides))


def _fold(changes: Iterable[Change], sides: Sides) -> Iterator[tuple[str, Mapping[str, Any], Stood]]:
    of_return: dict[str, list[Change]] = {}
    for change in changes:
        of_return.setdefault(change.return_id, []).append(change)
    begins = sides.documents_of(of_return)
    for return_id, told in of_return.items():
        begin = begins.get(return_id)
        known = 0 if begin is None else begin["version"]
        document = folded((change.data for change in told if change.version > known), begin)
        if document is not None:
            yield return_id, document, told[-1].stood


def dry_run(
    outputs: Outputs, sides: Sides, topics: OutputTopics, now: datetime, say: Callable[[str], object]
) -> Summary:
    """Say of each return what would be told of it, and count the rest; nothing is changed."""
    done = Summary()
    with sides.transaction(alone=False) as tx:
        upto = tx.end()
        for standings in _pieces(tx.standings(), _ROWS):
            done = done._replace(returns=done.returns + len(standings))
            tx.note_open([each for standing in standings for each in open_in(standing)])
            for standing in filter(differs, standings):
                done = _say(standing, entry_of(standing, standing.state, "dry-run", now), say, done)
        _note_waits(tx)
        for held in tx.unknown():
            say(_of_unknown(held))
            done = done._replace(unknown=done.unknown + 1)
    return _agree_on_the_rest(outputs, sides, lambda _: None, topics, upto, now, done)


def reconcile(
    outputs: Outputs,
    sides: Sides,
    sink: Sink,
    topics: OutputTopics,
    now: datetime,
    say: Callable[[str], object],
    tell: Callable[[str], object],
) -> Summary:
    """Record what leads from what subscribers hold to what is true, and let the relay go on from there.

    The caller holds the lead among relays, and has read the topics. `say` gets a line for each return, `tell` how far it
    is. Raises Retryable: run it again.
    """
    tell("comparing every return")
    with sides.transaction(alone=True) as tx:
        upto = tx.end()
        done = _agree(tx, now, say)
        _note_waits(tx)
        tx.tell_waits_again()
        tx.note(upto, outputs.ends())
    tell("looking for exceptions and dead letters that were not published")
    done = _agree_on_the_rest(outputs, sides, lambda messages: sink.publish(messages, None), topics, upto, now, done)
    # Last of all: until then the relay refuses, and this can be run again.
    sink.publish((), upto)
    return done


def _note_waits(tx: Agreeing) -> None:
    for waits in _pieces(tx.open_waits(), _ROWS):
        tx.note_open([OpenException(waiting_id(each)) for each in waits])


def _agree_on_the_rest(
    outputs: Outputs,
    sides: Sides,
    publish: _Publish,
    topics: OutputTopics,
    upto: Position,
    now: datetime,
    done: Summary,
) -> Summary:
    """Publish what was not of exceptions and dead letters, and what exceptions have become."""
    sides.note_exceptions(outputs.exceptions())
    for rows in _pieces(sides.untold_exceptions(upto, outputs.kept_since(letters=False)), _MESSAGES):
        told = [message for row in rows for message in outbound.exceptions(row, row.state_after())]
        publish(_of_exceptions(told, topics))
        done = done._replace(exceptions=done.exceptions + len(rows))
        sides.note_exceptions([ToldException.of(_data(message)) for message in told])
    done = _agree_on_exceptions(sides, publish, topics, now, done)
    letters = sides.untold_letters(outputs.letters(), upto, outputs.kept_since(letters=True))
    for piece in _pieces(letters, _LETTERS):
        publish([of_letter(letter, topics) for letter in piece])
        done = done._replace(letters=done.letters + len(piece))
    return done


def _agree_on_exceptions(
    sides: Sides, publish: _Publish, topics: OutputTopics, now: datetime, done: Summary
) -> Summary:
    """Tell whoever folds exceptions which of those that they hold open are over, and which are not that they hold to be.

    What was opened in the journal of before, and never was in this one, no row of it settles.
    """
    for held in _pieces(sides.held_open(), _MESSAGES):
        publish(_of_exceptions((outbound.over(each.data, now) for each in held), topics))
        done = done._replace(resolved=done.resolved + len(held))
    for rows in _pieces(sides.held_over(), _MESSAGES):
        again = [
            message for reason, row in rows for message in outbound.open_again(row, row.state_after(), reason, now)
        ]
        publish(_of_exceptions(again, topics))
        done = done._replace(reopened=done.reopened + len(again))
    return done


def _of_exceptions(messages: Iterable[Message], topics: OutputTopics) -> list[Outgoing]:
    return [Outgoing(topics.exceptions, message) for message in messages]


def _data(message: Message) -> Mapping[str, Any]:
    said: Mapping[str, Any] = msgspec.json.decode(message.value or b"")["data"]
    return said


def open_in(standing: Standing) -> Iterator[OpenException]:
    """The exceptions of a return that are open, and those of which rules of before did not tell."""
    state, return_id = standing.state, standing.return_id
    given = reasons(state.evidence, state.timeline)
    for reason in given:
        yield OpenException(exception_id(return_id, reason), standing.return_no, reason)
    if state.rules == EARLIEST:
        for reason in UNTOLD.difference(given):
            yield OpenException(exception_id(return_id, reason), standing.return_no, reason, sure=False)


def _agree(tx: Agreeing, now: datetime, say: Callable[[str], object]) -> Summary:
    done, run = Summary(), now.strftime("%Y%m%dT%H%M%S.%f")
    for standings in _pieces(tx.standings(), _ROWS):
        done = done._replace(returns=done.returns + len(standings))
        tx.note_open([each for standing in standings for each in open_in(standing)])
        different = [standing for standing in standings if differs(standing)]
        if not different:
            continue
        # With the digests of all their events, which a standing need not have.
        states = tx.load([standing.return_no for standing in different])
        rows = list[HistoryRow]()
        for standing in different:
            row = entry_of(standing, states[standing.return_no], run, now)
            done = _say(standing, row, say, done)
            rows.append(row)
        if not tx.append(rows):
            raise AssertionError("somebody else wrote although nobody can")
    for held in _pieces(tx.unknown(), _ROWS):
        tx.go_on_from(held)
        for each in held:
            say(_of_unknown(each))
        done = done._replace(unknown=done.unknown + len(held))
    if done.told:
        tx.number_batch(done.told)
    return done


def differs(standing: Standing) -> bool:
    """Whether some subscriber holds something else of a return than its state says."""
    if standing.held is not None and not standing.held.is_document:
        return True  # the compacted topic lacks it, whatever the changes say
    return _held(standing) != _true(standing.state)


def entry_of(standing: Standing, state: State, run: str, now: datetime) -> HistoryRow:
    """The row that says what subscribers held, with the changes that lead from there to `state`."""
    held, return_id = standing.held, standing.return_id
    document = None if held is None else held.document
    data = _encode(event_data(return_id, document))
    words, id_ = Words(RECONCILED, data), f"{return_id}/{run}"
    event = Event(SOURCE, id_, to_micros(now), Sense.RECONCILES, published=_held(standing), words=words)
    entry = record(state, event)
    if entry is None:
        raise AssertionError("a reconciliation has a name of its own")
    inbound = Inbound(SubjectKind.RETURN, return_id, event, RECONCILED, data)
    stood = Stood("", 0, 0, int(now.timestamp() * 1000)) if held is None else held.stood
    return HistoryRow(standing.return_no, entry, Arrival(inbound, Record(*stood, None, None)))


def _held(standing: Standing) -> Published:
    return NOTHING if standing.held is None else published_of(standing.held.document)


def _true(state: State) -> Published:
    counts = {m: (s.at, s.source, told_place(s.location) or None) for m, s in state.timeline.counts.items()}
    return Published(state.version, counts, state.evidence.attributes, state.evidence.connote)


def _say(standing: Standing, row: HistoryRow, say: Callable[[str], object], done: Summary) -> Summary:
    entry = row.entry
    changes = ", ".join(f"{change.kind.value} {change.milestone.value}" for change in entry.changes)
    status = entry.state.timeline.status
    truth = f"version {entry.state.version}, {NAMES[status] if status else 'nothing'}"
    say(
        f"{standing.return_id}: subscribers hold {summary(_held(standing))}; to {truth}: {changes or 'no milestone moves'}"
    )
    return done._replace(told=done.told + 1, changes=done.changes + len(entry.changes))


def _of_unknown(held: Held) -> str:
    known = summary(published_of(held.document))
    return f"{held.return_id}: subscribers hold {known}; not in this journal, left alone"


def _pieces(items: Iterable[T], size: int) -> Iterator[list[T]]:
    for _, piece in groupby(enumerate(items), key=lambda numbered: numbered[0] // size):
        yield [item for _, item in piece]
