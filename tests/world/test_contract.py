"""The model of PostgreSQL keeps the contract; `tests/integration` holds the real server to the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world.contract import JournalContract
from tests.world.stages import ModelStage, on_the_model


class TestTheModelOfPostgreSQL(JournalContract):
    @pytest.fixture
    def stage(self) -> Iterator[ModelStage]:
        with on_the_model() as stage:
            yield stage
