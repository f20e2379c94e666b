"""The real server keeps the contract that the world's model of it was made by."""

from __future__ import annotations

import pytest

from tests.world.contract import JournalContract
from tests.world.stages import RealStage


class TestPostgreSQL(JournalContract):
    @pytest.fixture
    def stage(self, database: str) -> RealStage:
        return RealStage(database)
