"""A slice of the journal becomes messages: status changes, current status, exceptions and dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from service.application.slices import LogRow, Position, Slice
from service.domain.journey import State
from service.domain.milestones import Reason, Verdict
from service.wire import outbound
from service.wire.outbound import Message

_EXCEPTIONAL: Final = frozenset({Verdict.HELD, Verdict.REFUSED, Verdict.UNMAPPED})


class OutputTopics(NamedTuple):
    """The names of the topics that the relay writes to."""

    status_changes: str
    current_status: str
    exceptions: str
    dead_letters: str


class Outgoing(NamedTuple):
    """A message and the topic it goes to."""

    topic: str
    message: Message


class BatchLog(Protocol):
    """The journal as a log, with the lead among relays. Every method raises Retryable when its session has ended."""

    def lead(self) -> bool:
        """Try to become the one relay that works; answers whether it is this one."""

    def ping(self) -> None:
        """Keep the session, and with it the lead."""

    def end(self) -> int:
        """The number of the newest batch."""

    def read(self, position: Position) -> Slice:
        """The next slice after `position`; empty, with the same position, where there is none."""

    def close(self) -> None:
        """End the session, and with it the lead."""


class Sink(Protocol):
    """Where messages go, in transactions that carry the position. After any exception: close it and open another."""

    def position(self) -> Position | None:
        """The position of the last transaction; None where there was none, ever."""

    def is_empty(self) -> bool:
        """Whether nothing was ever written to any of the output topics."""

    def publish(self, messages: Sequence[Outgoing], position: Position) -> None:
        """Write all messages and the position, or nothing. Raises Retryable where it may be either."""

    def check(self) -> None:
        """At rest: raises Retryable where no broker answers any more."""

    def close(self) -> None:
        """Let go of the connection; a transaction that is open will be aborted."""


def messages_of(piece: Slice, topics: OutputTopics) -> list[Outgoing]:
    """What subscribers are told of a slice: per return in the order of its versions."""
    outgoing: list[Outgoing] = []
    latest: dict[int, tuple[LogRow, State]] = {}
    for row in piece.rows:
        state = row.state_after()
        outgoing += _of_row(row, state, topics)
        # Its attributes may have changed without a change of the timeline: an export that is held names a connote.
        latest[row.return_no] = (row, state)
    for row, state in latest.values():
        current = outbound.current_status(row.return_id, state, row.recorded_at)
        outgoing.append(Outgoing(topics.current_status, current))
    for letter in piece.letters:
        outgoing.append(Outgoing(topics.dead_letters, outbound.dead_letter(letter.record, letter.reason, letter.error)))
    return outgoing


def _of_row(row: LogRow, state: State, topics: OutputTopics) -> Iterator[Outgoing]:
    for change in row.changes_given(state):
        message = outbound.status_changed(row.return_id, state, change, row.recorded_at)
        yield Outgoing(topics.status_changes, message)
    if row.verdict in _EXCEPTIONAL or row.reason == Reason.TRACKING_NUMBER_IN_USE:
        yield Outgoing(topics.exceptions, outbound.exception(row, state))
