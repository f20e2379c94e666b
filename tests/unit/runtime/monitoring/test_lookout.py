from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from service.runtime.monitoring.lookout import Lookout
from tests.support.waiting import eventually


def test_a_server_that_went_away_and_came_back_is_said_once_each() -> None:
    with capture_logs() as lines:
        lookout = Lookout("serve", {"database": lambda: None}, doubts={"database": 2})
        for problem in (None, "frozen", None, "frozen", "frozen", "frozen", None, None):
            lookout.note("database", problem)

    assert [line["event"] for line in lines] == ["server_away", "server_back"]


def test_one_that_is_kept_waiting_says_nothing_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    del capsys
    asked: list[str] = []

    def fails() -> str | None:
        asked.append("kafka")
        raise ValueError("a value")

    with capture_logs() as lines, Lookout("serve", {"kafka": fails}, every=0.01):
        eventually(lambda: lines)

    assert lines[0]["problem"] == "ValueError"
