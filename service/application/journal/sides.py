"""The two sides that `reconcile` makes agree, and what each says: the output topics, and the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from service.application.journal.slices import Position
from service.application.ports import Transaction
from service.domain.journey import State
from service.wire.rows.exception_ids import NamedWait
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow


class Stood(NamedTuple):
    """Where a published message stands, and Kafka's timestamp of it in milliseconds since 1970-01-01 UTC."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class Document(NamedTuple):
    """A document of the compacted topic; `seq` is the row of the history after which it was published."""

    stood: Stood
    return_id: str
    version: int
    seq: int
    data: Mapping[str, Any]


class Change(NamedTuple):
    """A published status change."""

    stood: Stood
    return_id: str
    version: int
    data: Mapping[str, Any]


class ToldException(NamedTuple):
    """A published exception; what waits and is no return's is one too, of a return_id or none.

    Before 2026-11 neither an id nor a state was told. `data` is what the message said.
    """

    exception_id: str | None
    state: str | None
    return_id: str | None
    source: str
    id: str
    reason: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> ToldException:
        """What a message's data say. Raises KeyError, and TypeError."""
        cause = data["cause"]
        named = data.get("exception_id"), data.get("state"), data["return_id"]
        return cls(*named, cause["source"], cause["id"], data["reason"], data)


class OpenException(NamedTuple):
    """An exception that is open in the journal; without `return_no` one of what waits and is no return's.

    One that is not `sure` may be: rules of before did not tell.
    """

    exception_id: str
    return_no: int | None = None
    reason: str = ""
    sure: bool = True


class ToldLetter(NamedTuple):
    """Where a dead letter stood that was published, and Kafka's timestamp of it: a topic made anew has new ones, most often.

    `digest` is the SHA-256 of its body, which tells two letters of one place and timestamp apart; None where it was published
    without its body, or as a stub.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    digest: bytes | None = None


class Held(NamedTuple):
    """What subscribers hold of a return, and which message says so; `is_document`: one of the compacted topic."""

    return_id: str
    document: Mapping[str, Any]
    stood: Stood
    is_document: bool = True


class Standing(NamedTuple):
    """A return in the journal, beside what subscribers hold of it."""

    return_no: int
    state: State
    return_id: str
    held: Held | None


class Beside(NamedTuple):
    """What subscribers hold of a return, beside its state when it was last told of, up to some position.

    The second state is the one after which the document was published, where that is newer.
    """

    return_id: str
    document: Mapping[str, Any] | None
    seq: int
    version: int
    state: str
    newer_seq: int | None
    newer_version: int | None
    newer_state: str | None


class Outputs(Protocol):
    """The output topics, as a committed subscriber sees them. Every method may raise Retryable."""

    def ends(self) -> Mapping[str, Sequence[int]]:
        """The ends of the partitions of the status changes, by the topic's id."""

    def documents(self) -> Iterator[Document]:
        """The documents of the compacted topic, older ones of a return before newer ones."""

    def changes(self) -> Iterator[Change]:
        """The status changes, those of a return in their order."""

    def exceptions(self) -> Iterator[ToldException]:
        """The exceptions that were published, those of one id in their order."""

    def letters(self) -> Iterator[ToldLetter]:
        """The dead letters that were published."""

    def kept_since(self, *, letters: bool) -> datetime | None:
        """What was recorded before this may have been published and deleted since; None: nothing was deleted."""


class Agreeing(Transaction, Protocol):
    """One transaction that nobody writes beside."""

    def end(self) -> Position:
        """The journal's end, before this transaction."""

    def standings(self) -> Iterator[Standing]:
        """Every return of the journal."""

    def unknown(self) -> Iterator[Held]:
        """Returns that subscribers know and the journal does not."""

    def go_on_from(self, held: Sequence[Held]) -> None:
        """Should these returns be created after all, their versions go on from what subscribers hold."""

    def open_waits(self) -> Iterator[NamedWait]:
        """What waits, as far as it is to be told of."""

    def note_open(self, found: Iterable[OpenException]) -> None:
        """Keep, for the time of this session, which exceptions are open."""

    def note(self, upto: Position, ends: Mapping[str, Sequence[int]]) -> None:
        """Keep what was reconciled."""


class Sides(Protocol):
    """The journal, with room for what the topics say. Every method may raise Retryable."""

    def note_documents(self, documents: Iterable[Document]) -> None:
        """Keep the newest document of each return."""

    def note_changes(self, changes: Iterable[Change]) -> None:
        """Keep which versions were published."""

    def outdated(self) -> set[str]:
        """Returns whose newest change is not in a document."""

    def documents_of(self, return_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """The documents of those of these returns that have one."""

    def note_folded(self, held: Iterable[tuple[str, Mapping[str, Any], Stood]]) -> None:
        """What the changes say of returns whose document is outdated, or missing."""

    def transaction(self, *, alone: bool) -> AbstractContextManager[Agreeing]:
        """A transaction that commits at the end of the block; `alone`: nobody else writes until then."""

    def note_exceptions(self, told: Iterable[ToldException]) -> None:
        """Keep what was published of exceptions, after what was noted before."""

    def untold_exceptions(self, upto: Position, since: datetime | None) -> Iterator[LogRow]:
        """Exceptional rows up to there, recorded since then, that were not published."""

    def held_open(self) -> Iterator[ToldException]:
        """What was published last of exceptions that subscribers hold open and that are not; of returns that the journal knows."""

    def held_over(self) -> Iterator[tuple[str, LogRow]]:
        """Of exceptions that are open, and that subscribers hold to be over: the reason, and the last row that began it."""

    def untold_letters(
        self, told: Iterable[ToldLetter], upto: Position, since: datetime | None
    ) -> Iterator[KeptLetter]:
        """Dead letters, likewise."""
