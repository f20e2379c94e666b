"""What holds for every test that takes a server away."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

# Where a broker does not answer, kafka-python 3.0.12 drops a socket that it had just opened, and the garbage collector
# closes it: in whichever test is running then. (Of ours none: psycopg and our own servers close theirs.)
_DROPPED = "ignore:unclosed <(socket\\.socket|ssl\\.SSLSocket):ResourceWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/faults/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings(_DROPPED))


@pytest.fixture(autouse=True)
def _closed_while_it_is_expected() -> Iterator[None]:
    """Behind the last test nobody ignores it, and the run would end with an error."""
    yield
    gc.collect()
