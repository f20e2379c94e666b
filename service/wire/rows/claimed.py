"""What a return's history says of a label that another return claims: its window, and the time of that claim, not whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from service.domain.labels import FOREVER, Label, Retailers, Window, bound_of
from service.wire.times import micros, rfc3339

LABEL_CLAIMED: Final = "com.omnirps.label.claimed.v1"
"""The type of the row; no publisher may send it."""

SOURCE: Final = "/returns-status/labels"


def event_data(return_id: str, label: Label, window: Window, retailers: Retailers = ()) -> dict[str, Any]:
    """The data of the row: until when scans of the label are the return's, and in which stretches they are not.

    With `retailers`: those that count for claims of these only; who they are is not said.
    """
    said = {"return_id": return_id, "carrier": label[0], "tracking_number": label[1], **_plain(window)}
    return {**said, "bound": bound_of(retailers)} if retailers else said


def encode_window(window: Window) -> str:
    """The window alone, as JSON that `window_of` reads."""
    return msgspec.json.encode(_plain(window)).decode()


def _plain(window: Window) -> dict[str, Any]:
    return {
        "until": _text(window.end),
        "except": [[rfc3339(since), _text(until)] for since, until in window.gaps],
        "shared": window.is_shared,
        "first": window.is_first,
    }


def label_of(data: Mapping[str, Any]) -> Label:
    """The label that a scan came by, or that such a row is about."""
    return data["carrier"], data["tracking_number"]


def bound_in(data: Mapping[str, Any]) -> str:
    """Which scans such a row is about, as `domain.labels.bound_of` names them."""
    return str(data.get("bound", ""))


def said_retailers(retailers: Retailers) -> str:
    """Retailers as columns have them: their names have no comma."""
    return ",".join(retailers)


@lru_cache(1024)
def retailers_of(text: str | None) -> Retailers:
    """What `said_retailers` made of them; None: of none."""
    return tuple(text.split(",")) if text else ()


def window_of(data: Mapping[str, Any]) -> Window:
    """What `event_data` holds."""
    gaps = tuple((micros(since), _micros(until)) for since, until in data["except"])
    return Window(_micros(data["until"]), gaps, data["shared"], data["first"])


def _text(at: int) -> str | None:
    return None if at == FOREVER else rfc3339(at)


def _micros(text: str | None) -> int:
    return FOREVER if text is None else micros(text)
