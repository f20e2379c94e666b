"""Claims of labels in PostgreSQL: what the sweep asks, and what ingestion writes, as a part of a transaction of the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.queries import load_queries
from service.application.label_ports import Claimed, KeptClaim, ScanPlace
from service.application.ports import Arrival, HistoryRow
from service.domain.labels import MAX_CLAIMS, Claim, Label, Retailers, Window
from service.wire.inbound import label as name_of
from service.wire.rows.claimed import encode_window, retailers_of, said_retailers, window_of
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

    def touched_labels(self, batches: Sequence[str]) -> dict[Label, bool]:
        ids = list(batches)
        rows = self._asked("touched_labels", ids, ids, ids, ids)
        return {(carrier, number): is_bound for carrier, number, is_bound in rows}

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

    def bounds(self, label: Label) -> dict[Retailers, dict[int, Window | None]]:
        name, found = name_of(*label), dict[Retailers, dict[int, Window | None]]()
        for text, return_no, told in self._asked("bounds", name, name, *label):
            held = found.setdefault(retailers_of(text), {})
            if return_no is not None:
                held[return_no] = None if told is None else window_of(told)
        return found

    def _keep_bound(self, rows: Iterable[HistoryRow]) -> None:
        """Note where scans are that count for claims of some retailers only; before they are there, as the sweep does it."""
        found = {
            (*event.label, said_retailers(event.retailers), row.return_no)
            for row in rows
            if (event := row.entry.event).retailers and event.label is not None
        }
        if found:
            self._connection.execute(_Q["keep_bound"], tuple(map(list, zip(*sorted(found), strict=True))))

    def tell(self, label: Label, windows: Mapping[int, Window], retailers: Retailers = ()) -> None:
        told = list(windows), [encode_window(window) for window in windows.values()]
        if retailers:
            self._connection.execute(_Q["tell_bound"], (*told, *label, said_retailers(retailers)))
        else:
            self._connection.execute(_Q["tell"], (*told, *label))

    def waiting_scans(self, label: Label, limit: int, bounds: Collection[Retailers] = ((),)) -> list[Arrival]:
        wanted = [said_retailers(retailers) for retailers in bounds]
        return [self._arrival(*row) for row in self._asked("waiting_scans", wanted, name_of(*label), limit, limit)]

    def unpark(self, label: Label, arrivals: Sequence[Arrival]) -> None:
        events = [arrival.inbound.event for arrival in arrivals]
        bounds = [said_retailers(event.retailers) for event in events]
        names = [event.source for event in events], [event.id for event in events], [event.identity for event in events]
        self._connection.execute(_Q["unpark_scans"], (bounds, *names, name_of(*label)))

    def scan_places(
        self, return_no: int, label: Label, since: int, until: int, retailers: Retailers = ()
    ) -> Iterator[ScanPlace]:
        asked = return_no, *label, said_retailers(retailers)
        for seq, source, id_, moment, key in self._asked("scan_places", *asked):
            at = to_micros(moment)
            if since <= at < until:
                yield ScanPlace(return_no, seq, source, id_, at, key)

    def scans_at(self, label: Label, places: Sequence[ScanPlace]) -> list[Arrival]:
        numbers = [place.return_no for place in places], [place.seq for place in places]
        return [self._arrival(*row) for row in self._asked("scans_at", *numbers, name_of(*label))]
