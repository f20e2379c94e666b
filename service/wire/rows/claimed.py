"""What a return's history says of a label that another return claims: its window, and the time of that claim, not whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from service.domain.labels import FOREVER, Label, Window
from service.wire.times import micros, rfc3339

LABEL_CLAIMED: Final = "com.omnirps.label.claimed.v1"
"""The type of the row; no publisher may send it."""

SOURCE: Final = "/returns-status/labels"


def event_data(return_id: str, label: Label, window: Window) -> dict[str, Any]:
    """The data of the row: until when scans of the label are the return's, and in which stretches they are not."""
    return {"return_id": return_id, "carrier": label[0], "tracking_number": label[1], **_plain(window)}


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


def window_of(data: Mapping[str, Any]) -> Window:
    """What `event_data` holds."""
    gaps = tuple((micros(since), _micros(until)) for since, until in data["except"])
    return Window(_micros(data["until"]), gaps, data["shared"], data["first"])


def _text(at: int) -> str | None:
    return None if at == FOREVER else rfc3339(at)


def _micros(text: str | None) -> int:
    return FOREVER if text is None else micros(text)
