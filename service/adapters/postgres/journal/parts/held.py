"""Claims as they are kept, for those that hold them against the histories: a part of a transaction that mends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.queries import load_queries
from service.application.label_ports import Claimed, HeldLabel
from service.domain.labels import Label, Window
from service.wire.rows.claimed import encode_window, window_of
from service.wire.stored import to_micros

_Q: Final = load_queries("labels.sql", LISTS)


def held_label(
    carrier: str,
    tracking_number: str,
    at: datetime | None,
    retailer: str,
    closed_at: datetime | None,
    is_void: bool,  # noqa: FBT001 - a column
    told: Mapping[str, Any] | None,
    is_contested: bool,  # noqa: FBT001 - a column
) -> HeldLabel:
    """The columns that queries of these tables name, in their order."""
    claimed = None
    if at is not None:
        claimed = Claimed(to_micros(at), retailer, None if closed_at is None else to_micros(closed_at), is_void)
    return HeldLabel((carrier, tracking_number), claimed, None if told is None else window_of(told), is_contested)


class HeldLabels:
    """`label_ports.MendsClaims`."""

    _connection: Connection[Any]
    _batch_id: int

    def held_labels(self, return_no: int, labels: Collection[Label]) -> list[HeldLabel]:
        carriers, numbers = [label[0] for label in labels], [label[1] for label in labels]
        with self._connection.cursor(binary=True) as cursor:
            rows = cursor.execute(_Q["held"], (carriers, numbers, return_no)).fetchall()
        return [held_label(*row) for row in rows]

    def mend_claims(self, return_no: int, claims: Mapping[Label, tuple[Claimed, Window | None]]) -> None:
        rows = [
            (*label, return_no, *claimed, None if told is None else encode_window(told))
            for label, (claimed, told) in sorted(claims.items())
        ]
        columns = map(list, zip(*rows, strict=True))
        self._connection.execute(_Q["mend_claims"], (*columns, str(self._batch_id)))

    def touch_claims(self, return_no: int, labels: Collection[Label]) -> bool:
        carriers, numbers = [label[0] for label in labels], [label[1] for label in labels]
        done = self._connection.execute(_Q["touch_claims"], (str(self._batch_id), carriers, numbers, return_no))
        return done.rowcount > 0
