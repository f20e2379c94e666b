"""Each fault that is planted in the service is found within 10,000 histories of the simulated world (minutes)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import glue
from tests.world.mutations import MUTATIONS, Mutation, hunt

_HISTORIES = 10_000


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with glue.installed():
        yield


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=[each.name for each in MUTATIONS])
def test_a_planted_fault_is_found(mutation: Mutation) -> None:
    near = () if mutation.seen is None else (mutation.seen,)
    assert hunt(mutation, (*near, *range(_HISTORIES))) is not None
