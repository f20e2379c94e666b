"""A slice of the journal becomes rows of the search tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Final, NamedTuple, Protocol

from service.application.journal.figures import Counted, Figures, reached_days
from service.application.journal.slices import Position, Slice
from service.domain.exceptional import CIRCUMSTANCES, UNTOLD, reasons
from service.domain.journey import State
from service.domain.milestones import Milestone, Reason, Verdict
from service.domain.rules import EARLIEST
from service.wire.models import EVENT_VOIDED
from service.wire.rows.logged import Given, LogRow
from service.wire.stored import from_micros

# Of these there may be events that do not count beside those that do.
_OF_SEVERAL: Final = frozenset({Milestone.RDTPF, Milestone.RDBTC})
_AT_HUB: Final = frozenset({Milestone.DS, Milestone.RP, Milestone.RE, Milestone.RR})


class SearchReturn(NamedTuple):
    """A row of `search_returns`; without `status_recorded_at` where the status did not move.

    `complete`: nothing further is expected, as of one that was closed.
    """

    return_no: int
    return_id: str
    retailer: str
    route: str
    carrier: str
    tracking_number: str
    order_number: str | None
    connote: str | None
    hub: str | None
    status: str
    status_at: datetime
    status_recorded_at: datetime | None
    version: int
    complete: bool
    created_at: datetime
    updated_at: datetime
    seq: int
    reached: tuple[date | None, ...]  # see `figures`
    exported_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None


class ExceptionRow(NamedTuple):
    """A row of `search_exceptions`; `begun_seq` is that of the row of the history which it began with."""

    return_no: int
    seq: int
    return_id: str
    retailer: str
    verdict: str
    reason: str
    milestone: str | None
    code: str | None
    type: str
    source: str
    id: str
    carrier: str
    tracking_number: str
    connote: str | None
    occurred_at: datetime
    recorded_at: datetime
    resolved_at: datetime | None = None
    begun_seq: int = 0


class Projection(NamedTuple):
    """What a slice does to the search tables."""

    returns: Sequence[SearchReturn]
    exceptions: Sequence[ExceptionRow]  # new ones, some of them resolved within the slice
    resolved: Sequence[ExceptionRow]  # known ones, resolved now


class SearchTransaction(Protocol):
    """One atomic step of the search tables and their cursor. Every method may raise Retryable."""

    def begin(self) -> int | None:
        """Up to which batch the tables are; None while another projector works."""

    def begin_rebuild(self) -> None:
        """Empty the tables and the figures, for whoever reads after the commit. Waits for another projector."""

    def read(self, position: Position) -> Slice:
        """The next slice after `position`; empty, with the same position, where there is none."""

    def open_exceptions(self, return_nos: Collection[int]) -> list[ExceptionRow]:
        """The exceptions of these returns that are not resolved."""

    def counted(self, return_nos: Collection[int]) -> dict[int, Counted]:
        """What the figures hold of these returns; of one that is not in the tables, nothing."""

    def apply(self, projection: Projection) -> None:
        """Write it."""

    def count(self, figures: Figures) -> None:
        """Move the figures."""

    def end(self, after: int, n: int) -> None:
        """Move the cursor from `after` to `n` and count the events of the batches between.

        Also resolve what they resolve without a change of the return: unmapped scans that they mapped.
        """


class SearchTables(Protocol):
    """The search tables and the log they are made from."""

    def transaction(self) -> AbstractContextManager[SearchTransaction]:
        """A transaction that commits at the end of the block, or rolls back on an exception."""


class Advanced(NamedTuple):
    """How far a step went, and how many rows of the history it read."""

    n: int
    rows: int


def advance(tables: SearchTables) -> Advanced | None:
    """Bring the tables on by one slice, in one transaction; None while another projector works.

    The cursor knows whole batches only: a batch that is larger than a slice takes several of them in one transaction.
    """
    with tables.transaction() as tx:
        after = tx.begin()
        if after is None:
            return None
        position, rows, figures = Position(after), 0, Figures()
        while True:
            piece = tx.read(position)
            tx.apply(_project(tx, piece, figures))
            position, rows = piece.position, rows + len(piece.rows)
            if position.is_whole:
                break
        tx.count(figures)
        if position.n > after:
            tx.end(after, position.n)
        return Advanced(position.n, rows)


def rebuild(tables: SearchTables) -> Advanced:
    """Make the tables from nothing, in one transaction: readers see the old ones until the new ones are there."""
    with tables.transaction() as tx:
        tx.begin_rebuild()
        position, rows, figures = Position(0), 0, Figures()
        while (piece := tx.read(position)).position != position:
            tx.apply(_project(tx, piece, figures))
            position, rows = piece.position, rows + len(piece.rows)
        tx.count(figures)
        tx.end(0, position.n)
        return Advanced(position.n, rows)


def _project(tx: SearchTransaction, piece: Slice, figures: Figures) -> Projection:
    if not piece.rows:
        return Projection((), (), ())
    return_nos = {row.return_no for row in piece.rows}
    projection = project(piece.rows, tx.open_exceptions(return_nos))
    figures.move(tx.counted(return_nos), projection.returns)
    return projection


def project(rows: Iterable[LogRow], open_exceptions: Iterable[ExceptionRow]) -> Projection:
    """What these rows do to the search tables; `open_exceptions` are those of the same returns from before."""
    returns: dict[int, SearchReturn] = {}
    new: dict[tuple[int, int], ExceptionRow] = {}
    resolved: dict[tuple[int, int], ExceptionRow] = {}
    waiting: dict[int, list[ExceptionRow]] = {}
    for exception in open_exceptions:
        waiting.setdefault(exception.return_no, []).append(exception)
    for row in rows:
        state = row.state_after()
        if state.evidence.attributes is None:
            continue
        returns[row.return_no] = _return(row, state, returns.get(row.return_no))
        begun = row.given(state)
        for exception in _over(waiting.get(row.return_no, ()), begun, row, state):
            waiting[row.return_no].remove(exception)
            key, done = exception[:2], exception._replace(resolved_at=row.recorded_at)
            (new if key in new else resolved)[key] = done
        for given in begun:
            if given.number < 0 and any(each.reason == given.reason for each in waiting.get(row.return_no, ())):
                continue  # an event of before rules had a version gave it by itself
            exception = _exception(row, state, given)
            new[exception[:2]] = exception
            waiting.setdefault(row.return_no, []).append(exception)
    return Projection(list(returns.values()), list(new.values()), list(resolved.values()))


def _return(row: LogRow, state: State, before: SearchReturn | None) -> SearchReturn:
    attributes, timeline = state.evidence.attributes, state.timeline
    if attributes is None or timeline.status is None:
        raise ValueError("a history begins with the creation of its return")
    moved = any(change[2] != change[3] for change in row.changes or ())
    hub = _hub(row) if row.changes and row.milestone in _AT_HUB else None
    exported, closed = timeline.counts.get(Milestone.RE), timeline.closed
    return SearchReturn(
        row.return_no,
        row.return_id,
        attributes.retailer,
        attributes.route.value,
        attributes.carrier,
        attributes.tracking_number,
        attributes.order_number,
        state.evidence.connote,
        hub or (before.hub if before else None),
        timeline.status.value,
        from_micros(timeline.counts[timeline.status].at),
        row.recorded_at if moved else before.status_recorded_at if before else None,
        row.version,
        timeline.complete or closed is not None,
        from_micros(timeline.counts[Milestone.RC].at),
        row.recorded_at,
        row.seq,
        reached_days(timeline),
        None if exported is None else from_micros(exported.at),
        None if closed is None else from_micros(closed.at),
        None if closed is None else closed.reason,
    )


def _exception(row: LogRow, state: State, given: Given) -> ExceptionRow:
    attributes = state.evidence.attributes
    if attributes is None:
        raise ValueError("an exception concerns a return whose creation is known")
    return ExceptionRow(
        row.return_no,
        given.number,
        row.return_id,
        attributes.retailer,
        given.verdict,
        given.reason,
        given.milestone,
        given.code,
        given.type,
        given.source,
        given.id,
        *row.named(state),
        given.occurred_at,
        row.recorded_at,
        begun_seq=row.seq,
    )


def _hub(row: LogRow) -> str | None:
    hub: object = (row.data or {}).get("hub")
    return hub if isinstance(hub, str) else None


def _over(open_: Iterable[ExceptionRow], begun: Iterable[Given], row: LogRow, state: State) -> list[ExceptionRow]:
    """Those that end with a row. For as long as its return has a reason one that tells of it stays open, whatever became of the
    event that it is filed under: others that give the reason may not have been told of themselves.
    """
    over, left = dict[tuple[int, int], ExceptionRow](), {given.reason for given in begun}
    for exception in open_:
        if _is_over(exception, row, state):
            over[exception[:2]] = exception
        else:
            left.add(Reason(exception.reason))
    lost = {Reason(exception.reason): key for key, exception in over.items()}  # the last one of each reason
    for reason in reasons(state.evidence, state.timeline) if lost else ():
        if reason in lost and reason not in left:
            del over[lost[reason]]
    return list(over.values())


def _is_over(exception: ExceptionRow, row: LogRow, state: State) -> bool:
    """Whether, after a later row of the same return, nothing is left of what the exception was about."""
    reason = Reason(exception.reason)
    if state.rules == EARLIEST and reason in UNTOLD:
        return _is_voided(exception, row)
    if reason in CIRCUMSTANCES:  # a void of the one event that it is filed under need not be the end of it
        return reason not in reasons(state.evidence, state.timeline)
    if (is_voided := _is_voided(exception, row)) or reason is Reason.VOIDED:
        return is_voided  # some are resolved by rows of which nobody is told, see `SearchTransaction.end`
    if reason not in reasons(state.evidence, state.timeline):
        return True
    if exception.milestone is None or reason is Reason.BEFORE_LABEL:
        return False
    # Another event gives the reason, this one does not.
    milestone = Milestone(exception.milestone)
    counts = state.timeline.counts.get(milestone)
    return counts is not None and (milestone not in _OF_SEVERAL or counts[1:3] == (exception.source, exception.id))


def _is_voided(exception: ExceptionRow, row: LogRow) -> bool:
    if row.type != EVENT_VOIDED or row.verdict != Verdict.INFORMATIONAL or row.data is None:
        return False
    return (row.data.get("source"), row.data.get("id")) == (exception.source, exception.id)
