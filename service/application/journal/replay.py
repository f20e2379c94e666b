"""Send dead letters through again: today's parser reads the stored bytes, and the event goes the way of all events.

A letter keeps its coordinates and its place in the batch log, so nobody is told of it twice: it is resolved in the
transaction that records its event, or it fails again and stays the same letter with one more attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, NamedTuple, Protocol

from service.application.journal.ingest import Outcome, Parser, take_in
from service.application.ports import Arrival, Transaction
from service.domain.milestones import Verdict
from service.errors import InvalidEvent, RejectedValue
from service.wire.reasons import Invalid
from service.wire.rows.letters import KeptLetter

LETTERS_A_BATCH: Final = 100  # a letter may be large


class Selection(NamedTuple):
    """Which unresolved letters; empty: all. `since` (inclusive) and `until` (exclusive) are of when they were kept."""

    reasons: Sequence[str] = ()
    topics: Sequence[str] = ()
    letter_nos: Sequence[int] = ()
    since: datetime | None = None
    until: datetime | None = None


class Extent(NamedTuple):
    """How many letters there are, and the number of the last one."""

    letters: int
    last: int


class Failure(NamedTuple):
    """A letter that failed again, and why."""

    letter_no: int
    reason: str
    error: str


class LettersTransaction(Transaction, Protocol):
    """A transaction that may also change dead letters."""

    def take(self, selection: Selection, after: int, upto: int, limit: int) -> list[KeptLetter]:
        """The next unresolved letters by number, locked; those that somebody else has locked are passed by."""

    def take_one(self, letter_no: int) -> KeptLetter | None:
        """This letter, locked, resolved or not; waits for whoever has it locked."""

    def resolve(self, letter_nos: Sequence[int]) -> None:
        """One more attempt each, and the last one."""

    def fail(self, failures: Sequence[Failure]) -> None:
        """One more attempt each, and what is wrong now."""


class Letters(Protocol):
    """The dead letters, and the journal that their events go to. Every method may raise Retryable."""

    def transaction(self) -> AbstractContextManager[LettersTransaction]:
        """A transaction that commits at the end of the block, or rolls back on an exception."""

    def extent(self, selection: Selection) -> Extent:
        """How many letters are selected, and the last one's number."""

    def read(self, selection: Selection, after: int, upto: int, limit: int) -> list[KeptLetter]:
        """The next letters by number, to look at."""


@unique
class Fate(StrEnum):
    """What became of one letter."""

    RECORDED = "recorded"  # its event is in the history, with a verdict
    WAITING = "waiting"  # its event waits for its return, or for the members of its connote
    DUPLICATE = "duplicate"  # its event had come by other means
    FAILED = "failed"  # it is no event today either
    RESOLVED_BEFORE = "resolved_before"  # nothing was to be done


class Replayed(NamedTuple):
    """One letter, tried again; `reason` and `error` say what is wrong with one that failed."""

    letter_no: int
    fate: Fate
    attempts: int
    verdict: Verdict | None = None
    reason: str | None = None
    error: str | None = None


@dataclass
class Tally:
    """How a replay goes. In a dry run `understood` counts what would be recorded; elsewhere it stays 0."""

    selected: int = 0
    tried: int = 0
    understood: int = 0
    waiting: int = 0
    duplicates: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)  # by reason

    @property
    def resolved(self) -> int:
        """How many letters are dead no more."""
        return sum(self.verdicts.values()) + self.waiting + self.duplicates

    def add_batch(self, letters: int, outcome: Outcome, failures: Sequence[Failure]) -> None:
        """Count letters that were tried together."""
        duplicates = sum(outcome.duplicates.values())
        self.tried += letters
        self.duplicates += duplicates
        self.waiting += letters - len(failures) - outcome.recorded - duplicates
        for (_, verdict), number in outcome.verdicts.items():
            self.verdicts[verdict] += number
        self.failed.update(failure.reason for failure in failures)

    def add_one(self, replayed: Replayed | None) -> None:
        """Count a letter that was tried by itself."""
        self.tried += 1
        if replayed is None or replayed.fate is Fate.RESOLVED_BEFORE:
            return
        self.duplicates += replayed.fate is Fate.DUPLICATE
        self.waiting += replayed.fate is Fate.WAITING
        if replayed.verdict is not None:
            self.verdicts[replayed.verdict] += 1
        if replayed.reason is not None:
            self.failed[replayed.reason] += 1


class Pace(NamedTuple):
    """How many letters at most, how many a second at most (None: no bound), and whether only to look."""

    limit: int | None = None
    rate: float | None = None
    dry_run: bool = False

    @property
    def batch(self) -> int:
        """So many letters at a time: with a rate, about five times a second."""
        return LETTERS_A_BATCH if self.rate is None else max(1, min(LETTERS_A_BATCH, int(self.rate / 5)))


class Clock(Protocol):
    """Time as a replay sees it."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until asked to stop; whether asked."""


def replay(
    letters: Letters,
    parser: Parser,
    selection: Selection,
    pace: Pace,
    tally: Tally,
    clock: Clock,
    tell: Callable[[Tally], object] = lambda _: None,
) -> None:
    """Try the selected letters again, each once, in the order of their numbers; `tell` hears of each batch.

    Letters that come meanwhile are left to another time. Ends early when the clock is asked to stop. Raises
    Retryable: what `tally` counts is done and stays done.
    """
    count, last = letters.extent(selection)
    tally.selected = count if pace.limit is None else min(count, pace.limit)
    began, after = clock.now(), 0
    while (size := min(pace.batch, tally.selected - tally.tried)) > 0:
        due = began + tally.tried / pace.rate if pace.rate else began
        if clock.wait(max(0.0, due - clock.now())):
            return
        step = _look if pace.dry_run else _try
        taken = step(letters, parser, (selection, after, last, size), tally)
        if not taken:  # others have, or had, the rest
            return
        after = taken[-1].letter_no
        tell(tally)


def replay_letter(letters: Letters, parser: Parser, letter_no: int) -> Replayed | None:
    """Try one letter again; None: there is no such letter. Raises Retryable: it is not known whether it was tried."""
    outcome = None
    try:
        with letters.transaction() as tx:
            letter = tx.take_one(letter_no)
            if letter is None or letter.is_resolved:
                return _untouched(letter)
            outcome, failures = _record(tx, parser, [letter])
    except RejectedValue as error:
        failures = [Failure(letter_no, Invalid.REJECTED_VALUE.value, str(error))]
        with letters.transaction() as tx:
            letter = tx.take_one(letter_no)
            if letter is None or letter.is_resolved:
                return _untouched(letter)
            tx.fail(failures)
    return _replayed(letter, outcome, failures)


_Asked = tuple[Selection, int, int, int]  # which letters, after and up to which number, how many


def _look(letters: Letters, parser: Parser, asked: _Asked, tally: Tally) -> list[KeptLetter]:
    found = letters.read(*asked)
    arrivals, failures = _parse(parser, found)
    tally.tried += len(found)
    tally.understood += len(arrivals)
    tally.failed.update(failure.reason for failure in failures)
    return found


def _try(letters: Letters, parser: Parser, asked: _Asked, tally: Tally) -> list[KeptLetter]:
    taken = list[KeptLetter]()
    try:
        with letters.transaction() as tx:
            taken = tx.take(*asked)
            outcome, failures = _record(tx, parser, taken)
    except RejectedValue:
        # The database refuses a value of one of them: each by itself, and the others are kept.
        for letter in taken:
            tally.add_one(replay_letter(letters, parser, letter.letter_no))
        return taken
    tally.add_batch(len(taken), outcome, failures)
    return taken


def _record(tx: LettersTransaction, parser: Parser, taken: Sequence[KeptLetter]) -> tuple[Outcome, list[Failure]]:
    arrivals, failures = _parse(parser, taken)
    if failures:
        tx.fail(failures)
    if not arrivals:
        return Outcome({}), failures
    failed = {failure.letter_no for failure in failures}
    tx.resolve([letter.letter_no for letter in taken if letter.letter_no not in failed])
    return take_in(tx, arrivals), failures


def _parse(parser: Parser, letters: Sequence[KeptLetter]) -> tuple[list[Arrival], list[Failure]]:
    arrivals, failures = list[Arrival](), list[Failure]()
    for letter in letters:
        record = letter.record()
        try:
            arrivals.append(Arrival(parser.parse(record), record))
        except InvalidEvent as error:
            failures.append(Failure(letter.letter_no, error.reason, error.detail))
    return arrivals, failures


def _untouched(letter: KeptLetter | None) -> Replayed | None:
    return None if letter is None else Replayed(letter.letter_no, Fate.RESOLVED_BEFORE, letter.attempts)


def _replayed(letter: KeptLetter, outcome: Outcome | None, failures: Sequence[Failure]) -> Replayed:
    attempts = letter.attempts + 1
    if outcome is None or failures:
        return Replayed(letter.letter_no, Fate.FAILED, attempts, None, failures[0].reason, failures[0].error)
    for _, verdict in outcome.verdicts:
        return Replayed(letter.letter_no, Fate.RECORDED, attempts, verdict)
    return Replayed(letter.letter_no, Fate.DUPLICATE if outcome.duplicates else Fate.WAITING, attempts)
