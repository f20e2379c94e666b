"""What an event says, as it is told from another one of its name."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.events import Words
from service.wire import models
from service.wire.rows.own import words_of
from service.wire.rows.unheard import UNHEARD

LOCAL: dict[str, Any] = {"local_time": "2026-11-23T10:00:00"}


@pytest.mark.parametrize(
    ("event_type", "data", "is_timed"),
    (
        (models.CARRIER_SCANNED, {}, True),
        (models.CARRIER_SCANNED, {"local_time": ""}, True),
        (models.CARRIER_SCANNED, LOCAL, False),  # the data says when it happened
        (models.HUB_PROCESSED, LOCAL, True),  # a member of that name means nothing there
        (UNHEARD, {}, False),  # a name is unheard of once
    ),
)
def test_its_time_is_a_part_of_it_unless_its_data_tells_the_time_or_it_has_none(
    event_type: str, data: dict[str, Any], is_timed: bool
) -> None:
    assert words_of(event_type, data, b"said") == Words(event_type, b"said", is_timed)
