"""Claims of labels in PostgreSQL: what the sweep asks, and what ingestion writes, as a part of a transaction of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.queries import load_queries
from service.application.label_ports import Claimed, KeptClaim, ScanPlace
from service.application.ports import Arrival
from service.domain.labels import MAX_CLAIMS, Claim, Label, Window
from service.wire.inbound import label as name_of
from service.wire.rows.claimed import encode_window, window_of
from service.wire.stored import to_micros

_Q: Final = load_queries("labels.sql", LISTS)


def _columns(claims: Mapping[tuple[Label, int], Claimed]) -> Iterator[list[Any]]:
    columns = zip(*((*label, return_no, *claim) for (label, return_no), claim in claims.items()), strict=True)
    return map(list, columns)


class LabelQueries:
    """`label_ports.KeepsClaims` and `label_ports.LabelQueries`."""

    _connection: Connection[Any]
    _batch_id: int
    _arrival: Callable[..., Arrival]

    def join_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        self._connection.execute(_Q["join_claims"], (*_columns(claims), str(self._batch_id)))

    def set_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        self._connection.execute(_Q["set_claims"], (*_columns(claims), str(self._batch_id)))

    def _asked(self, name: str, *parameters: Any) -> list[Any]:
        with self._connection.cursor(binary=True) as cursor:
            return cursor.execute(_Q[name], parameters).fetchall()

    def touched_labels(self, batches: Sequence[str]) -> list[Label]:
        ids = list(batches)
        return self._asked("touched_labels", ids, ids)

    def claims(self, label: Label) -> list[KeptClaim]:
        rows = self._asked("claims", *label, MAX_CLAIMS, str(self._batch_id))
        return [
            KeptClaim(
                Claim(to_micros(at), return_no, retailer, None if closed is None else to_micros(closed)),
                return_id,
                None if told is None else window_of(told),
                is_changed,
                is_new,
                is_void,
            )
            for return_no, at, retailer, closed, told, return_id, is_changed, is_new, is_void in rows
        ]

    def tell(self, label: Label, windows: Mapping[int, Window]) -> None:
        told = [encode_window(window) for window in windows.values()]
        self._connection.execute(_Q["tell"], (list(windows), told, *label))

    def waiting_scans(self, label: Label, limit: int) -> list[Arrival]:
        return [self._arrival(*row) for row in self._asked("waiting_scans", name_of(*label), limit)]

    def unpark(self, label: Label, arrivals: Sequence[Arrival]) -> None:
        events = [arrival.inbound.event for arrival in arrivals]
        names = [event.source for event in events], [event.id for event in events], [event.identity for event in events]
        self._connection.execute(_Q["unpark_scans"], (*names, name_of(*label)))

    def scan_places(self, return_no: int, label: Label, since: int, until: int) -> Iterator[ScanPlace]:
        for seq, source, id_, moment, key in self._asked("scan_places", return_no, *label):
            at = to_micros(moment)
            if since <= at < until:
                yield ScanPlace(return_no, seq, source, id_, at, key)

    def scans_at(self, label: Label, places: Sequence[ScanPlace]) -> list[Arrival]:
        numbers = [place.return_no for place in places], [place.seq for place in places]
        return [self._arrival(*row) for row in self._asked("scans_at", *numbers, name_of(*label))]
