"""A slice of the journal becomes messages: status changes, current status, exceptions and dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from service.application.journal.slices import Position, RowKey, Slice
from service.domain.journey import State
from service.wire import outbound
from service.wire.outbound import Message
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow
from service.wire.stubs import LARGEST, stub_of


class OutputTopics(NamedTuple):
    """The names of the topics that the relay writes to."""

    status_changes: str
    current_status: str
    exceptions: str
    dead_letters: str


class Outgoing(NamedTuple):
    """A message and the topic it goes to; `stub` is what goes there in its place, where it takes only so many bytes."""

    topic: str
    message: Message
    stub: Callable[[int], Message] | None = None


class Told(NamedTuple):
    """The newest version that a row of the history said of its return; `row` is that row."""

    return_id: str
    version: int
    row: RowKey


class Tail(NamedTuple):
    """The last change that stands in a partition of the status changes, and at which offset."""

    offset: int
    return_id: str
    version: int


class Reconciled(NamedTuple):
    """Up to batch `n` subscribers were reconciled with the journal; `ends` are those of the partitions of the status
    changes at that time, by the topic's id.
    """

    n: int
    ends: Mapping[str, Sequence[int]]


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

    def wait(self, n: int, seconds: float) -> bool:
        """At rest: until a batch after number `n` is told of, or so many seconds have passed; whether one may be there.

        A hint and no more: not everything is told, and what is told may have been read already.
        """

    def batch_id(self, n: int) -> str | None:
        """The id of batch `n`; None where there is none."""

    def told_before(self, position: Position, limit: int) -> Sequence[Told]:
        """The last rows up to `position` that changed something, newest first: so many, or fewer."""

    def row_of(self, return_id: str, version: int) -> RowKey | None:
        """Where the journal says this version of a return: batch, return, row; None where it never did."""

    def reconciled(self, position: Position) -> Reconciled | None:
        """What was reconciled last at or before the position; None: nothing ever."""

    def close(self) -> None:
        """End the session, and with it the lead."""


class Sink(Protocol):
    """Where messages go, in transactions that carry the position. After any exception: close it and open another."""

    def position(self) -> Position | None:
        """The position of the last transaction; None where there was none, ever. Raises Refused where what stands in its
        place is no relay's, or was for other topics of the same names.
        """

    def is_empty(self) -> bool:
        """Whether nothing was ever written to any of the output topics."""

    def tails(self) -> Mapping[int, Tail]:
        """The last change in each partition of the status changes; of those without one nothing."""

    def begins(self) -> Mapping[int, int]:
        """The first offset of each partition of the status changes: what stood before is deleted."""

    def partition(self, return_id: str) -> int:
        """The partition of the status changes that holds a return's."""

    def topic_id(self) -> str:
        """The id of the topic of status changes."""

    def publish(self, messages: Sequence[Outgoing], position: Position | None) -> None:
        """Write all messages and the position, or nothing. Raises Retryable where it may be either.

        Without a position it stays the one it was.
        """

    def check(self) -> None:
        """At rest: raises Retryable where no broker answers any more."""

    def close(self) -> None:
        """Let go of the connection; a transaction that is open will be aborted."""


def messages_of(piece: Slice, topics: OutputTopics, public_url: str | None = None) -> list[Outgoing]:
    """What subscribers are told of a slice: per return in the order of its versions.

    `public_url` is where the pages are, for links.
    """
    outgoing: list[Outgoing] = []
    latest: dict[int, tuple[LogRow, State]] = {}
    for row in piece.rows:
        state = row.state_after()
        outgoing += _of_row(row, state, topics, public_url)
        # Its attributes may have changed without a change of the timeline: an export that is held names a connote.
        latest[row.return_no] = (row, state)
    for row, state in latest.values():
        current = outbound.current_status(row.return_id, state, row.recorded_at, public_url)
        outgoing.append(Outgoing(topics.current_status, current))
    outgoing += (Outgoing(topics.exceptions, outbound.waiting(wait)) for wait in piece.waits)
    outgoing += (of_letter(letter, topics) for letter in piece.letters)
    return outgoing


def of_letter(letter: KeptLetter, topics: OutputTopics) -> Outgoing:
    """What subscribers are told of a dead letter: the message as it came, or a stub where that is larger than any may be."""
    record = letter.record()
    stub = partial(stub_of, record, letter.reason, letter.error, letter.letter_no, letter.size or 0)
    if not letter.is_whole:  # it is larger than any message may be
        return Outgoing(topics.dead_letters, stub(LARGEST), stub)
    return Outgoing(topics.dead_letters, outbound.dead_letter(record, letter.reason, letter.error), stub)


def _of_row(row: LogRow, state: State, topics: OutputTopics, public_url: str | None) -> Iterator[Outgoing]:
    for change in row.changes_given(state):
        message = outbound.status_changed(row.return_id, state, change, row.recorded_at, public_url)
        yield Outgoing(topics.status_changes, message)
    for exception in outbound.exceptions(row, state):
        yield Outgoing(topics.exceptions, exception)
