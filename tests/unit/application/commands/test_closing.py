"""A return is closed by an event that says who did it, why and when, under a name that follows from all of that."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from service.application.commands.closing import Closed, Closing
from service.application.commands.creation import SOURCE
from service.errors import InvalidEvent
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.models import RETURN_CLOSED, RETURN_CREATED

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
CLOSED = Closed("R-1001", "consumer", "cancelled", "on the page", NOW)
PARSER = Parser(CarrierTables.load(), {"returns": [RETURN_CREATED, RETURN_CLOSED]})


def published(*closed: Closed) -> list[tuple[str, bytes]]:
    """What goes onto the topic, under which keys."""
    taken = list[tuple[str, bytes]]()
    closing = Closing(PARSER, "returns", lambda key, event: taken.append((key, event)))
    for each in closed:
        closing.close(each)
    return taken


def test_the_event_says_who_closed_the_return_why_and_when_under_the_key_of_the_return() -> None:
    ((key, message),) = published(CLOSED)

    event = json.loads(message)
    kind, _, digest = event.pop("id").partition("-")
    assert (key, kind, len(digest)) == ("R-1001", "closed", 32)
    assert event == {
        "specversion": "1.0",
        "source": SOURCE,
        "type": RETURN_CLOSED,
        "time": "2026-11-23T12:00:00.250000Z",
        "datacontenttype": "application/json",
        "subject": "R-1001",
        "data": {"return_id": "R-1001", "by": "consumer", "reason": "cancelled", "note": "on the page"},
    }


def test_who_asks_twice_says_it_twice_under_names_of_their_own() -> None:
    first, same, later = published(CLOSED, CLOSED, CLOSED._replace(at=NOW + timedelta(microseconds=1)))

    assert first == same
    assert json.loads(first[1])["id"] != json.loads(later[1])["id"]


def test_what_ingestion_would_refuse_is_not_sent() -> None:
    with pytest.raises(InvalidEvent, match=r"data\.reason"):
        published(CLOSED._replace(reason=""))
