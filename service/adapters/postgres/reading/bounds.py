"""Bounds in SQL: the conditions that queries name in braces, their parameters, and what is seen of a state.

`{bounds}` is of a row of search_returns, as `s`. `{bounds_of_row}` is of any row with a return_no, as `r`: it looks
that one up in search_returns; `{bounds_of_share}` is of a row of search_connotes, as `c`, `{bounds_of_exception}` of one of
search_exceptions, as `r`. A return that is not there yet is within nobody's bounds, and one that was created for two
retailers is seen by nobody who is bound, until operators void one of the creations: whoever names an earlier time would
see what is another's. Then it is the other's, without what the voided creation said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.queries import load_queries
from service.application.access.bounds import Bounds
from service.application.access.within import row_within, state_within
from service.application.reading.tracking import RecordedEvent
from service.domain.journey import State
from service.domain.labels import Label
from service.wire.models import EVENT_VOIDED, RETURN_CREATED

_WITHIN: Final = " AND ".join(
    f"(%(bound_{kind})s::text[] IS NULL OR s.{column} = ANY (%(bound_{kind})s::text[]))"
    for kind, column in (("retailers", "retailer"), ("carriers", "carrier"), ("routes", "route"))
)


def _created(alias: str, return_no: str) -> str:
    return f"SELECT FROM history {alias} WHERE {alias}.return_no = {return_no} AND {alias}.type = '{RETURN_CREATED}'"


def _unvoided(alias: str) -> str:
    # OFFSET 0, or the planner might read the voids of all returns at once.
    return (
        f"NOT EXISTS (SELECT FROM history v WHERE v.return_no = {alias}.return_no AND v.type = '{EVENT_VOIDED}' "
        f"AND v.data ->> 'source' = {alias}.source AND v.data ->> 'id' = {alias}.id OFFSET 0)"
    )


# Whether a creation, as `c`, is not void. Where all of them are named by voids, none is.
STANDING: Final = f"({_unvoided('c')} OR NOT EXISTS ({_created('d', 'c.return_no')} AND {_unvoided('d')} OFFSET 0))"
# Whether a return, as `s`, was created for another retailer, too, by a creation that stands.
CONTESTED: Final = f"{_created('c', 's.return_no')} AND c.data ->> 'retailer' <> s.retailer AND {STANDING}"
_QUERIES: Final = load_queries("bounds.sql", {"contested": CONTESTED})
_WITHIN_SHARE: Final = " AND ".join(
    f"(%(bound_{kind})s::text[] IS NULL OR c.{column} = ANY (%(bound_{kind})s::text[]))"
    for kind, column in (("retailers", "retailer"), ("carriers", "carrier"))
)
_SEEN: Final = f"{_WITHIN} AND (NOT %(is_bound)s::bool OR NOT EXISTS ({CONTESTED}))"
_OF_ROW: Final = (
    f"(NOT %(is_bound)s::bool OR EXISTS (SELECT FROM search_returns s WHERE s.return_no = r.return_no AND {_SEEN}))"
)
_FOREIGN: Final = f"{_created('f', 'r.return_no')} AND f.data ->> 'retailer' <> ALL (%(bound_retailers)s::text[])"
BOUNDS: Final[Mapping[str, str]] = {
    "bounds": _SEEN,
    "bounds_of_row": _OF_ROW,
    # One may be of the time when the return was another's, or be filed under the other's creation.
    "bounds_of_exception": f"{_OF_ROW} AND (%(bound_retailers)s::text[] IS NULL OR (r.retailer = ANY "
    f"(%(bound_retailers)s::text[]) AND (r.reason <> 'creation_conflict' OR NOT EXISTS ({_FOREIGN}))))",
    # A share is of one retailer and carrier; at least one of its returns is seen.
    "bounds_of_share": f"{_WITHIN_SHARE} AND (NOT %(is_bound)s::bool OR EXISTS "
    "(SELECT FROM search_returns s WHERE s.connote = c.connote AND s.retailer = c.retailer AND s.carrier = c.carrier "
    f"AND s.status IN ('RE', 'RDBTC') AND {_SEEN}))",
    # Parked events are of no return yet: a carrier's scans are the carrier's, everything else is nobody's.
    "bounds_of_parked": "(NOT %(is_bound)s::bool OR (%(bound_retailers)s::text[] IS NULL AND %(bound_routes)s::text[] IS NULL "
    "AND kind = 'label' AND split_part(subject, '/', 1) = ANY (%(bound_carriers)s::text[])))",
}


def state_seen(connection: Connection[Any], bounds: Bounds, return_no: int, state: State) -> State | None:
    """What is seen of a return within bounds: see `state_within`."""
    seen = state_within(bounds, state)
    if seen is None or bounds.everything or seen.evidence.attributes is None:
        return seen
    parameters = {"return_no": return_no, "retailer": seen.evidence.attributes.retailer}
    (is_contested,) = connection.execute(_QUERIES["is_contested"], parameters).fetchone() or (True,)
    return None if is_contested else seen


def rows_seen(
    connection: Connection[Any], bounds: Bounds, return_no: int, rows: Iterable[RecordedEvent]
) -> list[RecordedEvent]:
    """What is seen within bounds of events of a return that is seen: see `row_within`."""
    foreign, labels = frozenset[tuple[str, str]](), frozenset[Label]()
    if bounds.retailers:
        parameters = {"return_no": return_no, "created": RETURN_CREATED, "retailers": sorted(bounds.retailers)}
        found = connection.execute(_QUERIES["foreign_creations"], parameters).fetchall()
        foreign = frozenset((source, id_) for source, id_, *_ in found)
        labels = frozenset((carrier, number) for *_, carrier, number in found)
        if labels:
            labels -= set(connection.execute(_QUERIES["own_labels"], parameters).fetchall())
    return [row_within(bounds, row, foreign, labels) for row in rows]


def state_of_retailers(bounds: Bounds, state: State, retailers: Iterable[str | None]) -> State | None:
    """The same, where it was asked along for whom the return was created; two retailers tell as much as all."""
    seen = state_within(bounds, state)
    if seen is None or bounds.everything or seen.evidence.attributes is None:
        return seen
    return None if {*retailers} - {None, seen.evidence.attributes.retailer} else seen


def bound(bounds: Bounds) -> dict[str, Any]:
    """The parameters of the conditions."""
    return {
        "is_bound": bounds.everything is None,
        "bound_retailers": sorted(bounds.retailers) or None,
        "bound_carriers": sorted(bounds.carriers) or None,
        "bound_routes": sorted(bounds.routes) or None,
    }
