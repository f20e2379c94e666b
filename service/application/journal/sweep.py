"""Place what ingestion had to keep: parked events whose return is known now, deliveries for each connote's members.

An event may be parked while another worker commits its return's creation, unseen by either. The sweep is a reader
of the batch log: when it comes to the later of two batches, both are committed, so it finds every such pair, and a
crash can leave nothing behind that the next sweep would not see.

One sweep looks at so many batches, places so many events, and looks at so many labels. Where that is not all of these
batches, the cursor stays, and with it what everybody knows of the lag; which labels are done is kept beside it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from service.application.journal.appending import Placed, append
from service.application.journal.ingest import Outcome, verdicts
from service.application.journal.labels import spreading
from service.application.ports import Journal, WhileWaiting
from service.errors import Retryable

BATCHES_A_SWEEP: Final = 16
# Workers that want to append to the same returns wait for the sweep's transaction: it must not be a long one.
EVENTS_A_SWEEP: Final = 5000


def sweep(journal: Journal, while_waiting: WhileWaiting | None = None) -> Outcome | None:
    """Place what the next batches left, in one transaction.

    None: there was nothing to read, or another worker is at it.
    """
    with journal.transaction(while_waiting) as tx:
        swept = tx.begin_sweep(BATCHES_A_SWEEP, EVENTS_A_SWEEP)
        if swept is None:
            return None
        spread = spreading.spread(tx, swept.batches, EVENTS_A_SWEEP, swept.after)
        placed = [Placed(item.return_no, item.arrival, is_settled=True) for item in swept.waiting]
        rows, repeats, conflicts, _ = append(tx, [*spread.placed, *placed], lambda _: None)
        if spread.moves_windows and conflicts:
            # What the others recorded meanwhile may be a claim, or a scan that is not theirs.
            raise Retryable("others appended to returns whose label's window moves", cause="lock")
        if rows or spread.keeps_claims:
            tx.number_batch(len(rows))
        is_all = swept.upto is not None and spread.is_all
        if swept.upto is not None and spread.is_all:
            tx.end_sweep(swept.upto)
        elif swept.upto is not None and spread.done_with is not None:
            tx.stop_sweep(swept.upto, spread.done_with)
    told = [row for row in rows if row.arrival.record.topic]  # the others nobody published
    repeated = Counter(item.record.topic for item in repeats)
    return Outcome(verdicts(told), repeated, conflicts=conflicts, leaves_more=not is_all)
