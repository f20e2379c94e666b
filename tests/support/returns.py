"""What the journal says of returns, read straight from its tables."""

from __future__ import annotations

import psycopg

from service.domain.timeline import Timeline
from service.wire.stored import decode_state


def stored_timelines(database: str) -> dict[str, Timeline]:
    """The timeline of every return by return_id, from the state in its newest row."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (return_no) return_id, seq, version, state FROM history JOIN returns USING (return_no)"
            " ORDER BY return_no, seq DESC"
        ).fetchall()
    return {return_id: decode_state(state, seq, version, b"").timeline for return_id, seq, version, state in rows}
