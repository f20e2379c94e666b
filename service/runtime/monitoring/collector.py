"""Keeps Python's cyclic garbage collector out of hot loops."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collection within the block.

    A slice of work makes tens of thousands of objects that all die by themselves; the collector would walk over them
    again and again, for a third of the time of the whole slice.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
