"""What the service writes into the history of a return that it decided anew, to which nothing happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from service.domain.milestones import Reason

REASSESSED: Final = "com.omnirps.return.reassessed.v1"
"""The type of that row; no publisher may send it."""

SOURCE: Final = "/returns-status/reassess"


def event_data(return_id: str, mark: int, over: Sequence[Reason], found: Sequence[Reason]) -> dict[str, Any]:
    """Its data: the rules, the reasons that rows of earlier ones gave and that are none by these, and those that no row told."""
    data: dict[str, Any] = {"return_id": return_id, "rules": mark}
    return data | {name: list(given) for name, given in (("over", over), ("found", found)) if given}


def reasons_of(data: Mapping[str, Any], name: str) -> tuple[Reason, ...]:
    """Those reasons, of such a row's data; `name` is `over` or `found`."""
    return tuple(Reason(each) for each in data.get(name, ()))
