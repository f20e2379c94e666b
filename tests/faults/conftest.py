"""What holds for every test that takes a server away."""

from __future__ import annotations

import gc
import warnings

import pytest

# Where a broker does not answer, kafka-python 3.0.12 drops a socket that it had just opened, and the garbage collector
# closes it: in whichever test is running then. (Of ours none: psycopg and our own servers close theirs.)
_DROPPED = r"unclosed <(socket\.socket|ssl\.SSLSocket)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/faults/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings(f"ignore:{_DROPPED}:ResourceWarning"))


def pytest_sessionfinish() -> None:
    """Those of the last test are closed here: what pytest finds behind this ends the run with an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _DROPPED, ResourceWarning)
        gc.collect()
