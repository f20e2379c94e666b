from __future__ import annotations

import pytest

from service.runtime.pace import Pace
from tests.support.fakes import Clock


def test_the_first_turn_waits_for_nothing_and_the_next_one_for_the_rest_of_the_time() -> None:
    clock = Clock()
    pace = Pace(0.5, clock)
    assert pace.remaining() == 0

    pace.begin()
    clock.pass_(0.2)
    assert pace.remaining() == pytest.approx(0.3)

    clock.pass_(1)
    assert pace.remaining() == 0


def test_after_a_turn_with_much_to_do_the_next_one_may_follow_at_once() -> None:
    pace = Pace(0.5, Clock())
    pace.begin()

    pace.skip()

    assert pace.remaining() == 0


@pytest.mark.parametrize(("longest", "waits", "may"), ((1.0, [0.5], True), (0.5, [0.5], True), (0.2, [0.2], False)))
def test_a_rest_is_no_longer_than_asked_for(longest: float, waits: list[float], *, may: bool) -> None:
    pace = Pace(0.5, Clock())
    pace.begin()
    waited: list[float] = []

    assert pace.rest(longest, waited.append) is may

    assert waited == waits
    assert Pace(0.5, Clock()).rest(longest, waited.append)
    assert waited == waits
