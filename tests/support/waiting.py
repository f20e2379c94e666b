"""Waiting for something to become true, with a deadline; a test never sleeps for a time and hopes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = float(os.environ.get("TEST_PATIENCE", "1"))
"""How many times longer than it says a wait may be. A deadline that is not reached costs nothing, and `make test` runs three
files at a time on any machine; where a deadline is what is tested (`make faults`) it is 1."""


def eventually(condition: Callable[[], T], timeout: float = 10.0, *, every: float = 0.02, why: str = "") -> T:
    """The condition's first true answer; fails the test when there is none within `timeout` seconds (times `PATIENCE`).

    An AssertionError inside the condition counts as "not yet", and the last one is shown at the end.
    """
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    while True:
        said: object
        try:
            answer = condition()
            if answer:
                return answer
            said = answer
        except AssertionError as error:
            said = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s{f': {why}' if why else ''}; at last: {said!r}")
        time.sleep(every)
