"""An hour after a void that named nothing when it came: say so in its return's history, if there is nothing still.

Most of these voids are just early. One that gives the name in another letter case, or another return's, is never heard of
again, and whoever sent it takes it for done.
"""

from __future__ import annotations

from typing import Final

import msgspec

from service.application.journal.appending import Placed, append
from service.application.ports import Arrival, Journal, WhileWaiting
from service.domain.events import Event, Sense, Words, key_digest
from service.wire.inbound import Inbound, SubjectKind
from service.wire.record import Record
from service.wire.rows.unheard import SOURCE, UNHEARD, Unheard, event_data
from service.wire.stored import to_micros

VOIDS_A_LOOK: Final = 500  # workers that want to append to the same returns wait for the transaction

_encode = msgspec.json.Encoder(order="sorted").encode


def look(journal: Journal, while_waiting: WhileWaiting | None = None) -> int:
    """Look at the next of them, in one transaction; how many it was. Safe beside other workers that look."""
    with journal.transaction(while_waiting) as tx:
        due = tx.due_voids(VOIDS_A_LOOK)
        placed = [Placed(each.return_no, _arrival(each)) for each in due if not each.has_event]
        rows = append(tx, placed, lambda _: None).rows
        if due:
            tx.forget_voids(due)
        if rows:
            tx.number_batch(len(rows))
    return len(due)


def _arrival(void: Unheard) -> Arrival:
    said = _encode(event_data(void.return_id, void.source, void.id))
    name = key_digest(void.source, void.id).hex()
    event = Event(
        SOURCE,
        f"{void.return_id}/{name}",
        to_micros(void.at),
        Sense.INFORMS,
        words=Words(UNHEARD, said, is_timed=False),
        unheard=(void.source, void.id),
    )
    inbound = Inbound(SubjectKind.RETURN, void.return_id, event, UNHEARD, said)
    return Arrival(inbound, Record("", 0, 0, int(void.at.timestamp() * 1000), None, None))
