"""The journal as a log: what batches wrote, in the order of their commits, in slices that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Self

from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow
from service.wire.rows.waits import WaitMove

_ALL: Final = 2**63 - 1  # PostgreSQL's largest bigint; no return and no letter has this number

RowKey = tuple[int, int, int]
"""A row of the history in the order of the log: the number of its batch, of its return, and of it within the return."""


class Position(NamedTuple):
    """How far a reader is: everything before batch `n`, and of that batch the history up to (`return_no`, `seq`) and
    the dead letters up to `letter_no`.

    `batch_id` is the id of batch `n`, which tells this journal from another one that has an `n` too; empty before the
    first batch, and for a reader whose position stands in the journal itself.
    """

    n: int
    return_no: int = _ALL
    seq: int = 0
    letter_no: int = _ALL
    batch_id: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing of batch `n` is left to read."""
        return self.return_no == _ALL and self.letter_no == _ALL

    @property
    def within(self) -> str:
        """How far it is inside the batch, as text; empty where the batch is read to its end."""
        return "" if self.is_whole else f"{self.return_no}/{self.seq}/{self.letter_no}"

    @classmethod
    def parse(cls, n: int, within: str, batch_id: str = "") -> Self:
        """The position from its parts; raises ValueError where `within` is nothing that a position says."""
        if not within:
            return cls(n, batch_id=batch_id)
        return_no, seq, letter_no = (int(part) for part in within.split("/"))
        return cls(n, return_no, seq, letter_no, batch_id)

    @property
    def last_row(self) -> RowKey:
        """The last row of the history that is read."""
        return self.n, self.return_no, self.seq

    @classmethod
    def with_history(cls, n: int, return_no: int, seq: int, letter_no: int) -> Self:
        """In the middle of a batch's history."""
        return cls(n, return_no, seq, letter_no)

    @classmethod
    def with_letters(cls, n: int, letter_no: int) -> Self:
        """At the end of a batch's history, in the middle of its dead letters."""
        return cls(n, _ALL, 0, letter_no)


class Slice(NamedTuple):
    """A piece of the log. `position` is where it ends and the next one begins; `batches` counts those it touches.

    `waits` are of those batches that it ends. `recorded_at` is when its first batch was written, None for a slice without batches.
    """

    position: Position
    rows: Sequence[LogRow] = ()
    letters: Sequence[KeptLetter] = ()
    waits: Sequence[WaitMove] = ()
    batches: int = 0
    recorded_at: datetime | None = None


class SliceLimits(NamedTuple):
    """What one slice holds at most. A letter may be large, a row is not (about 1 KiB).

    One batch may have more `waits`, as many as its own limit allows. The first letter of a slice may be larger than
    `letter_bytes`; its value is not read then.
    """

    rows: int = 1500
    letters: int = 100
    batches: int = 200
    waits: int = 2000
    letter_bytes: int = 8 * 1024 * 1024
