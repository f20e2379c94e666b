"""Files that a feed writes, or that somebody exported: CSV with a line of column names, or a payload a line (JSON lines).

Read a line at a time, each bounded; where a line is wrong, the others go on.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum, unique
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

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


class RawLine(NamedTuple):
    """A line as it stands in the file: `content` is None where it cannot be read, and `fault` says why."""

    number: int
    content: bytes | dict[str, str] | None
    fault: Fault | None
    read: int


def json_lines(source: Path | BinaryIO) -> Iterator[RawLine]:
    """The lines that hold something, as bytes."""
    read = 0
    with _opened(source) as file:
        for number, line, size in _bounded(file.readline):
            read += size
            if len(line) > LONGEST_LINE:
                yield RawLine(number, None, _too_long(number).fault, read)
            elif line.strip():
                yield RawLine(number, line, None, read)


def csv_rows(
    source: Path | BinaryIO, check_names: Callable[[Sequence[str]], None] = lambda _: None
) -> Iterator[RawLine]:
    """The rows behind the first, as cells by the name of their column; `check_names` may refuse those names.

    Raises Unreadable where a line is too long: half a row would be another row.
    """
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for number, line, size in _bounded(file.readline):
            read += size
            if len(line) > LONGEST_LINE:
                raise _too_long(number)
            # A byte order mark, as spreadsheets write it; what is not UTF-8 stays visible, in one value.
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")

    with _opened(source) as file:
        rows = csv.DictReader(texts(), strict=True)
        names = rows.fieldnames or []
        check_names(names)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                number = rows.reader.line_num  # its own is that of the row before
                yield RawLine(number, None, Fault(f"line {number}", "not_csv", str(error)), read)
                continue
            cells = {name: value for name, value in row.items() if name in names and isinstance(value, str)}
            yield RawLine(rows.line_num, cells, None, read)


def _opened(source: Path | BinaryIO) -> BinaryIO:
    return source.open("rb") if isinstance(source, Path) else source


def _payloads(path: Path, source: Source, reader: Reader) -> Iterator[Line]:
    for number, content, fault, read in json_lines(path):
        if not isinstance(content, bytes):
            yield Line(number, [], fault, read)
            continue
        try:
            scans = reader.read(source, content)
        except Unreadable as error:
            yield Line(number, [], error.fault, read)
        else:
            yield Line(number, scans, None, read)


def _rows(path: Path, source: Source, reader: Reader) -> Iterator[Line]:
    if source.feed.csv is None:
        raise SettingsError(f"the feed {source.feed.feed} has no columns: its definition lacks [csv]")
    for number, content, fault, read in csv_rows(path):
        scans = [reader.read_row(source, content, f"line {number}")] if isinstance(content, dict) else []
        yield Line(number, scans, fault, read)


def _bounded(readline: Callable[[int], bytes]) -> Iterator[tuple[int, bytes, int]]:
    """The number of each line, what there is of it, and its size: of one that is too long more than there is."""
    number = 0
    while line := readline(LONGEST_LINE + 1):
        number, rest, size = number + 1, line, len(line)
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = readline(LONGEST_LINE + 1)
            size += len(rest)
        yield number, line, size


def _too_long(number: int) -> Unreadable:
    return Unreadable(Fault(f"line {number}", "too_large", f"longer than {LONGEST_LINE} bytes"))
