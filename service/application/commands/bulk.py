"""Creates the returns of a file: checked whole, and then, where nothing is wrong, line by line.

A line is remembered by its key, so a file that was stopped, or that failed half-way, is simply given again: what is there
is reported as it is, and nothing is published twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Final, NamedTuple

from service.application.access.bounds import Bounds
from service.application.commands.creation import (
    Creating,
    CreationRequest,
    KeyReused,
    NumbersExhausted,
    ReturnExists,
)
from service.errors import InvalidEvent
from service.wire.feeds.reading import Fault
from service.wire.omnireturns.lines import KEY, BulkLine

MOST_FAULTS: Final = 100  # that are told of one by one; the rest is counted
MOST_LINES: Final = 1_000_000  # of a file: what is known of a line while it is checked takes some 100 bytes
_AT_A_TIME: Final = 8  # lines that wait for PostgreSQL and Kafka together
_SLICE: Final = 64  # lines between two looks at whether to stop


@dataclass(slots=True)
class Checked:
    """What the check found so far: `read` are bytes of the file, `wrong` is how many faults there are in all."""

    read: int = 0
    lines: int = 0
    wrong: int = 0
    faults: list[tuple[int, Fault]] = field(default_factory=list)

    def count(self, line: BulkLine, faults: Sequence[Fault]) -> None:
        """Count what a line came to."""
        self.lines, self.read, self.wrong = self.lines + 1, line.read, self.wrong + len(faults)
        self.faults += [(line.number, fault) for fault in faults[: MOST_FAULTS - len(self.faults)]]


class Outcome(NamedTuple):
    """What a line came to: the return, and whether it was there before; or what kept it from being created."""

    line: BulkLine
    return_id: str | None
    tracking_number: str | None
    existed: bool = False
    fault: Fault | None = None


class Bulk:
    """The use case. `token`: in whose name, within its `bounds`; None: the service's own."""

    def __init__(self, creating: Creating, bounds: Bounds, token: str | None = None) -> None:
        self._creating, self._bounds, self._token = creating, bounds, token

    def check(self, lines: Iterable[BulkLine], tell: Callable[[Checked], None] = lambda _: None) -> Checked:
        """Look at every line, by itself and beside the others; nothing is created."""
        checked, first_with = Checked(), dict[bytes, int]()
        for line in lines:
            if checked.lines == MOST_LINES:
                detail = f"at most {MOST_LINES:,} lines are expected: split the file"
                checked.count(line, [Fault("", "too_large", detail)])
                break
            checked.count(line, line.faults or self._faults(line, first_with))
            tell(checked)
        return checked

    def create(self, lines: Iterable[BulkLine], stopping: Callable[[], bool] = lambda: False) -> Iterator[Outcome]:
        """Create what is not there yet, in the order of the lines. Raises Retryable: give all of them again then."""
        rest = iter(lines)
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="bulk") as pool:
            while not stopping() and (some := list(islice(rest, _SLICE))):
                yield from pool.map(self._create, some)

    def _faults(self, line: BulkLine, first_with: dict[bytes, int]) -> list[Fault]:
        faults = []
        try:
            self._creating.check(self._bounds, line.data)
        except InvalidEvent as error:
            faults = [Fault(path.removeprefix("data."), error.reason, detail) for path, detail in error.faults]
        said = {"return_id": line.data.get("return_id"), KEY: line.key}
        for name, value in said.items():
            if value is None:
                continue
            before = first_with.setdefault(sha256(f"{name}\0{value}".encode()).digest()[:16], line.number)
            if before != line.number:
                faults.append(Fault(name, "repeated", _repeated(name, line, before)))
        return faults

    def _create(self, line: BulkLine) -> Outcome:
        try:
            created = self._creating.create(CreationRequest(self._token, f"bulk/{line.key}", line.data, self._bounds))
        except InvalidEvent as error:
            path, detail = error.faults[0]
            return Outcome(line, None, None, fault=Fault(path.removeprefix("data."), error.reason, detail))
        except KeyReused:
            fault = Fault(KEY, "reused", "this key came with other data before: a new return needs a new key")
            return Outcome(line, None, None, fault=fault)
        except ReturnExists as error:
            return Outcome(line, None, None, fault=Fault("return_id", "exists", str(error)))
        except NumbersExhausted as error:
            fault = Fault("tracking_number", "exhausted", f"{error}: give one, or have a further range declared")
            return Outcome(line, None, None, fault=fault)
        return Outcome(line, created.return_id, created.document["tracking_number"], created.again)


def _repeated(name: str, line: BulkLine, before: int) -> str:
    if name == KEY and not line.key.startswith("named/"):
        return f"the same as line {before}: two returns that say the same need a `{KEY}` each"
    return f"line {before} has it too"
