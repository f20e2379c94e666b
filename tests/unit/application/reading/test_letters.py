"""What a dead letter would be as an event today, and how long queues are."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from service.application.reading.exceptions.queues import EMPTY, MOST_COUNTED, Size
from service.application.reading.letters import read_letter
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.rows.letters import KeptLetter
from tests.unit.wire.events import NOW_MS, envelope

PARSER = Parser(CarrierTables.load())
PUBLISHED = datetime.fromtimestamp(NOW_MS / 1000, UTC)


def letter(value: bytes | None) -> KeptLetter:
    size = None if value is None else len(value)
    return KeptLetter(1, "topic", None, 0, 1, PUBLISHED, None, value, size, [], "not_json", "not JSON", 1, PUBLISHED)


def test_a_letter_that_todays_rules_take_is_read_as_the_event_that_it_is() -> None:
    found = read_letter(PARSER, letter(json.dumps(envelope(models.HUB_PROCESSED)).encode()))

    assert found is not None
    assert (found.type, found.subject) == (models.HUB_PROCESSED, "TK100342334NZ")


def test_a_letter_that_is_no_event_today_either_is_none() -> None:
    assert read_letter(PARSER, letter(b"{")) is None
    assert read_letter(PARSER, letter(None)) is None


def test_a_queue_is_counted_up_to_a_bound_and_then_says_that_there_are_more() -> None:
    assert [Size(number, PUBLISHED).is_more for number in (0, MOST_COUNTED, MOST_COUNTED + 1)] == [False, False, True]
    assert not EMPTY.is_more
