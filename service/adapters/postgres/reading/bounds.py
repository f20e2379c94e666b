"""Bounds in SQL: the conditions that queries name in braces, and their parameters.

`{bounds}` is of a row of search_returns, as `s`. `{bounds_of_row}` is of any row with a return_no, as `r`: it looks
that one up in search_returns. A return that is not there yet is within nobody's bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.application.access.bounds import Bounds

_WITHIN: Final = " AND ".join(
    f"(%(bound_{kind})s::text[] IS NULL OR s.{column} = ANY (%(bound_{kind})s::text[]))"
    for kind, column in (("retailers", "retailer"), ("carriers", "carrier"), ("routes", "route"))
)
BOUNDS: Final[Mapping[str, str]] = {
    "bounds": _WITHIN,
    "bounds_of_row": "(NOT %(is_bound)s::bool OR EXISTS "
    f"(SELECT FROM search_returns s WHERE s.return_no = r.return_no AND {_WITHIN}))",
    # Parked events are of no return yet: a carrier's scans are the carrier's, everything else is nobody's.
    "bounds_of_parked": "(NOT %(is_bound)s::bool OR (%(bound_retailers)s::text[] IS NULL AND %(bound_routes)s::text[] IS NULL "
    "AND kind = 'label' AND split_part(subject, '/', 1) = ANY (%(bound_carriers)s::text[])))",
}


def bound(bounds: Bounds) -> dict[str, Any]:
    """The parameters of the conditions."""
    return {
        "is_bound": bounds.everything is None,
        "bound_retailers": sorted(bounds.retailers) or None,
        "bound_carriers": sorted(bounds.carriers) or None,
        "bound_routes": sorted(bounds.routes) or None,
    }
