"""Bounds in SQL: the conditions that queries name in braces, their parameters, and what is seen of a state.

`{bounds}` is of a row of search_returns, as `s`. `{bounds_of_row}` is of any row with a return_no, as `r`: it looks
that one up in search_returns; `{bounds_of_share}` is of a row of search_connotes, as `c`. A return that is not there yet is within nobody's bounds, and one that was created for
two retailers is seen by nobody who is bound: whoever names an earlier time would see what is another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from psycopg import Connection

from service.adapters.postgres.queries import load_queries
from service.application.access.bounds import Bounds
from service.application.access.within import state_within
from service.domain.journey import State
from service.wire.models import RETURN_CREATED

_QUERIES: Final = load_queries("bounds.sql")
_WITHIN: Final = " AND ".join(
    f"(%(bound_{kind})s::text[] IS NULL OR s.{column} = ANY (%(bound_{kind})s::text[]))"
    for kind, column in (("retailers", "retailer"), ("carriers", "carrier"), ("routes", "route"))
)
_CONTESTED: Final = (
    "SELECT FROM history c WHERE c.return_no = s.return_no "
    f"AND c.type = '{RETURN_CREATED}' AND c.data ->> 'retailer' <> s.retailer"
)
_WITHIN_SHARE: Final = " AND ".join(
    f"(%(bound_{kind})s::text[] IS NULL OR c.{column} = ANY (%(bound_{kind})s::text[]))"
    for kind, column in (("retailers", "retailer"), ("carriers", "carrier"))
)
_SEEN: Final = f"{_WITHIN} AND (NOT %(is_bound)s::bool OR NOT EXISTS ({_CONTESTED}))"
BOUNDS: Final[Mapping[str, str]] = {
    "bounds": _SEEN,
    "bounds_of_row": "(NOT %(is_bound)s::bool OR EXISTS "
    f"(SELECT FROM search_returns s WHERE s.return_no = r.return_no AND {_SEEN}))",
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
    parameters = {"return_no": return_no, "created": RETURN_CREATED, "retailer": seen.evidence.attributes.retailer}
    (is_contested,) = connection.execute(_QUERIES["is_contested"], parameters).fetchone() or (True,)
    return None if is_contested else seen


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
