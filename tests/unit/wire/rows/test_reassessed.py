"""What a history says of a return that was decided anew, and what is read of it."""

from __future__ import annotations

import json

from service.domain.milestones import Reason
from service.wire.rows.reassessed import event_data, reasons_of

OVER, FOUND = (Reason.BEFORE_EXPORT, Reason.OTHER_CONNOTE), (Reason.BEFORE_LABEL,)


def test_it_says_by_which_rules_and_what_they_say_otherwise() -> None:
    assert event_data("R-1", 7, OVER, FOUND) == {
        "return_id": "R-1",
        "rules": 7,
        "over": ["before_export", "other_connote"],
        "found": ["before_label"],
    }
    assert event_data("R-1", 7, (), FOUND) == {"return_id": "R-1", "rules": 7, "found": ["before_label"]}
    assert event_data("R-1", 7, OVER, ()) == {
        "return_id": "R-1",
        "rules": 7,
        "over": ["before_export", "other_connote"],
    }


def test_the_reasons_are_read_as_said() -> None:
    data = json.loads(json.dumps(event_data("R-1", 7, OVER, FOUND)))

    assert (reasons_of(data, "over"), reasons_of(data, "found")) == (OVER, FOUND)
    assert reasons_of(event_data("R-1", 7, (), ()), "over") == ()
