"""Acknowledgements in SQL: which of them hold, for queries that name them in braces.

`{acknowledged}` is a condition on a row of search_exceptions, as `r`; `{acknowledgement}` is the one that holds of a row with a
return_no and a reason, as `e`, or no row (`{acknowledgement_of_known}`: as `known`). Queues are counted along an index that
does not have all of a row: `{acknowledged_of_reason}` is of a return_no and a reason, `{acknowledged_of_row}` of a return_no and
the seq of a row, both as `few`. One is believed where the history has the row that it names, of the same batch: any
other journal has another there. And it holds until a row of the history begins an exception of its return and reason: the
exception is another one then, whichever of its events is looked at.

Each is a probe of acknowledgements_pkey, and where there is one, of history_pkey and search_exceptions_begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from service.application.reading.filters import ExceptionFilter, ExceptionState


def _of(return_no: str, reason: str) -> str:
    return (
        "SELECT a.at AS acknowledged_at, a.by AS acknowledged_by, a.note AS acknowledged_note FROM acknowledgements a "
        f"WHERE a.return_no = {return_no} AND {reason} "
        "AND EXISTS (SELECT FROM history t WHERE t.return_no = a.return_no AND t.seq = a.seq AND t.batch_id = a.batch_id OFFSET 0) "
        "AND NOT EXISTS (SELECT FROM search_exceptions b WHERE b.return_no = a.return_no AND b.reason = a.reason "
        "AND b.begun_seq > a.seq OFFSET 0) OFFSET 0"
    )


def _row(alias: str) -> str:
    return _of(f"{alias}.return_no", f"a.reason = {alias}.reason")


_REASON_OF_ROW: Final = "EXISTS (SELECT FROM search_exceptions x WHERE x.return_no = few.return_no AND x.seq = few.seq AND x.reason = a.reason OFFSET 0)"
# OFFSET 0, or the planner might look at the acknowledgements of all returns at once, or at the history before them.
ACKNOWLEDGED: Final[Mapping[str, str]] = {
    "acknowledged": f"EXISTS ({_row('r')})",
    "acknowledged_of_reason": f"EXISTS ({_row('few')})",
    "acknowledged_of_row": f"EXISTS ({_of('few.return_no', _REASON_OF_ROW)})",
    "acknowledgement": _row("e"),
    "acknowledgement_of_known": _row("known"),
}


_SEEN_BATCH: Final = "EXISTS (SELECT FROM batches b WHERE b.batch_id = {row}.batch_id AND b.n <= a.upto OFFSET 0)"


def _of_waiting(kind: str, subject: str, *seen: str) -> str:
    found = (
        "SELECT a.at AS acknowledged_at, a.by AS acknowledged_by, a.note AS acknowledged_note "
        f"FROM waiting_acknowledgements a WHERE a.kind = {kind} AND a.subject = {subject}"
    )
    believed = "EXISTS (SELECT FROM batches t WHERE t.n = a.upto AND t.batch_id = a.batch_id OFFSET 0)"
    return " AND ".join((found, believed, *seen))


_NEWEST_PARKED: Final = (
    "EXISTS (SELECT FROM (SELECT q.batch_id FROM parked q WHERE q.kind = a.kind AND q.subject = a.subject "
    f"ORDER BY q.recorded_at DESC LIMIT 1) q WHERE {_SEEN_BATCH.format(row='q')} OFFSET 0)"
)
_DELIVERIES: Final = (
    "NOT EXISTS (SELECT FROM connote_deliveries o WHERE o.connote = d.connote AND o.type <> 'com.omnirps.event.voided.v1' "
    f"AND NOT {_SEEN_BATCH.format(row='o')} OFFSET 0)"
)
WAITING: Final[Mapping[str, str]] = {
    "newer": "%(seen)s::int8 IS NOT NULL AND NOT EXISTS (SELECT FROM batches b WHERE b.batch_id = few.batch_id "
    "AND b.n <= %(seen)s::int8 OFFSET 0)",
    "waiting": f"{_of_waiting('p.kind', 'p.subject', _SEEN_BATCH.format(row='p'), _NEWEST_PARKED)} OFFSET 0",
    "waiting_of_name": f"{_of_waiting('p.kind', 'p.subject', _NEWEST_PARKED)} OFFSET 0",
    "waiting_of_connote": f"{_of_waiting(repr('connote'), 'd.connote', _DELIVERIES)} OFFSET 0",
}
"""What somebody has seen of a row of parked, as `p`, of all that is parked under a name, as `p`, or of a connote that was
delivered without members, as `d`; or no row. It holds while what waits there is of batches that were there when it was seen:
the row itself, and the newest of its name. (Of one that committed late beside a newer one the row itself tells.) Each is a
probe of waiting_acknowledgements_pkey, and where there is one, of batches and parked_newest, or of a connote's deliveries.
"""


def states(wanted: ExceptionFilter) -> dict[str, bool | None]:
    """Parameters: whether unresolved or resolved ones are wanted, and of the former those that somebody has seen or nobody."""
    is_open = {state is not ExceptionState.RESOLVED for state in wanted.states}
    return {"open": is_open.pop() if len(is_open) == 1 else None, "hidden": wanted.acknowledged}
