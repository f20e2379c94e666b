"""Files that a feed writes, or that somebody exported: CSV with a line of column names, or a payload a line (JSON lines).

Read a line at a time, each bounded; where a line is wrong, the others go on.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from enum import StrEnum, unique
from pathlib import Path
from typing import Final, NamedTuple

from service.errors import SettingsError
from service.wire.feeds.reading import Fault, Reader, Scan, Source, Unreadable

LONGEST_LINE: Final = 512 * 1024  # bytes, as a request's body


@unique
class FileKind(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"


class Line(NamedTuple):
    """What a line came to: its scans, or what is wrong with it; and how many bytes of the file are read with it."""

    number: int
    scans: list[Scan]
    fault: Fault | None
    read: int


def kind_of(path: Path) -> FileKind:
    """By the end of its name. Raises SettingsError."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return FileKind.CSV
    if suffix in (".jsonl", ".ndjson"):
        return FileKind.JSONL
    raise SettingsError(f"{path.name}: is it csv or jsonl? The name does not tell: say --format")


def lines(path: Path, kind: FileKind, source: Source, reader: Reader) -> Iterator[Line]:
    """The lines of the file that say something.

    Raises OSError, SettingsError where it cannot be of this feed, and Unreadable where what follows cannot be read.
    """
    if kind is FileKind.CSV:
        return _rows(path, source, reader)
    return _payloads(path, source, reader)


def _payloads(path: Path, source: Source, reader: Reader) -> Iterator[Line]:
    read = 0
    with path.open("rb") as file:
        for number, line in _bounded(file.readline):
            read += len(line)
            try:
                if len(line) > LONGEST_LINE:
                    raise _too_long(number)
                if not line.strip():
                    continue
                scans = reader.read(source, line)
            except Unreadable as error:
                yield Line(number, [], error.fault, read)
            else:
                yield Line(number, scans, None, read)


def _rows(path: Path, source: Source, reader: Reader) -> Iterator[Line]:
    if source.feed.csv is None:
        raise SettingsError(f"the feed {source.feed.feed} has no columns: its definition lacks [csv]")
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for number, line in _bounded(file.readline):
            read += len(line)
            if len(line) > LONGEST_LINE:
                raise _too_long(number)  # half a row would be another row
            # A byte order mark, as spreadsheets write it; what is not UTF-8 stays visible, in one value.
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")

    with path.open("rb") as file:
        rows = csv.DictReader(texts(), strict=True)
        names = rows.fieldnames or []
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(rows.line_num, [], Fault(f"line {rows.line_num}", "not_csv", str(error)), read)
                continue
            cells = {name: value for name, value in row.items() if name in names and isinstance(value, str)}
            yield Line(rows.line_num, [reader.read_row(source, cells, f"line {rows.line_num}")], None, read)


def _bounded(readline: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := readline(LONGEST_LINE + 1):
        number += 1
        yield number, line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):  # the rest of what is too long
            line = readline(LONGEST_LINE + 1)


def _too_long(number: int) -> Unreadable:
    return Unreadable(Fault(f"line {number}", "too_large", f"longer than {LONGEST_LINE} bytes"))
