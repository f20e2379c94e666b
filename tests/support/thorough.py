"""What takes minutes if it is looked at in full: `make test` looks at a share of the cases, `make faults` at all.

A test that shares out carries the marker `shared_out`, one that runs in `make faults` alone the marker `thorough`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

IS_ON: Final = os.environ.get("TEST_THOROUGH") == "1"


def share(cases: Iterable[T], of: int, start: int = 0) -> Iterator[T]:
    """One case in so many, beginning with number `start` of them; all where it is thorough.

    The same ones each time, so that what fails once fails again. Whoever varies `start` comes to see every case.
    """
    for number, case in enumerate(cases):
        if IS_ON or number % of == start % of:
            yield case
