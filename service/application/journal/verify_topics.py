"""Hold the output topics against the journal: each return's last document, and the order of its changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from service.application.journal.sides import Beside
from service.application.journal.slices import Position
from service.domain.events import Published
from service.wire.documents import return_document
from service.wire.rows.reconciled import published_of, summary
from service.wire.stored import decode_state


class Topics(Protocol):
    """What the topics say, beside the journal."""

    def differences(self, position: Position) -> Iterator[Beside]:
        """Every return that was told of up to a position, beside what subscribers hold of it."""

    def broken_order(self) -> Iterator[tuple[str, int, int]]:
        """Changes that do not follow upon the one before: return, version, and the version before it."""

    def exceptions_otherwise(
        self, position: Position, since: datetime | None
    ) -> Iterator[tuple[str, str | None, str | None]]:
        """Exceptions that the journal had in another state up to a position than the topic: the id, and both states.

        None: nothing is said of it. What was recorded before `since` may have been told by what the topic has no more.
        """

    def held_alone(self) -> Iterator[str]:
        """Returns that subscribers hold and nobody here knows."""


def check_topics(topics: Topics, position: Position | None, since: datetime | None = None) -> Iterator[str]:
    """A sentence for each difference; `position` is what the relay says that it has published.

    Exceptions from before `since` need not stand on their topic any more.
    """
    if position is not None:
        for beside in topics.differences(position):
            if (wrong := _wrong(beside)) is not None:
                yield f"{beside.return_id}: {wrong}"
        for exception, true, held in topics.exceptions_otherwise(position, since):
            yield f"{exception}: {true or 'no exception'} in the journal, and {held or 'not told of'} on the topic"
    for return_id, version, before in topics.broken_order():
        how = "repeated" if version == before else "out of order" if version < before else "after a gap"
        yield f"{return_id}: version {version} is published {how}, behind version {before}"
    for return_id in topics.held_alone():
        yield f"{return_id}: published, and not in this journal"


def _wrong(beside: Beside) -> str | None:
    if beside.document is None:
        return "was told of, and has no document in the topic of current statuses"
    held = published_of(beside.document)
    if held == _published(beside.return_id, beside.state, beside.seq, beside.version):
        return None
    if beside.newer_state is not None and beside.newer_seq is not None and beside.newer_version is not None:
        newer = _published(beside.return_id, beside.newer_state, beside.newer_seq, beside.newer_version)
        if held == newer:  # a relay went on since the position was read
            return None
    return f"subscribers hold something else than row {beside.seq} says: {summary(held)}"


def _published(return_id: str, state: str, seq: int, version: int) -> Published:
    return published_of(return_document(return_id, decode_state(state, seq, version, b"")))
