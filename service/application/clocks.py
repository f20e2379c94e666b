"""The process's own clocks and its dice: the one place where loops and use cases get them from.

What decides by time or by chance takes these as arguments, with what stands here as the default; so a test, or a
simulated world, hands in its own. A rule of the linter keeps the clocks of the standard library out of `runtime`,
`application` and `domain`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Clocks(NamedTuple):
    """`monotonic` tells seconds, of which only differences mean anything; `now` the date, aware; `jitter` throws a number
    from 0 up to 1.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    jitter: Callable[[], float] = random.random


SYSTEM = Clocks()
