"""What an ingest worker is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from service.application.journal.ingest import Parser
from service.application.ports import Journal, Source

_MANY: Final = 5000


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """What one worker may be told. While it keeps up, a batch begins at least `batch_wait_ms` after the one before it."""

    batch_size: int = 20_000
    batch_wait_ms: int = 15
    poll_timeout_ms: int = 200
    fuse_run: int = 1000
    fuse_ratio: float = 0.9
    stall_seconds: float = 120.0
    drain: bool = False

    @property
    def many(self) -> int:
        """So many records at once that there is more to come, however many a batch may have."""
        return (min(self.batch_size, _MANY) + 1) // 2


class Ports(NamedTuple):
    """What a worker works on. `open_source` joins the group; it may raise BrokenSource, or Fatal."""

    open_source: Callable[[], Source]
    journal: Journal
    parser: Parser
