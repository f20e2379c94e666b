"""What lists can be narrowed by, and what cannot be meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from service.application.reading.filters import ExceptionFilter, ExceptionState, LetterFilter, ReturnFilter
from service.domain.milestones import Reason


@pytest.mark.parametrize(
    ("wanted", "parked", "recorded"),
    (
        ({}, True, True),
        ({"verdict": "parked"}, True, False),
        ({"verdict": "held"}, False, True),
        ({"reason": Reason.VOIDED}, False, True),
        ({"open": True}, True, True),
        ({"open": False}, False, True),  # what is parked waits for somebody
        ({"verdict": "parked", "open": False}, False, False),
        ({"verdict": "parked", "reason": Reason.VOIDED}, False, False),
        ({"carrier": "generic"}, True, True),
        ({"state": "open"}, True, True),
        ({"state": "acknowledged"}, True, True),
        ({"state": "resolved"}, False, True),
    ),
)
def test_parked_events_are_open_and_have_no_reason(wanted: dict[str, Any], parked: bool, recorded: bool) -> None:
    found = ExceptionFilter(**wanted)

    assert (found.wants_parked, found.wants_recorded) == (parked, recorded)


@pytest.mark.parametrize(
    ("wanted", "states"),
    (
        ({}, {"open", "acknowledged", "resolved"}),
        ({"open": True}, {"open"}),  # whoever works off a list works off what nobody has seen
        ({"open": False}, {"resolved"}),
        ({"state": "acknowledged"}, {"acknowledged"}),
        ({"open": True, "state": "open"}, {"open"}),
        ({"open": True, "state": "acknowledged"}, set()),
        ({"open": False, "state": "open"}, set()),
    ),
)
def test_open_is_narrower_than_unresolved_and_filters_that_contradict_each_other_let_nothing_through(
    wanted: dict[str, Any], states: set[str]
) -> None:
    found = ExceptionFilter(**wanted)

    assert found.states == {ExceptionState(state) for state in states}
    assert found.wants_recorded is bool(states)


@pytest.mark.parametrize(
    "given", ("R-100,R-200,R-300", ["R-100", "R-200", "R-300"], ["R-100,R-200", "R-300"], ("R-100", "R-200,R-300"))
)
def test_numbers_are_given_several_times_or_with_commas_between_them(given: object) -> None:
    assert ReturnFilter.model_validate({"return_id": given}).return_id == ("R-100", "R-200", "R-300")


@pytest.mark.parametrize("given", ([], [5], 5, [["R-100"]], "", "R-100,", ["R-100", None]))
def test_what_is_no_number_among_several_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        ReturnFilter.model_validate({"tracking_number": given})


@pytest.mark.parametrize("text", ("2026-11-25T12:00:00Z", "2026-11-26T01:00:00+13:00", "2026-11-25t12:00:00z"))
def test_a_time_is_rfc_3339_with_an_offset(text: str) -> None:
    assert LetterFilter.model_validate({"since": text}).since == datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ("2026-11-25", "2026-11-25T12:00:00", "1795608000", 1_795_608_000, 1.5, "", "now", True, b"2026", [])
)
def test_what_else_could_be_taken_for_a_time_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="RFC 3339 with an offset is expected"):
        LetterFilter.model_validate({"until": value})


def test_a_moment_of_a_program_is_a_time_if_it_has_a_zone() -> None:
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)

    assert LetterFilter(since=noon, until=None).since == noon
    with pytest.raises(ValidationError):
        LetterFilter(since=noon.replace(tzinfo=None))


@pytest.mark.parametrize(
    "wanted",
    (
        {"retailr": "acme"},
        {"retailer": "Acme"},
        {"tracking_number": "a b c"},
        {"order_number": ""},
        {"order_number": "x" * 129},
        {"order_number": "a\0b"},
        {"status": "XX"},
        {"route": "by_air"},
    ),
)
def test_a_filter_that_is_misspelt_or_can_match_nothing_is_an_error_and_not_everything(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReturnFilter.model_validate(wanted)
