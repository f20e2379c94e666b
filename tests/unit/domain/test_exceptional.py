"""What is an exception, for every verdict and reason; and what a held event waits for."""

from __future__ import annotations

import pytest
from hypothesis import given

from service.domain.events import Event, Sense
from service.domain.exceptional import HELD_REASONS, is_exceptional, reasons
from service.domain.milestones import Reason, Verdict
from tests.unit.domain.histories import THOROUGH, Played, happened, in_order, play, recordings, void


@pytest.mark.parametrize("verdict", Verdict)
def test_an_event_is_exceptional_by_its_verdict_or_because_its_number_is_in_use(verdict: Verdict) -> None:
    does_not_count = verdict in {Verdict.HELD, Verdict.REFUSED, Verdict.UNMAPPED}

    assert is_exceptional(verdict, None) is does_not_count
    assert is_exceptional(verdict.value, Reason.TRACKING_NUMBER_IN_USE.value) is True
    assert is_exceptional(verdict, Reason.ALREADY_EXPORTED) is does_not_count
    assert is_exceptional(verdict, Reason.VOIDED) is False


@THOROUGH
@given(recordings())
def test_what_is_held_waits_and_what_waits_is_held(played: Played) -> None:
    for step in played.steps:
        assert (step.entry.verdict is Verdict.HELD) == (step.entry.reason in HELD_REASONS)


@pytest.mark.parametrize("reason", ("returning_after_delivered", "events_after_closed"))
@pytest.mark.parametrize("is_last", (True, False))
def test_a_void_of_what_gives_a_reason_settles_it_where_the_return_has_nothing_else(reason: str, is_last: bool) -> None:
    closed = Event("s", "c", 3, Sense.CLOSES, because="lost")
    mistake = closed if reason == "events_after_closed" else happened("RDTPF", 3)
    then = [happened("RT", 5), void((mistake.source, mistake.id))]

    steps = play(in_order([happened("RC", 1), mistake, *(then if is_last else then[::-1])])).steps

    assert [step.entry.raised for step in steps if step.entry.raised] == [(reason,)] * is_last
    assert [step.entry.settled for step in steps if step.entry.settled] == [(reason,)] * is_last
    assert reasons(steps[-1].entry.state.evidence, steps[-1].entry.state.timeline) == ()
