"""The row of the service's own that says that a void's name is unheard of."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from service.domain.events import Sense
from service.wire.rows.unheard import SOURCE, UNHEARD, event_data
from service.wire.stored import stored_event


def test_the_name_that_a_void_gave_is_read_from_the_row_as_it_was_written() -> None:
    """Rows stand for ever: what stands in them is read by releases to come."""
    data = event_data("R-1001", "/hubs/akl-1", "42")

    assert data == {"return_id": "R-1001", "source": "/hubs/akl-1", "id": "42"}
    event = stored_event(SOURCE, "v-1", UNHEARD, datetime(2026, 11, 26, tzinfo=UTC), None, json.loads(json.dumps(data)))
    assert (event.unheard, event.sense, event.milestone) == (("/hubs/akl-1", "42"), Sense.INFORMS, None)
