"""What exceptions are called."""

from __future__ import annotations

import pytest

from service.domain.milestones import Reason
from service.wire.rows.exception_ids import (
    NamedWait,
    Waits,
    exception_id,
    named_by,
    subject_of,
    waiting_id,
    waiting_named_by,
)


@pytest.mark.parametrize("reason", Reason)
def test_an_id_leads_back_to_its_return_and_reason(reason: Reason) -> None:
    assert named_by(exception_id("R-1001", reason.value)) == ("R-1001", reason)


@pytest.mark.parametrize(
    "text",
    (
        "",
        "R-1001",
        "return/R-1001",
        "return/R-1001/",
        "return/R-1001/unknown_code/",
        "return/R-1001/unknown_code\n",
        "return/R-1001/no_such_reason",
        "return//unknown_code",
        "return/R-1\u0000001/unknown_code",
        "return/R/1001/unknown_code",
        "connote/CN-1/unknown_code",
        "label/generic/TR-1001/unknown_code",
        "RETURN/R-1001/unknown_code",
        f"return/{'R' * 65}/unknown_code",
    ),
)
def test_what_is_none_is_no_error(text: str) -> None:
    assert named_by(text) is None


@pytest.mark.parametrize(
    ("named", "text"),
    (
        (NamedWait(Waits.RETURN, "R-1001"), "return/R-1001/parked"),
        (NamedWait(Waits.LABEL, "generic/GX-1"), "label/generic/GX-1/parked"),
        (NamedWait(Waits.CONNOTE, "CN-4711"), "connote/CN-4711/without_members"),
    ),
)
def test_an_id_leads_back_to_what_waits(named: NamedWait, text: str) -> None:
    assert waiting_id(named) == text
    assert waiting_named_by(text) == named


@pytest.mark.parametrize(
    "text",
    (
        "",
        "return/R-1001/awaiting_processed",
        "return/R-1001/without_members",
        "return/generic/GX-1/parked",
        "label/GX-1/parked",
        "label/Generic/GX-1/parked",
        "connote/CN-4711/parked",
        "connote/CN-4711/without_members\n",
        f"return/{'R' * 65}/parked",
    ),
)
def test_what_names_nothing_that_waits_is_no_error(text: str) -> None:
    assert waiting_named_by(text) is None


@pytest.mark.parametrize(
    ("told", "subject"),
    (
        ("return/R-1001/awaiting_processed", "R-1001"),
        ("return/R-1001/parked", "R-1001"),
        ("label/generic/GX-1/parked", "generic/GX-1"),
        ("connote/CN-1/without_members", "CN-1"),
    ),
)
def test_the_key_of_its_messages_is_what_an_exception_is_about(told: str, subject: str) -> None:
    assert subject_of(told) == subject
