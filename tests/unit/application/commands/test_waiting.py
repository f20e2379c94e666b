"""Who may acknowledge what waits and is no return's, and up to which batch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.callers import Who
from service.application.commands.acknowledging import Acknowledgement, ChangedException, UnknownException
from service.application.commands.waiting import Waiting, WaitingException
from service.wire.rows.exception_ids import NamedWait, Waits
from tests.unit.application.access.test_bounds import bounds

AT = datetime(2026, 11, 26, tzinfo=UTC)
LABEL = NamedWait(Waits.LABEL, "generic/GX-1")
ACME = bounds("acme")


class Exceptions:
    """`WaitingExceptions`: scans of one label, the last of batch 9, which those within the bounds see."""

    def __init__(self, last: int = 9, newest: int = 12) -> None:
        self.last, self.newest = last, newest
        self.bounds: tuple[Bounds, ...] = (UNBOUND, ACME)
        self.kept: list[tuple[WaitingException, Who, str, str]] = []
        self.is_restored = False

    def find(self, bounds: Bounds, named: NamedWait, seen: int | None) -> WaitingException | None:
        if bounds not in self.bounds or named != LABEL:
            return None
        return WaitingException(named, self.newest, 2, AT, seen is not None and self.last > seen, None)

    def keep(self, found: WaitingException, who: Who, by: str, note: str) -> Acknowledgement | None:
        if self.is_restored:  # to before what was found
            return None
        self.kept.append((found, who, by, note))
        return Acknowledgement(AT, by, note)


FOUND = WaitingException(LABEL, 12, 2, AT, is_newer=False, acknowledged=None)


def test_what_waits_under_a_name_is_looked_at_within_bounds_as_it_is_now() -> None:
    waiting = Waiting(Exceptions())

    assert waiting.look(UNBOUND, LABEL) == waiting.look(ACME, LABEL) == FOUND
    assert waiting.look(bounds("bravo"), LABEL) is None
    assert waiting.look(UNBOUND, LABEL._replace(subject="generic/GX-2")) is None


@pytest.mark.parametrize(("seen", "upto"), ((None, 12), (9, 9), (11, 11), (12, 12), (100, 12)))
def test_what_was_looked_at_is_what_may_be_acknowledged(seen: int | None, upto: int) -> None:
    assert Waiting(Exceptions()).find(ACME, LABEL, seen) == FOUND._replace(upto=upto)


def test_what_is_acknowledged_without_having_been_looked_at_is_what_there_is_now() -> None:
    assert Waiting(Exceptions()).find(ACME, LABEL) == FOUND


@pytest.mark.parametrize("seen", (0, 8))
def test_something_that_came_since_it_was_looked_at_has_changed_it(seen: int) -> None:
    with pytest.raises(ChangedException):
        Waiting(Exceptions()).find(ACME, LABEL, seen)


@pytest.mark.parametrize("seen", (None, 8, 12))
def test_what_does_not_wait_or_is_not_seen_is_not_there(seen: int | None) -> None:
    waiting = Waiting(Exceptions())

    with pytest.raises(UnknownException):
        waiting.find(bounds("bravo"), LABEL, seen)
    with pytest.raises(UnknownException):
        waiting.find(ACME, LABEL._replace(kind=Waits.RETURN), seen)


def test_it_is_kept_as_it_was_found_in_the_name_of_the_token() -> None:
    exceptions = Exceptions()
    waiting = Waiting(exceptions)
    found = waiting.find(ACME, LABEL, 10)

    said = waiting.acknowledge(found, Who(3, "Ann"), "The portal sends it tomorrow.")
    waiting.acknowledge(found, Who(4, ""), "")
    waiting.acknowledge(found, Who(5, "A" * 257), "again")

    assert said == (AT, "Ann", "The portal sends it tomorrow.")
    assert exceptions.kept == [
        (FOUND._replace(upto=10), Who(3, "Ann"), "Ann", "The portal sends it tomorrow."),
        (FOUND._replace(upto=10), Who(4, ""), "token 4", ""),
        (FOUND._replace(upto=10), Who(5, "A" * 257), "A" * 256, "again"),
    ]


def test_what_the_journal_does_not_know_any_more_is_not_hidden() -> None:
    exceptions = Exceptions()
    waiting = Waiting(exceptions)
    found = waiting.find(UNBOUND, LABEL)
    exceptions.is_restored = True

    with pytest.raises(ChangedException):
        waiting.acknowledge(found, Who(3, "Ann"), "known")
