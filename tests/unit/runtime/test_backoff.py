from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.runtime.backoff import Backoff
from tests.support.fakes import Clock


@given(failures=st.integers(1, 200), jitter=st.floats(0, 1, exclude_max=True))
def test_waits_half_to_all_of_a_doubling_delay_up_to_the_longest(failures: int, jitter: float) -> None:
    clock = Clock()
    backoff = Backoff(clock, first=0.1, longest=5.0, jitter=lambda: jitter)

    for _ in range(failures):
        backoff.fail()

    delay = min(5.0, 0.1 * 2 ** min(failures - 1, 10))
    assert backoff.failures == failures
    assert 0.5 * delay - 1e-9 <= backoff.remaining() <= delay + 1e-9


@given(passed=st.floats(0, 10))
def test_what_remains_is_what_has_not_passed_and_never_negative(passed: float) -> None:
    clock = Clock()
    backoff = Backoff(clock, first=1.0, jitter=lambda: 0.0)
    backoff.fail()

    clock.pass_(passed)

    assert abs(backoff.remaining() - max(0.0, 0.5 - passed)) < 1e-9


def test_is_over_after_a_success() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    for _ in range(8):
        backoff.fail()

    backoff.succeed()

    assert (backoff.failures, backoff.remaining()) == (0, 0.0)
    backoff.fail()
    assert backoff.remaining() <= 0.1 + 1e-9


def test_by_itself_it_begins_with_a_tenth_of_a_second_and_ends_with_five() -> None:
    clock = Clock()
    backoff = Backoff(clock, jitter=lambda: 1.0)
    waits = []
    for _ in range(8):
        backoff.fail()
        waits.append(backoff.remaining())

    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_two_workers_do_not_come_back_at_the_same_moment() -> None:
    clock = Clock()
    one, other = Backoff(clock), Backoff(clock)

    waits = set()
    for backoff in (one, other):
        for _ in range(5):
            backoff.fail()
        waits.add(backoff.remaining())

    assert len(waits) == 2
