"""Who may acknowledge which exception, and up to where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.callers import Who
from service.application.commands.acknowledging import (
    Acknowledgement,
    Acknowledging,
    ChangedException,
    ResolvedException,
    ReturnException,
    Said,
    UnknownException,
)
from service.domain.milestones import Reason
from service.errors import InvalidEvent
from service.wire.models import CARRIER_SCANNED, EVENT_VOIDED, HUB_EXPORTED

AT = datetime(2026, 11, 26, tzinfo=UTC)
HELD = ReturnException(7, "R-1001", Reason.AWAITING_PROCESSED, seq=9, begun=4, events=1, since=AT, acknowledged=None)
EXPORT = Said(HUB_EXPORTED, {"carrier": None, "hub": "akl1"})


class Exceptions:
    """`ReturnExceptions` that has one, which these words gave."""

    def __init__(self, found: ReturnException | None, *said: Said) -> None:
        self._found, self._said = found, said
        self.kept: list[tuple[int, str, str]] = []
        self.who: list[Who] = []
        self.bounds: list[Bounds] = []
        self.is_behind = False

    def of_return(self, bounds: Bounds, return_id: str) -> Sequence[ReturnException]:
        self.bounds.append(bounds)
        assert return_id == "R-1001"
        return [] if self._found is None else [self._found]

    def find(self, bounds: Bounds, return_id: str, reason: Reason) -> ReturnException | None:
        self.bounds.append(bounds)
        assert (return_id, reason) == ("R-1001", Reason.AWAITING_PROCESSED)
        return self._found

    def said(self, found: ReturnException) -> Sequence[Said]:
        assert found is self._found
        return self._said

    def keep(self, found: ReturnException, who: Who, by: str, note: str) -> Acknowledgement | None:
        if self.is_behind:
            return None
        self.kept.append((found.seq, by, note))
        self.who.append(who)
        return Acknowledgement(AT, by, note)


def find(exceptions: Exceptions, bounds: Bounds = UNBOUND, seen: int | None = None) -> ReturnException:
    return Acknowledging(exceptions).find(bounds, "R-1001", Reason.AWAITING_PROCESSED, seen)


def test_it_is_kept_up_to_the_row_that_the_lists_reflect_in_the_name_of_the_token() -> None:
    exceptions = Exceptions(HELD)

    seen = Acknowledging(exceptions).acknowledge(find(exceptions), Who(3, "Ann"), "known")

    assert seen == (AT, "Ann", "known")
    assert exceptions.kept == [(9, "Ann", "known")]
    assert exceptions.who == [Who(3, "Ann")]


def test_a_name_is_kept_as_far_as_there_is_room_for_it() -> None:
    exceptions = Exceptions(HELD)

    Acknowledging(exceptions).acknowledge(find(exceptions), Who(3, "A" * 257), "known")

    assert exceptions.kept == [(9, "A" * 256, "known")]


def test_it_is_looked_for_within_the_bounds_of_whoever_asks() -> None:
    bounds, exceptions = Bounds(retailers=frozenset({"acme"})), Exceptions(HELD)

    find(exceptions, bounds)
    assert Acknowledging(exceptions).of_return(bounds, "R-1001") == [HELD]

    assert exceptions.bounds == [bounds, bounds]


def test_what_was_looked_at_is_what_is_acknowledged() -> None:
    assert find(Exceptions(HELD), seen=6).seq == 6
    assert find(Exceptions(HELD), seen=4).seq == 4
    assert find(Exceptions(HELD), seen=100).seq == 9  # nobody has seen what the lists do not have


def test_one_that_began_since_it_was_looked_at_has_changed() -> None:
    with pytest.raises(ChangedException):
        find(Exceptions(HELD), seen=3)


def test_one_that_began_with_the_newest_row_is_acknowledged_as_it_is() -> None:
    newest = HELD._replace(begun=9)

    assert find(Exceptions(newest)) == find(Exceptions(newest), seen=9) == newest


def test_one_that_began_nobody_knows_when_may_have_changed() -> None:
    with pytest.raises(ChangedException):
        find(Exceptions(HELD._replace(begun=2**31 - 1)))


def test_one_that_changes_meanwhile_is_not_hidden() -> None:
    exceptions = Exceptions(HELD)
    found = find(exceptions)
    exceptions.is_behind = True

    with pytest.raises(ChangedException):
        Acknowledging(exceptions).acknowledge(found, Who(3, "Ann"), "known")


def test_one_that_is_not_there_and_one_that_is_resolved_are_told_apart() -> None:
    with pytest.raises(UnknownException):
        find(Exceptions(None))
    with pytest.raises(ResolvedException):
        find(Exceptions(HELD._replace(events=0, since=None)))


@pytest.mark.parametrize(
    ("bounds", "said", "may"),
    (
        (UNBOUND, (EXPORT, Said(CARRIER_SCANNED, {"carrier": "nzpost", "hub": None})), True),
        (Bounds(retailers=frozenset({"acme"})), (EXPORT,), True),  # whose return it is
        (Bounds(hubs=frozenset({"akl1"})), (EXPORT,), True),
        (Bounds(hubs=frozenset({"mel1"})), (EXPORT,), False),
        (Bounds(hubs=frozenset({"akl1"})), (EXPORT, Said(HUB_EXPORTED, {"carrier": None, "hub": "mel1"})), False),
        (Bounds(hubs=frozenset({"akl1"})), (Said(HUB_EXPORTED, {"carrier": None, "hub": None}),), False),
        (Bounds(carriers=frozenset({"nzpost"})), (EXPORT,), False),
        (Bounds(carriers=frozenset({"nzpost"})), (Said(CARRIER_SCANNED, {"carrier": "nzpost", "hub": None}),), True),
        (Bounds(hubs=frozenset({"akl1"})), (Said(EVENT_VOIDED, {"carrier": None, "hub": None}),), True),
    ),
)
def test_who_is_bound_to_carriers_or_hubs_acknowledges_what_those_said(
    bounds: Bounds, said: Sequence[Said], *, may: bool
) -> None:
    exceptions = Exceptions(HELD, *said)
    if may:
        assert find(exceptions, bounds) == HELD
    else:
        with pytest.raises(InvalidEvent):
            find(exceptions, bounds)
