"""Reads connotes, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, TypeVar

from psycopg import Connection

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.adapters.postgres.reading.acknowledged import WAITING
from service.adapters.postgres.reading.bounds import BOUNDS, bound
from service.adapters.postgres.reading.listing import MOST_LOOKED_AT
from service.adapters.postgres.reading.returns import Pool
from service.application.access.bounds import Bounds, Everything
from service.application.access.within import data_within, may_ask
from service.application.commands.acknowledging import Acknowledgement
from service.application.reading.connotes.listing import (
    DELIVERED,
    MEMBERS,
    UNDER_WAY,
    WITHOUT_MEMBERS,
    Connote,
    Delivery,
    Key,
    ListedConnote,
    UnclaimedDelivery,
)
from service.application.reading.filters import ConnoteFilter
from service.application.reading.listing import ListSpec, Window

# What was delivered last was exported when its earliest return was.
_SUMS: Final = (
    "c.connote, sum(under_way)::int8 AS under_way, sum(delivered)::int8 AS delivered, "
    "coalesce(min(exported_at) FILTER (WHERE under_way > 0), "
    "(array_agg(exported_at ORDER BY delivered_at DESC NULLS LAST, exported_at))[1]) AS exported_at, "
    "max(delivered_at) AS delivered_at"
)
_FILLED: Final = {"sums": _SUMS, **BOUNDS, **WAITING}
QUERIES: Final = load_queries("connotes.sql", _FILLED)
UNDER_WAY_QUERIES: Final = load_queries(
    "connotes.sql",
    {**_FILLED, "time": "exported_at", "some": "under_way", "all": "true", "behind": ">", "down": "ASC"},
)
DELIVERED_QUERIES: Final = load_queries(
    "connotes.sql",
    {
        **_FILLED,
        "time": "delivered_at",
        "some": "delivered",
        "all": "head.under_way = 0",
        "behind": "<",
        "down": "DESC",
    },
)
_MOST_DELIVERIES: Final = 50
_EVER: Final = "infinity"
_NEVER: Final = "-infinity"
_Row = TypeVar("_Row")
_Queries = Mapping[str, LiteralString]


class PostgresConnotes:
    """`service.application.reading.connotes.listing.ConnoteReading` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def under_way(self, bounds: Bounds, wanted: ConnoteFilter, after: Key | None, limit: int) -> Window[ListedConnote]:
        return self._listed(UNDER_WAY_QUERIES, UNDER_WAY, bounds, wanted, after or (_NEVER, ""), limit)

    def delivered(self, bounds: Bounds, wanted: ConnoteFilter, after: Key | None, limit: int) -> Window[ListedConnote]:
        return self._listed(DELIVERED_QUERIES, DELIVERED, bounds, wanted, after or (_EVER, ""), limit)

    def without_members(
        self, _: Everything, wanted: ConnoteFilter, after: tuple[datetime, str, str, str] | None, limit: int
    ) -> Window[UnclaimedDelivery]:
        at, number, source, id_ = after or (_EVER, "", "", "")
        parameters: dict[str, Any] = {"at": at, "number": number, "source": source, "id": id_, "limit": limit}
        parameters |= {"hidden": wanted.acknowledged}
        with translated(), self._pool.connection() as connection, connection.transaction():
            return _window(connection, QUERIES, "without_members", WITHOUT_MEMBERS, parameters)

    def connote(self, bounds: Bounds, connote: str, after: int, limit: int) -> Connote | None:
        parameters = {"connote": connote, "after": after, "limit": limit, "few": _MOST_DELIVERIES, **bound(bounds)}
        with translated(), self._pool.connection() as connection, connection.transaction():
            head = connection.execute(QUERIES["head"], parameters).fetchone()
            members = _window(connection, QUERIES, "members", MEMBERS, parameters)
            statuses, deliveries = (
                connection.execute(QUERIES[name], parameters).fetchall() for name in ("statuses", "deliveries")
            )
            seen = None if statuses else connection.execute(QUERIES["acknowledged"], parameters).fetchone()
        if not statuses and (not deliveries or bounds.everything is None):
            return None
        found = [Delivery(*row) for row in deliveries]
        return Connote(
            ListedConnote(*head) if head else ListedConnote(connote, 0, 0, None, None),
            members,
            list(statuses),
            [each._replace(data=data_within(bounds, each.data)) for each in found],
            Acknowledgement(*seen) if seen else None,
        )

    def _listed(
        self,
        queries: _Queries,
        spec: ListSpec[_Row],
        bounds: Bounds,
        wanted: ConnoteFilter,
        after: tuple[datetime | str, str],
        limit: int,
    ) -> Window[_Row]:
        if not may_ask(bounds, retailer=wanted.retailer, carrier=None, order_number=None):
            return Window([])
        # Whoever is bound to one retailer wants that one's, which an index serves.
        retailer = min(bounds.retailers) if len(bounds.retailers) == 1 else wanted.retailer
        at, number = after
        parameters = {"at": at, "number": number, "retailer": retailer, "limit": limit, **bound(bounds)}
        with translated(), self._pool.connection() as connection, connection.transaction():
            return _window(connection, queries, "listed", spec, parameters)


def _window(
    connection: Connection[Any], queries: _Queries, query: str, spec: ListSpec[_Row], parameters: Mapping[str, Any]
) -> Window[_Row]:
    """The rows, and where looking ended if that was before so many were found. Planned with the values at hand."""
    given = {**parameters, "most": MOST_LOOKED_AT}
    rows = [spec.row(*row) for row in connection.execute(queries[query], given, prepare=False).fetchall()]
    if len(rows) >= parameters["limit"]:
        return Window(rows)
    return Window(rows, connection.execute(queries[f"{query}_upto"], given, prepare=False).fetchone())
