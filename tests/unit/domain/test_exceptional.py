"""What is an exception, for every verdict and reason; and what a held event waits for."""

from __future__ import annotations

import pytest
from hypothesis import given

from service.domain.exceptional import HELD_REASONS, is_exceptional
from service.domain.milestones import Reason, Verdict
from tests.unit.domain.histories import THOROUGH, Played, recordings


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
