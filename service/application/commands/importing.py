"""A file of scans to import, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from service.wire.feeds.files import FileKind, Line
from service.wire.feeds.reading import Fault, Onto

MOST_FAULTS: Final = 100  # that are told of one by one; the rest is counted


class Order(NamedTuple):
    """Which file, as which feed's; with `dry_run` it is read and judged, and nothing published."""

    path: Path
    feed: str
    kind: FileKind | None = None
    dry_run: bool = False


@dataclass(slots=True)
class Tally:
    """How far it is: `size` and `read` are bytes. `stopped_at` is the line before which it was told to stop."""

    size: int
    read: int = 0
    lines: int = 0
    scans: int = 0
    unmapped: int = 0
    ignored: int = 0  # of connotes, and no delivery: not published
    wrong: int = 0
    stopped_at: int | None = None
    faults: list[tuple[int, Fault]] = field(default_factory=list)

    def count(self, line: Line) -> None:
        """Count what a line came to."""
        self.lines, self.read = self.lines + 1, line.read
        faults = [scan.fault for scan in line.scans if scan.fault is not None]
        if line.fault is not None:
            faults.append(line.fault)
        self.scans += len([scan for scan in line.scans if scan.fault is None and scan.onto is not Onto.NOWHERE])
        self.ignored += sum(scan.onto is Onto.NOWHERE for scan in line.scans)
        self.unmapped += sum(scan.meaning == "unmapped" for scan in line.scans)
        self.wrong += len(faults)
        self.faults += [(line.number, fault) for fault in faults[: MOST_FAULTS - len(self.faults)]]
