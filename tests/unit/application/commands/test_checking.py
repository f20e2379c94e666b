"""What a check says of an event: what it means, which returns it concerns, and what it would be there."""

from __future__ import annotations

from typing import Any

import pytest

from service.application.access.bounds import UNBOUND
from service.application.commands.accepting import Concerned, Judged, Sender, told, told_of_check
from service.domain.milestones import Milestone
from service.wire import models
from tests.support.journals import VOID, event, scan
from tests.unit.application.commands.test_accepting import SCANNER, Returns, accepting, sent


@pytest.mark.parametrize(
    ("document", "verdict"),
    (
        (scan("COLLECTED", "10:00"), "duplicate"),
        (scan("COLLECTED", "09:30"), "repeated"),
        (scan("DELIVERED", "11:00"), "advanced"),
        (scan("WHAT", "11:00"), "unmapped"),
    ),
)
def test_a_check_says_what_the_event_would_be(document: dict[str, Any], verdict: str) -> None:
    use_case = accepting()
    (judged,) = use_case.judge([sent(document)], SCANNER)
    assert judged.inbound is not None

    (concerned,) = use_case.concerned(UNBOUND, judged.inbound)

    assert (concerned.return_id, concerned.verdict) == ("R-1001", verdict)


@pytest.mark.parametrize(
    ("document", "means"),
    (
        (scan("COLLECTED", "11:00"), "RT"),
        (scan("RETURNING", "11:00"), "informs"),
        (scan("WHAT", "11:00"), "unmapped"),
        (event(models.CONNOTE_DELIVERED, "d", "11:00", connote="C-1"), None),
    ),
)
def test_a_check_tells_what_the_code_of_a_scan_means(document: dict[str, Any], means: str | None) -> None:
    (judged,) = accepting().judge([sent(document)], SCANNER)

    checked = told_of_check(3, judged, None)

    assert checked == told(3, judged) | {"published_source": "/nzpost/depot", "means": means, "concerns": None}


def test_a_check_tells_which_returns_an_event_concerns_and_what_it_would_be_there() -> None:
    returns = Returns()
    use_case = accepting(returns=returns)
    judged, wrong = use_case.judge([sent(scan("DELIVERED", "11:00")), {"id": 1}], SCANNER)
    assert judged.inbound is not None

    concerned = use_case.concerned(UNBOUND, judged.inbound)

    assert told_of_check(0, judged, concerned)["concerns"] == [
        {"return_id": "R-1001", "verdict": "advanced", "reason": None, "status": "RDTPF"}
    ]
    assert returns.limits == [10]
    assert use_case.concerned(UNBOUND, judged.inbound, 0) == []
    nothing = told_of_check(1, wrong, [])
    assert (nothing["published_source"], nothing["means"], nothing["concerns"]) == (None, None, [])


def test_a_check_says_why_something_would_not_count() -> None:
    use_case = accepting()
    unmapped, exported, twice = use_case.judge(
        [
            sent(scan("WHAT", "11:00")),
            sent(event(models.HUB_EXPORTED, "e", "11:00", return_id="R-1001", hub="lhr", connote="C-1")),
            sent(scan("COLLECTED", "10:00")),
        ],
        Sender("nzpost", {"scan", "hub"}, UNBOUND),
    )

    def of(judged: Judged) -> list[Concerned]:
        assert judged.inbound is not None
        return use_case.concerned(UNBOUND, judged.inbound)

    assert of(unmapped) == [Concerned("R-1001", "unmapped", "unknown_code", Milestone.RT)]
    assert of(exported) == [Concerned("R-1001", "held", "awaiting_processed", Milestone.RT)]
    assert of(twice) == [Concerned("R-1001", "duplicate", None, Milestone.RT)]


def test_of_a_void_of_what_came_it_is_not_said_what_it_would_be_and_of_another_it_is() -> None:
    use_case = accepting()

    def void(id_: str) -> dict[str, Any]:
        said = {"return_id": "R-1001", "source": "/depot", "id": id_, "by": "Ann", "reason": "a mistake"}
        return sent(event(VOID, f"v-{id_}", "12:00")) | {"data": said}

    known, other = use_case.judge([void("R-1001-COLLECTED-10:00"), void("x")], Sender("nzpost", {"hub"}, UNBOUND))
    assert known.inbound is not None
    assert other.inbound is not None

    assert use_case.concerned(UNBOUND, known.inbound) == [Concerned("R-1001", None, None, None)]
    assert use_case.concerned(UNBOUND, other.inbound) == [Concerned("R-1001", "informational", None, Milestone.RT)]
