"""An hour after a void came that named nothing, or names nothing any more: say so in its return's history, if that is so still.

Most of these voids are just early. One that gives the name in another letter case, or another return's, is never heard of
again, and whoever sent it takes it for done. What a void named may be another return's later, when a label's window moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from service.application.journal.appending import Placed, append
from service.application.journal.labels.past import past_of_one
from service.application.ports import Arrival, Journal, Transaction, WhileWaiting
from service.domain.events import Event, Sense, Words, key_digest
from service.domain.whole import Whole
from service.wire.inbound import Inbound, SubjectKind
from service.wire.record import Record
from service.wire.rows.unheard import SOURCE, UNHEARD, Unheard, event_data
from service.wire.stored import to_micros

VOIDS_A_LOOK: Final = 500  # workers that want to append to the same returns wait for the transaction
PAST_A_LOOK: Final = (
    20_000  # events that are read for those of which an event has the name; and those of one more return
)

_encode = msgspec.json.Encoder(order="sorted").encode


def look(journal: Journal, while_waiting: WhileWaiting | None = None) -> int:
    """Look at the next of them, in one transaction; how many it was. Safe beside other workers that look."""
    with journal.transaction(while_waiting) as tx:
        due, unnamed = _look(tx, tx.due_voids(VOIDS_A_LOOK))
        placed = [Placed(each.return_no, _arrival(each)) for each in unnamed]
        rows = append(tx, placed, lambda _: None).rows
        if due:
            tx.forget_voids(due)
        if rows:
            tx.number_batch(len(rows))
    return len(due)


def _look(tx: Transaction, due: Sequence[Unheard]) -> tuple[list[Unheard], list[Unheard]]:
    """Those that were looked at, and those of them that name nothing.

    An event of the name in the history may be another return's, by the window of its label. A delivery that is void for all members
    of its connote need not have concerned each of them.
    """
    looked, unnamed, wholes, left = list[Unheard](), list[Unheard](), dict[int, set[tuple[str, str]]](), PAST_A_LOOK
    for each in due:
        if each.is_of_others:
            looked.append(each)
            continue
        if each.has_event and each.return_no not in wholes:
            if left <= 0:
                continue
            past = past_of_one(tx, each.return_no)
            wholes[each.return_no] = Whole(past, tx.rules).unheard()
            left -= len(past)
        looked.append(each)
        if not each.has_event or (each.source, each.id) in wholes[each.return_no]:
            unnamed.append(each)
    return looked, unnamed


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
