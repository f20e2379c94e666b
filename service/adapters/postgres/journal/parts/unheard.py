"""Voids that name nothing, kept until somebody has looked whether that is so an hour later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from psycopg import Connection

from service.adapters.postgres.queries import load_queries
from service.application.ports import HistoryRow
from service.application.void_ports import Names
from service.domain.events import has_digest, key_digest
from service.wire.rows.unheard import Unheard

_Q: Final = load_queries("unheard.sql")


class UnheardVoids:
    """`void_ports.WatchesVoids`."""

    _connection: Connection

    def _watch(self, rows: Iterable[HistoryRow]) -> None:
        """Keep those among these rows' voids that name nothing."""
        watched = dict[tuple[int, bytes], tuple[str, str]]()
        for row in rows:
            if (voids := row.entry.event.voids) is not None:
                name = key_digest(*voids)
                if not has_digest(row.entry.state.seen, name):
                    watched[row.return_no, name] = voids
        if watched:
            columns = [(*key, *watched[key]) for key in sorted(watched)]
            self._connection.execute(_Q["watch"], tuple(map(list, zip(*columns, strict=True))))

    def watch_voids(self, names: Names) -> None:
        watched = {(no, key_digest(*name)): name for no, given in names.items() for name in given}
        columns = [(*key, *watched[key]) for key in sorted(watched)]
        self._connection.execute(_Q["watch_anew"], tuple(map(list, zip(*columns, strict=True))))

    def due_voids(self, limit: int) -> list[Unheard]:
        return [Unheard(*row) for row in self._connection.execute(_Q["due"], (limit,)).fetchall()]

    def forget_voids(self, due: Sequence[Unheard]) -> None:
        names = [key_digest(each.source, each.id) for each in due]
        self._connection.execute(_Q["forget"], ([each.return_no for each in due], names, [each.at for each in due]))
