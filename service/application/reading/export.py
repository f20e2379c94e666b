"""Lists as files: CSV (RFC 4180) that a spreadsheet opens without doing what a value says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from service.application.reading.pages import Page, PageKey

PAGE_ROWS: Final = 500

# A spreadsheet takes a value that begins so for a formula, and runs it for whoever opens the file. The last four are the
# wide forms of the first four, which some take for the same.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula. A number is no text: it stays what it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def csv_lines(columns: Sequence[str], items: Iterable[Mapping[str, Any]]) -> str:
    """The lines of these items. A column with a dot is a member of a member: `closed.at`, empty where nothing was closed."""
    return _lines([_value(item, column) for column in columns] for item in items)


def _value(item: Mapping[str, Any], column: str) -> Any:
    outer, _, inner = column.partition(".")
    value = item.get(outer)
    return value.get(inner) if inner and value is not None else value


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows(map(harmless, row) for row in rows)
    return text.getvalue()


def csv_chunks(
    columns: Sequence[str], read: Callable[[PageKey | None, int], Page], most: int, *, page_rows: int = PAGE_ROWS
) -> Iterator[str]:
    """The file, page by page: the names of the columns (`closed_at` of `closed.at`), and so many rows at most.

    `read` answers with the page from behind a key on (None: the first one), of so many rows; `most` rows in all.
    Raises what `read` raises, in the middle of the file.
    """
    yield _lines([[column.replace(".", "_") for column in columns]])
    after: PageKey | None = None
    while most > 0:
        page = read(after, min(page_rows, most))
        yield csv_lines(columns, page.items)
        most -= len(page.items)
        after = page.end
        if after is None:
            return
