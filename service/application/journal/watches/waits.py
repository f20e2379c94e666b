"""What has waited for an hour and is no return's is told to subscribers, and so is when it does not wait any more.

Events whose return or label is not known, and connotes that were delivered without members: of most of them the rest comes within
minutes. There is no row of a history to say so, for there is no return; so it stands in a log of its own, by batch.
"""

from __future__ import annotations

from typing import Final

from service.application.ports import Journal, WhileWaiting

NEW_A_LOOK: Final = 500  # events; the relay holds what a batch tells
OPEN_A_LOOK: Final = 5_000  # waits, in turn: so many take some 50 ms, and there is a look every half a minute


def look(journal: Journal, while_waiting: WhileWaiting | None = None) -> int:
    """Look at what came an hour ago, and at the next of those that are open, in one transaction; how many are told of.

    Safe beside other workers that look.
    """
    with journal.transaction(while_waiting) as tx:
        moved = tx.tell_waits(NEW_A_LOOK, OPEN_A_LOOK)
        if moved:
            tx.number_batch(0)  # no events: by this the relay knows that there is something to look for
    return moved
