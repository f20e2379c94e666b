"""Dead letters go through again: each once, in the order of their numbers, and no faster than was asked."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.journal.replay import (
    LETTERS_A_BATCH,
    Extent,
    Failure,
    Fate,
    Pace,
    Replayed,
    Selection,
    Tally,
    replay,
    replay_letter,
)
from service.domain.milestones import Verdict
from service.errors import Retryable
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.rows.letters import KeptLetter
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import RP, creation, event, scan

AT = datetime(2026, 11, 25, tzinfo=UTC)
PARSER = Parser(CarrierTables.load())


def letter(number: int, document: dict[str, Any] | None) -> KeptLetter:
    value = b"{" if document is None else json.dumps(document).encode()
    return KeptLetter(number, "in", None, 0, number, AT, None, value, len(value), [], "no_zone", "once", 1, AT)


class Transaction(MemoryTransaction):
    """`LettersTransaction` on the letters of `Letters`."""

    kept: dict[int, KeptLetter]
    locked: set[int]

    def take(self, selection: Selection, after: int, upto: int, limit: int) -> list[KeptLetter]:
        del selection
        return [
            each
            for number, each in sorted(self.kept.items())
            if after < number <= upto and not each.is_resolved and number not in self.locked
        ][:limit]

    def take_one(self, letter_no: int) -> KeptLetter | None:
        return self.kept.get(letter_no)

    def resolve(self, letter_nos: Sequence[int]) -> None:
        for number in letter_nos:
            each = self.kept[number]
            self.kept[number] = each._replace(attempts=each.attempts + 1, resolved_at=AT)

    def fail(self, failures: Sequence[Failure]) -> None:
        for number, reason, error in failures:
            each = self.kept[number]
            self.kept[number] = each._replace(attempts=each.attempts + 1, reason=reason, error=error)


class Letters:
    """`Letters` beside a journal in memory."""

    def __init__(self, *kept: KeptLetter) -> None:
        self.kept = {each.letter_no: each for each in kept}
        self.journal = MemoryJournal()
        self.locked: set[int] = set()
        self.sizes: list[int] = []
        self.selections: set[Selection] = set()
        self.is_away = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        if self.is_away:
            raise Retryable("away")
        tx = Transaction(self.journal, copy.deepcopy(self.journal.tables))
        tx.kept, tx.locked = dict(self.kept), self.locked
        yield tx
        self.journal.tables, self.kept = tx.tables, tx.kept

    def extent(self, selection: Selection) -> Extent:
        self.selections.add(selection)
        waiting = [number for number, each in self.kept.items() if not each.is_resolved]
        return Extent(len(waiting), max(waiting, default=0))

    def read(self, selection: Selection, after: int, upto: int, limit: int) -> list[KeptLetter]:
        with self.transaction() as tx:
            return tx.take(selection, after, upto, limit)

    def attempts(self) -> dict[int, tuple[int, bool]]:
        return {number: (each.attempts, each.is_resolved) for number, each in self.kept.items()}


class Clock:
    """A clock that only waiting moves, and work."""

    def __init__(self, stops_at: float = float("inf")) -> None:
        self.time, self.stops_at = 1000.0, stops_at
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.time += seconds
        return self.time >= self.stops_at


def send(letters: Letters, pace: Pace | None = None, clock: Clock | None = None) -> tuple[Tally, list[int]]:
    """What became of them, and how many had been tried each time that was told."""
    tally, heard = Tally(), list[int]()
    selection = Selection(reasons=("no_zone",))
    replay(letters, PARSER, selection, pace or Pace(), tally, clock or Clock(), lambda t: heard.append(t.tried))
    assert letters.selections == {selection}
    return tally, heard


def test_each_letter_is_recorded_or_waits_or_is_a_duplicate_or_fails_again() -> None:
    letters = Letters(
        letter(1, creation()),
        letter(2, scan("COLLECTED", "10:00")),
        letter(3, creation()),
        letter(4, scan("COLLECTED", "10:00", "R-9")),
        letter(5, None),
    )

    tally, heard = send(letters)

    assert (tally.selected, tally.tried, tally.understood, tally.resolved) == (5, 5, 0, 4)
    assert tally.verdicts == {Verdict.ADVANCED: 2}
    assert (tally.waiting, tally.duplicates, tally.failed) == (1, 1, {"not_json": 1})
    assert letters.attempts() == {1: (2, True), 2: (2, True), 3: (2, True), 4: (2, True), 5: (2, False)}
    assert (letters.kept[5].reason, letters.kept[5].error) == ("not_json", "not JSON at line 1 column 1")
    assert letters.journal.recorded("R-1001") == ["R-1001-rc", "R-1001-COLLECTED-10:00"]
    assert heard == [5]


def test_what_became_of_several_batches_is_added_up() -> None:
    waits = [letter(number, scan("COLLECTED", "10:00", f"R-{number}00")) for number in (1, 2)]
    twice = [letter(number, creation(f"R-{number // 2}00")) for number in (6, 7, 8, 9)]

    tally, heard = send(Letters(*waits, *twice, letter(10, None), letter(11, None)), Pace(rate=5.0))

    assert heard == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (tally.waiting, tally.duplicates, tally.resolved) == (2, 2, 6)
    assert (tally.verdicts, tally.failed) == ({Verdict.ADVANCED: 2}, {"not_json": 2})


def test_letters_of_which_none_is_an_event_leave_no_batch_in_the_journal() -> None:
    letters = Letters(letter(1, None), letter(2, None))

    tally, _ = send(letters)

    assert (tally.tried, tally.resolved, tally.failed) == (2, 0, {"not_json": 2})
    assert letters.journal.tables.batches == 0
    # What fails stays, and is tried anew another time.
    assert send(letters)[0].failed == {"not_json": 2}
    assert letters.attempts() == {1: (3, False), 2: (3, False)}


def test_to_look_changes_nothing() -> None:
    letters = Letters(letter(1, creation()), letter(2, None), letter(3, scan("COLLECTED", "10:00")))

    tally, heard = send(letters, Pace(dry_run=True))

    assert (tally.selected, tally.tried, tally.understood, tally.resolved) == (3, 3, 2, 0)
    assert tally.failed == {"not_json": 1}
    assert letters.attempts() == {1: (1, False), 2: (1, False), 3: (1, False)}
    assert heard == [3]


def test_what_is_looked_at_in_several_batches_is_added_up() -> None:
    looks = [creation(), None, scan("COLLECTED", "10:00"), scan("IN_TRANSIT", "11:00")]
    letters = Letters(*(letter(number, each) for number, each in enumerate(looks, start=1)))

    tally, heard = send(letters, Pace(rate=5.0, dry_run=True))

    assert (tally.tried, tally.understood, tally.failed) == (4, 3, {"not_json": 1})
    assert heard == [1, 2, 3, 4]


@pytest.mark.parametrize(("limit", "tried"), ((0, 0), (1, 1), (2, 2), (4, 3), (None, 3)))
def test_no_more_letters_are_tried_than_was_asked(limit: int | None, tried: int) -> None:
    letters = Letters(*(letter(number, creation(f"R-{number}00")) for number in (1, 2, 3)))

    tally, _ = send(letters, Pace(limit=limit))

    assert (tally.selected, tally.tried) == (tried, tried)
    assert [number for number, each in letters.kept.items() if each.is_resolved] == [1, 2, 3][:tried]


def test_many_letters_are_tried_so_many_at_a_time() -> None:
    letters = Letters(*(letter(number, None) for number in range(1, LETTERS_A_BATCH + 2)))

    assert send(letters)[1] == [LETTERS_A_BATCH, LETTERS_A_BATCH + 1]


def test_letters_that_come_meanwhile_or_that_others_have_are_left_alone() -> None:
    letters = Letters(*(letter(number, creation(f"R-{number}00")) for number in (1, 2, 3)))
    letters.locked = {2}
    more = letter(9, creation("R-900"))
    tally = Tally()

    replay(letters, PARSER, Selection(), Pace(rate=5.0), tally, Clock(), lambda _: letters.kept.setdefault(9, more))

    assert (tally.selected, tally.tried) == (3, 2)
    assert letters.attempts() == {1: (2, True), 2: (1, False), 3: (2, True), 9: (1, False)}


@pytest.mark.parametrize(
    ("rate", "batch"), ((None, 100), (0.1, 1), (5.0, 1), (9.9, 1), (10.0, 2), (499.0, 99), (500.0, 100), (9e9, 100))
)
def test_with_a_rate_a_batch_is_what_a_fifth_of_a_second_takes(rate: float | None, batch: int) -> None:
    assert Pace(rate=rate).batch == batch


def test_a_rate_is_kept_over_the_whole_and_what_took_long_is_caught_up() -> None:
    letters = Letters(*(letter(number, None) for number in range(1, 8)))
    clock = Clock()
    tally = Tally()

    def work(so_far: Tally) -> None:
        clock.time += 0.5 if so_far.tried == 4 else 0.0

    replay(letters, PARSER, Selection(), Pace(rate=10.0), tally, clock, work)

    assert tally.tried == 7
    assert [round(seconds, 3) for seconds in clock.waits] == [0.0, 0.2, 0.0, 0.0]
    assert round(clock.time, 3) == 1000.7


def test_it_ends_early_when_it_is_asked_to_stop() -> None:
    letters = Letters(*(letter(number, None) for number in range(1, 8)))

    tally, heard = send(letters, Pace(rate=10.0), Clock(stops_at=1000.4))

    assert (tally.selected, tally.tried, heard) == (7, 4, [2, 4])


def test_what_was_done_before_the_database_went_is_counted() -> None:
    letters = Letters(*(letter(number, None) for number in range(1, 4)))
    tally = Tally()

    def go_away(_: Tally) -> None:
        letters.is_away = True

    with pytest.raises(Retryable):
        replay(letters, PARSER, Selection(), Pace(rate=5.0), tally, Clock(), go_away)

    assert tally.tried == 1


def test_a_value_that_only_the_database_refuses_fails_alone() -> None:
    letters = Letters(letter(1, creation()), letter(2, creation("R-2000")), letter(3, None), letter(4, creation("R-4")))
    letters.journal.refuses = lambda refused: refused.id == "R-2000-rc"

    tally, _ = send(letters)

    assert (tally.tried, tally.verdicts, tally.waiting, tally.duplicates) == (4, {Verdict.ADVANCED: 2}, 0, 0)
    assert tally.failed == {"rejected_value": 1, "not_json": 1}
    assert letters.attempts() == {1: (2, True), 2: (2, False), 3: (2, False), 4: (2, True)}
    assert letters.kept[2].reason == "rejected_value"


def test_by_itself_each_letter_has_its_fate() -> None:
    letters = Letters(
        letter(1, creation()),
        letter(2, creation()),
        letter(3, event(RP, "rp", "13:00", return_id="R-9999", hub="lhr")),
        letter(4, None),
        letter(5, creation("R-5000")),
    )
    letters.journal.refuses = lambda refused: refused.id == "R-5000-rc"

    assert replay_letter(letters, PARSER, 1) == Replayed(1, Fate.RECORDED, 2, Verdict.ADVANCED)
    assert replay_letter(letters, PARSER, 1) == Replayed(1, Fate.RESOLVED_BEFORE, 2)
    assert replay_letter(letters, PARSER, 2) == Replayed(2, Fate.DUPLICATE, 2)
    assert replay_letter(letters, PARSER, 3) == Replayed(3, Fate.WAITING, 2)
    assert replay_letter(letters, PARSER, 4) == Replayed(
        4, Fate.FAILED, 2, None, "not_json", "not JSON at line 1 column 1"
    )
    refused = replay_letter(letters, PARSER, 5)
    assert refused == Replayed(5, Fate.FAILED, 2, None, "rejected_value", letters.kept[5].error)
    assert letters.kept[5].error == "PostgreSQL 22P02 history"
    assert replay_letter(letters, PARSER, 6) is None
    assert letters.attempts() == {1: (2, True), 2: (2, True), 3: (2, True), 4: (2, False), 5: (2, False)}


@pytest.mark.parametrize("meanwhile", (AT, None))
def test_a_refused_letter_that_another_one_resolved_or_took_away_meanwhile_is_left_alone(
    meanwhile: datetime | None,
) -> None:
    letters = Letters(letter(1, creation()))

    def refuse(_: object) -> bool:
        if meanwhile is None:
            del letters.kept[1]
        else:
            letters.kept[1] = letters.kept[1]._replace(resolved_at=meanwhile)
        return True

    letters.journal.refuses = refuse

    assert replay_letter(letters, PARSER, 1) == (None if meanwhile is None else Replayed(1, Fate.RESOLVED_BEFORE, 1))


def test_letters_that_were_tried_one_by_one_are_counted_by_their_fate() -> None:
    tally = Tally()

    for replayed in (
        None,
        Replayed(1, Fate.RESOLVED_BEFORE, 2),
        Replayed(2, Fate.RECORDED, 2, Verdict.HELD),
        Replayed(3, Fate.WAITING, 2),
        Replayed(4, Fate.DUPLICATE, 2),
        Replayed(5, Fate.FAILED, 2, None, "not_json", "not JSON"),
        Replayed(6, Fate.FAILED, 2, None, "not_json", "not JSON"),
        Replayed(7, Fate.RECORDED, 2, Verdict.HELD),
    ):
        tally.add_one(replayed)

    assert (tally.tried, tally.waiting, tally.duplicates, tally.resolved) == (8, 1, 1, 4)
    assert (tally.verdicts, tally.failed) == ({Verdict.HELD: 2}, {"not_json": 2})
