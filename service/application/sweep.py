"""Place what ingestion had to keep: parked events whose return is known now, deliveries for each connote's members.

An event may be parked while another worker commits its return's creation, unseen by either. The sweep is a reader
of the batch log: when it comes to the later of two batches, both are committed, so it finds every such pair, and a
crash can leave nothing behind that the next sweep would not see.
"""

from __future__ import annotations

from typing import Final

from service.application.ingest import Placed, Step, append
from service.application.ports import Journal

BATCHES_A_SWEEP: Final = 16


def sweep(journal: Journal, step: Step = lambda _: None) -> int | None:
    """Place what the next batches left, in one transaction.

    Answers with how many events were placed, or None: there was nothing to read, or another worker is at it.
    """
    with journal.transaction() as tx:
        swept = tx.begin_sweep(BATCHES_A_SWEEP)
        if swept is None:
            return None
        placed = [Placed(item.return_no, item.arrival) for item in swept.waiting]
        appended = append(tx, placed, lambda _: None)
        if appended.rows:
            tx.seal()
        tx.end_sweep(swept.upto)
    step("sweep")
    return len(placed)
