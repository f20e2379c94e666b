"""Reads what came of carriers lately, on the web process's pool of connections."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.returns import Pool
from service.application.access.bounds import Bounds
from service.application.reading.carriers import LATELY_ROWS, MOST_GROUPS, Lately
from service.wire.models import CARRIER_SCANNED

_QUERIES: Final = load_queries("carriers.sql", BOUNDS)
_MOST: Final = {"rows": LATELY_ROWS, "groups": MOST_GROUPS, "scanned": CARRIER_SCANNED}


class PostgresCarriers:
    """`service.application.reading.carriers.CarrierReading` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def lately(self, bounds: Bounds) -> list[Lately]:
        rows = self._ask("lately", bounds)
        return [
            Lately(carrier, feed, scans, newest, unmapped, placeless, naive, _durations(late))
            for carrier, feed, scans, newest, unmapped, placeless, naive, late in rows
        ]

    def codes(self, bounds: Bounds, carrier: str) -> dict[str, int]:
        return dict(self._ask("codes", bounds, carrier=carrier))

    def _ask(self, name: str, bounds: Bounds, **parameters: Any) -> list[Any]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(_QUERIES[name], parameters | bound(bounds) | _MOST, prepare=False).fetchall()


def _durations(seconds: list[float]) -> tuple[timedelta, timedelta, timedelta]:
    half, nine, most = (timedelta(seconds=each) for each in seconds)
    return half, nine, most
