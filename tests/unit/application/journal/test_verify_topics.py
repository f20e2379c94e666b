"""What the output topics say is held against the journal, and every difference told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from service.application.journal.sides import Beside
from service.application.journal.slices import Position
from service.application.journal.verify_topics import check_topics
from service.domain.journey import replay
from service.wire.documents import return_document
from service.wire.stored import encode_state
from tests.unit.domain.histories import story

SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def document(words: str) -> dict[str, Any]:
    return return_document("R-1", replay(story(words)))


def beside(words: str, held: dict[str, Any] | None, newer: str | None = None) -> Beside:
    """The return after these events, and after newer ones, beside what subscribers hold."""
    state, later = replay(story(words)), replay(story(newer or words))
    return Beside(
        "R-1", held, state.seq, state.version, encode_state(state).decode(),
        *((None, None, None) if newer is None else (later.seq, later.version, encode_state(later).decode())),
    )  # fmt: skip


class Topics:
    """`Topics` with what is told of them."""

    def __init__(
        self, *besides: Beside, broken: tuple[tuple[str, int, int], ...] = (), alone: tuple[str, ...] = ()
    ) -> None:
        self.besides, self.broken, self.alone = besides, broken, alone
        self.exceptions: list[tuple[str, str | None, str | None]] = []
        self.asked: list[Position] = []

    def differences(self, position: Position) -> Iterator[Beside]:
        self.asked.append(position)
        yield from self.besides

    def exceptions_otherwise(
        self, position: Position, since: datetime | None
    ) -> Iterator[tuple[str, str | None, str | None]]:
        assert (position, since) == (Position(7), SINCE)
        yield from self.exceptions

    def broken_order(self) -> Iterator[tuple[str, int, int]]:
        yield from self.broken

    def held_alone(self) -> Iterator[str]:
        yield from self.alone


def told(*besides: Beside) -> list[str]:
    topics = Topics(*besides)
    found = list(check_topics(topics, Position(7), SINCE))
    assert topics.asked == [Position(7)]
    return found


def test_what_subscribers_hold_is_what_the_journal_says() -> None:
    assert told(beside("RC@1 RT@2", document("RC@1 RT@2"))) == []


def test_a_return_of_which_they_hold_something_else_is_named_with_it() -> None:
    assert told(beside("RC@1 RT@2", document("RC@1")), beside("RC@1 RT@2", document("RC@1 RT@1"))) == [
        "R-1: subscribers hold something else than row 2 says: version 1, Return Created",
        "R-1: subscribers hold something else than row 2 says: version 2, Return In Transit",
    ]


def test_a_return_without_a_document_is_named() -> None:
    (sentence,) = told(beside("RC@1", None))

    assert sentence.startswith("R-1: was told of, and has no document")


def test_exceptions_that_they_hold_otherwise_are_named() -> None:
    topics = Topics()
    topics.exceptions = [
        ("return/R-1/id_reused", "open", None),
        ("label/c/T-1/parked", None, "open"),
        ("c", "resolved", "open"),
    ]

    assert list(check_topics(topics, Position(7), SINCE)) == [
        "return/R-1/id_reused: open in the journal, and not told of on the topic",
        "label/c/T-1/parked: no exception in the journal, and open on the topic",
        "c: resolved in the journal, and open on the topic",
    ]


def test_a_relay_may_have_gone_on_since_the_position_was_read() -> None:
    assert told(beside("RC@1", document("RC@1 RT@2"), newer="RC@1 RT@2")) == []
    assert len(told(beside("RC@1", document("RC@1 RP@2"), newer="RC@1 RT@2"))) == 1
    assert told(beside("RC@1", document("RC@1"), newer="RC@1 RT@2")) == []


def test_without_a_position_nothing_is_compared_and_the_order_is_looked_at_all_the_same() -> None:
    topics = Topics(beside("RC@1", None), broken=(("R-1", 3, 3), ("R-2", 2, 3), ("R-3", 5, 3)), alone=("R-4", "R-5"))

    assert list(check_topics(topics, None)) == [
        "R-1: version 3 is published repeated, behind version 3",
        "R-2: version 2 is published out of order, behind version 3",
        "R-3: version 5 is published after a gap, behind version 3",
        "R-4: published, and not in this journal",
        "R-5: published, and not in this journal",
    ]
    assert topics.asked == []
