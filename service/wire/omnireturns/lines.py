"""A file of returns to be created: CSV with a line of column names, or one JSON object a line.

A line is the data of a creation, and may have a `key` that names it. Without one it is known by what it says: the same
line, in this file or another, is the same return.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from service.errors import SettingsError
from service.wire.feeds.files import FileKind, RawLine, csv_rows, json_lines
from service.wire.feeds.reading import Fault

KEY: Final = "key"
LONGEST_KEY: Final = 100
_PLAIN: Final = (
    "return_id",
    "retailer",
    "route",
    "carrier",
    "tracking_number",
    "order_number",
    "origin_country",
    "destination_country",
)
_ITEM: Final = ("sku", "quantity", "description", "reason")
_ITEMS: Final = "items"
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
COLUMNS: Final = (KEY, *_PLAIN, *_ITEM, _ITEMS)


class BulkLine(NamedTuple):
    """A line: the data of its creation and the key that it is known by, or what is wrong with it."""

    number: int
    key: str
    data: dict[str, Any]
    faults: Sequence[Fault]
    read: int  # bytes of the file, up to the end of this line


def bulk_lines(source: Path | BinaryIO, kind: FileKind) -> Iterator[BulkLine]:
    """The lines of the file, or of a request's body, that say something.

    Raises SettingsError where a column has no meaning, and Unreadable where what follows cannot be read.
    """
    raw = csv_rows(source, _check_names) if kind is FileKind.CSV else json_lines(source)
    return map(_line, raw)


def _check_names(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise SettingsError(f"no column {unknown[0]!r}; there are {', '.join(COLUMNS)}")


def _line(raw: RawLine) -> BulkLine:
    number, content, fault, read = raw
    if fault is not None:
        return BulkLine(number, "", {}, [fault], read)
    try:
        data = _cells(content) if isinstance(content, dict) else json.loads(content or b"")
    except (ValueError, RecursionError):
        return BulkLine(number, "", {}, [Fault("", "not_json", "a JSON object is expected")], read)
    if not isinstance(data, dict):
        return BulkLine(number, "", {}, [Fault("", "wrong_type", "a JSON object is expected")], read)
    key = data.pop(KEY, None)
    if key is None:
        return BulkLine(number, _digest(data), data, [], read)
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        return BulkLine(
            number, "", data, [Fault(KEY, "bad_value", f"1 to {LONGEST_KEY} characters are expected")], read
        )
    return BulkLine(number, f"named/{key}", data, [], read)


def _cells(cells: dict[str, str]) -> dict[str, Any]:
    """A row's data: an empty cell is a member that is not there; one item, or several as JSON in `items`."""
    given = {name: value.strip() for name, value in cells.items() if value.strip()}
    data: dict[str, Any] = {name: given[name] for name in (KEY, *_PLAIN) if name in given}
    item: dict[str, Any] = {name: given[name] for name in _ITEM if name in given}
    if _NUMBER.fullmatch(item.get("quantity", "")):  # what is no number is told as it would be of JSON
        item["quantity"] = int(item["quantity"])
    items = json.loads(given[_ITEMS]) if _ITEMS in given else []
    if item:
        items = [item, *items] if isinstance(items, list) else items
    if items:
        data[_ITEMS] = items
    return data


def _digest(data: dict[str, Any]) -> str:
    return f"line/{sha256(json.dumps(data, sort_keys=True, separators=(',', ':')).encode()).hexdigest()}"
