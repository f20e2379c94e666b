"""What is seen of the events of a return that retailers share by mistake: of another one's nothing but that it is there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.within import BLINDED, row_within
from service.application.reading.tracking import RecordedEvent
from service.wire.models import CARRIER_SCANNED, EVENT_VOIDED, HUB_PROCESSED, RETURN_CREATED
from service.wire.rows.claimed import LABEL_CLAIMED

ACME = Bounds(retailers=frozenset({"acme"}))
HUB = Bounds(hubs=frozenset({"akl1"}))
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
THEIRS = {("/zenith", "rc")}
LABEL = ("generic", "TR-7")


def row(type_: str, **data: Any) -> RecordedEvent:
    """A row of the history with every member set."""
    known = {
        "seq": 4,
        "source": "/zenith",
        "id": "rc",
        "type": type_,
        "occurred_at": AT,
        "recorded_at": AT,
        "code": "COLLECTED",
        "topic": "returns",
        "partition": 3,
        "offset": 17,
        "data": {"return_id": "R-1001", **data},
    }
    names = RecordedEvent._fields
    return RecordedEvent(**{name: known.get(name) for name in names})  # type: ignore[arg-type]


CREATED = row(
    RETURN_CREATED,
    retailer="zenith",
    route="omnirps",
    carrier="generic",
    tracking_number="TR-7",
    order_number="A-1",
    sender={},
)
SCANNED = row(CARRIER_SCANNED, carrier="generic", tracking_number="TR-7", code="COLLECTED", location={"name": "Reno"})
CLAIMED = row(LABEL_CLAIMED, carrier="generic", tracking_number="TR-7", until=None, shared=True)


@pytest.mark.parametrize("theirs", (CREATED, SCANNED, CLAIMED), ids=("a creation", "a scan", "a window"))
def test_of_a_creation_for_another_retailer_and_of_what_came_by_its_label_is_seen_that_it_is_there(
    theirs: RecordedEvent,
) -> None:
    seen = row_within(ACME, theirs, THEIRS, {LABEL})

    assert (seen.source, seen.id, seen.code) == (BLINDED, BLINDED, None)
    assert (seen.topic, seen.partition, seen.offset) == ("", 0, 0)
    assert seen.data == {name: BLINDED for name in seen.data if name != "return_id"} | {"return_id": "R-1001"}
    assert seen.data.keys() == theirs.data.keys() & {"return_id", "retailer", "route", "carrier", "tracking_number"}
    assert (seen.seq, seen.type, seen.occurred_at, seen.recorded_at) == (4, theirs.type, AT, AT)


def test_a_void_of_it_says_of_what_and_why_to_nobody_and_is_seen_otherwise() -> None:
    void = row(EVENT_VOIDED, source="/zenith", id="rc", by="Ann", reason="not ours", note="x")

    seen = row_within(ACME, void, THEIRS, {LABEL})

    blinded = dict.fromkeys(("source", "id", "by", "reason"), BLINDED)
    assert seen == void._replace(data={"return_id": "R-1001", **blinded})
    for name, of in (("source", "/other"), ("id", "other")):
        another = void._replace(data={**void.data, name: of})
        assert row_within(ACME, another, THEIRS, {LABEL}) == another


def test_what_is_its_own_is_seen_as_it_is() -> None:
    own = CREATED._replace(data={**CREATED.data, "retailer": "acme"})
    scan = SCANNED._replace(data={**SCANNED.data, "tracking_number": "TR-8"})
    carrier = SCANNED._replace(data={**SCANNED.data, "carrier": "nzpost"})
    hub = row(HUB_PROCESSED, carrier="generic", tracking_number="TR-7", source="/zenith", id="rc")

    for each in (own, scan, carrier, hub):
        assert row_within(ACME, each, THEIRS, {LABEL}) is each


def test_where_no_creation_is_another_retailer_s_nothing_is_hidden() -> None:
    for each in (CREATED, SCANNED, CLAIMED):
        assert row_within(ACME, each) is each
        assert row_within(UNBOUND, each) is each


def test_for_a_hub_what_is_personal_is_left_out() -> None:
    assert row_within(HUB, SCANNED).data == {
        "return_id": "R-1001",
        "carrier": "generic",
        "tracking_number": "TR-7",
        "code": "COLLECTED",
    }
    assert row_within(HUB, SCANNED)._replace(data={}) == SCANNED._replace(data={})
    assert "order_number" not in row_within(HUB, CREATED).data
