"""What subscribers hold of a return: read from a document, or folded from the changes that they were told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.domain.events import Attributes, Published
from service.domain.milestones import Milestone, Route
from service.wire.rows.reconciled import NOTHING, event_data, folded, of_event, published_of, summary

AT = 1_795_608_000_000_000
TEXT = "2026-11-25T12:00:00Z"
KNOWN = {
    "retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": "GX-1", "order_number": None,
}  # fmt: skip
GB = {"country": "GB"}


def change(version: int, code: str, kind: str = "reached", **more: Any) -> dict[str, Any]:
    return {
        "return_id": "R-1", "version": version, "kind": kind, "milestone": code, "occurred_at": TEXT, "location": None,
        "cause": {"source": "/s", "id": "i"}, "connote": None, **KNOWN, **more,
    }  # fmt: skip


def step(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "state": "reached", "occurred_at": TEXT, "location": None, "source": "/s", **more}


def test_a_document_says_what_counts_and_what_the_return_is_known_by() -> None:
    steps = [
        step("RC", location={}),
        step("RT", location=GB, source="/carrier"),
        {"code": "RDTPF", "state": "upcoming", "occurred_at": None, "location": None, "source": None},
    ]

    assert published_of(
        {"version": 2, "connote": "C-1", "timeline": steps, **KNOWN, "order_number": "A-1"}
    ) == Published(
        2,
        {Milestone.RC: (AT, "/s", None), Milestone.RT: (AT, "/carrier", GB)},
        Attributes("acme", Route.OMNIRPS, "generic", "GX-1", "A-1"),
        "C-1",
    )


LABELS = [
    {"carrier": "generic", "tracking_number": "GX-1"},  # that of the creation comes first
    {"carrier": "ups", "tracking_number": "1Z"},
    {"carrier": "generic", "tracking_number": "GX-2"},
]
CLOSED = {"reason": "lost", "at": TEXT}


def test_a_document_says_which_further_labels_there_are_and_when_and_why_the_return_was_closed() -> None:
    document = {"version": 2, "connote": None, "timeline": [step("RC")], **KNOWN}
    held = Published(2, {Milestone.RC: (AT, "/s", None)}, Attributes("acme", Route.OMNIRPS, "generic", "GX-1"), None)

    assert published_of(document | {"labels": LABELS, "closed": CLOSED}) == replace(
        held, closed=(AT, "lost"), labels=(("ups", "1Z"), ("generic", "GX-2"))
    )
    assert published_of(document | {"labels": LABELS[:1], "closed": None}) == held
    assert published_of(document | {"labels": None}) == held
    assert published_of(document) == held, "documents of releases before told of neither"


@pytest.mark.parametrize("wrong", ({}, {"timeline": 1}, {"version": "x", "connote": None, "timeline": [], **KNOWN}))
def test_what_is_no_document_of_ours_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        published_of(wrong)


def test_changes_in_their_order_are_a_document() -> None:
    told = [
        change(1, "RC"),
        change(2, "RP", location=GB),
        change(3, "RT"),
        change(4, "RP", "revoked"),
        change(5, "RT", "retimed", cause={"source": "/earlier", "id": "i"}, connote="C-1", order_number="A-1"),
    ]

    document = folded(told)

    assert document == {
        "return_id": "R-1", "version": 5, "connote": "C-1", **KNOWN, "order_number": "A-1",
        "timeline": [step("RC"), step("RT", source="/earlier")],
    }  # fmt: skip
    assert published_of(document).version == 5


def test_the_last_change_tells_of_the_labels_and_whether_the_return_is_closed() -> None:
    told = change(2, "RT", "closed", labels=LABELS, closed=CLOSED)
    known = {"return_id": "R-1", "connote": None, **KNOWN, "timeline": [step("RC")]}

    assert folded([change(1, "RC"), told]) == {**known, "version": 2, "labels": LABELS, "closed": CLOSED}
    assert folded([change(1, "RC"), told, change(3, "RT", "reopened", labels=LABELS[:1], closed=None)]) == {
        **known, "version": 3, "labels": LABELS[:1], "closed": None,
    }  # fmt: skip
    assert folded([change(1, "RC"), told, change(3, "RT", "detailed")]) == {**known, "version": 3}


def test_they_are_folded_on_top_of_a_document_that_stays_what_it_is() -> None:
    begin: dict[str, Any] = {
        "return_id": "R-1", "version": 1, "connote": None, **KNOWN,
        "timeline": [step("RC"), {"code": "RT", "state": "upcoming"}, step("RP", location=GB)],
    }  # fmt: skip

    document = folded([change(2, "RT"), change(3, "RC", "revoked"), change(4, "DS", "revoked")], begin)

    assert document is not None
    assert (document["version"], document["timeline"]) == (4, [step("RT"), step("RP", location=GB)])
    assert (begin["version"], len(begin["timeline"])) == (1, 3)
    again = folded([], begin)
    assert again is not None
    assert (again["version"], again["timeline"]) == (1, [step("RC"), step("RP", location=GB)])


def test_nothing_told_is_nothing_held() -> None:
    assert folded([]) is None
    assert of_event(event_data("R-1", None)) == NOTHING
    assert event_data("R-1", None) == {"return_id": "R-1", "published": None}
    document = folded([change(1, "RC")])
    assert document is not None
    assert of_event(event_data("R-1", document)) == published_of(document)


def test_what_is_held_is_said_in_a_few_words() -> None:
    document = folded([change(1, "RC"), change(2, "RR"), change(3, "RT", "backfilled")])

    assert document is not None
    assert summary(published_of(document)) == "version 3, Return Rejected"
    assert summary(NOTHING) == "version 0, nothing"
