"""Waiting for something to become true, with a deadline; a test never sleeps for a time and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 10.0, *, every: float = 0.02, why: str = "") -> T:
    """The condition's first true answer; fails the test when there is none within `timeout` seconds.

    An AssertionError inside the condition counts as "not yet", and the last one is shown at the end.
    """
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
