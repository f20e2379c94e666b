"""What exceptions are called."""

from __future__ import annotations

import pytest

from service.domain.milestones import Reason
from service.wire.rows.exception_ids import exception_id, named_by


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
