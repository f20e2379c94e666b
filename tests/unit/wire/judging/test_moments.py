"""An event from the future: it is taken in, and marked where it lies further ahead of its receipt than clocks differ."""

from __future__ import annotations

import json
from typing import Final

import pytest

from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from service.wire.times import rfc3339
from tests.unit.wire.events import NOW_MS, STRUCTURED, envelope

TABLES: Final = CarrierTables.load()
HOUR: Final = 3600 * 1_000_000  # microseconds, as all that follow
QUARTER: Final = HOUR // 4
NOW: Final = NOW_MS * 1000


def is_ahead(at: int, stamped: int, clock: int | None) -> bool:
    """Whether an event of that time is marked, with Kafka's timestamp and the time on our clock, if there is one."""
    parser = Parser(TABLES, now=None if clock is None else lambda: clock)
    value = json.dumps(envelope(models.HUB_PROCESSED, time=rfc3339(at))).encode()
    return parser.parse(Record("in", 0, 0, stamped // 1000, None, value, STRUCTURED)).event.is_ahead


@pytest.mark.parametrize(
    ("stamped", "clock"),
    (
        pytest.param(NOW, None, id="Kafka's timestamp is all there is"),
        pytest.param(NOW - HOUR, NOW, id="the clock is later: it waited in the topic"),
        pytest.param(NOW, NOW - HOUR, id="Kafka's timestamp is later: the clock is slow"),
    ),
)
@pytest.mark.parametrize(
    ("after", "expected"),
    ((-HOUR, False), (-QUARTER, False), (0, False), (1, False), (QUARTER, False), (QUARTER + 1, True), (HOUR, True)),
)
def test_an_event_is_ahead_if_it_lies_over_a_quarter_of_an_hour_behind_its_receipt(
    after: int, expected: bool, stamped: int, clock: int | None
) -> None:
    assert is_ahead(NOW + after, stamped, clock) is expected


@pytest.mark.parametrize("stamped", (NOW, NOW + 47 * HOUR, NOW + 49 * HOUR, NOW + 9000 * HOUR))
def test_a_timestamp_that_is_not_believed_hides_nothing(stamped: int) -> None:
    """One that is believed may be later than our clock by as much as clocks are wrong, and is the receipt then."""
    assert is_ahead(NOW + 40 * HOUR, stamped, NOW) is (stamped != NOW + 47 * HOUR)
