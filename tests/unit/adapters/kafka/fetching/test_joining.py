"""How long a member may be on its way into the group: the source's own patience, around a client that a test plays."""

from __future__ import annotations

from types import SimpleNamespace

from service.adapters.kafka.fetching.subscribing import JOIN_SECONDS, Joining
from tests.support.fakes import Clock


class Member(SimpleNamespace):
    """A client's view of its membership."""

    coordinator_id: str | None = "coordinator-0"
    state = "<rebalancing>"
    is_stable = False
    _generation = SimpleNamespace(generation_id=7)

    def stable(self) -> bool:
        return self.is_stable


def joining() -> tuple[Joining, Member, Clock]:
    member, clock = Member(), Clock()
    return Joining(SimpleNamespace(_coordinator=member), clock=clock), member, clock


def test_a_member_is_waited_for_a_minute_and_no_longer() -> None:
    joins, _, clock = joining()

    for _ in range(int(JOIN_SECONDS)):
        clock.pass_(1)
        assert not joins.is_too_long
    clock.pass_(1)

    assert joins.is_too_long
    assert str(joins) == "not in its group for 61 s (rebalancing, generation 7)"


def test_a_member_that_is_in_its_group_waits_for_nothing() -> None:
    joins, member, clock = joining()
    clock.pass_(4)
    member.is_stable = True
    assert joins.seconds() == 0
    member.is_stable = False
    clock.pass_(3)

    assert joins.seconds() == 3


def test_who_was_frozen_has_not_waited() -> None:
    joins, _, clock = joining()

    clock.pass_(500)

    assert joins.seconds() == 0


def test_a_group_without_a_coordinator_is_named_as_that() -> None:
    joins, member, _ = joining()
    member.coordinator_id = None

    assert "looks for its coordinator" in str(joins)
