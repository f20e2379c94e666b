"""Acknowledgements in SQL: which of them hold, for queries that name them in braces.

`{acknowledged}` is a condition on a row of search_exceptions, as `r`; `{acknowledgement}` is the one that holds of a row with a
return_no and a reason, as `e`, or no row (`{acknowledgement_of_known}`: as `known`). One is believed where the history has the row that it names, of the same batch: any
other journal has another there. And it holds until a row of the history begins an exception of its return and reason: the
exception is another one then, whichever of its events is looked at.

Each is a probe of acknowledgements_pkey, and where there is one, of history_pkey and search_exceptions_begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def _of(row: str) -> str:
    return (
        "SELECT a.at AS acknowledged_at, a.by AS acknowledged_by, a.note AS acknowledged_note FROM acknowledgements a "
        f"WHERE a.return_no = {row}.return_no AND a.reason = {row}.reason "
        "AND EXISTS (SELECT FROM history t WHERE t.return_no = a.return_no AND t.seq = a.seq AND t.batch_id = a.batch_id) "
        "AND NOT EXISTS (SELECT FROM search_exceptions b WHERE b.return_no = a.return_no AND b.reason = a.reason "
        "AND b.begun_seq > a.seq OFFSET 0)"
    )


ACKNOWLEDGED: Final[Mapping[str, str]] = {
    "acknowledged": f"EXISTS ({_of('r')})",
    "acknowledgement": _of("e"),
    "acknowledgement_of_known": _of("known"),
}
