from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from service.runtime.monitoring.lookout import Lookout, Question
from tests.support.waiting import eventually


def test_a_server_that_went_away_and_came_back_is_said_once_each() -> None:
    with capture_logs() as lines:
        lookout = Lookout("serve", {"database": lambda: None}, doubts={"database": 2})
        for problem in (None, "frozen", None, "frozen", "frozen", "frozen", None, None):
            lookout.note("database", problem)

    assert lines == [
        {
            "event": "server_away",
            "log_level": "warning",
            "part": "serve",
            "server": "database",
            "problem": "frozen",
        },
        {"event": "server_back", "log_level": "info", "part": "serve", "server": "database"},
    ]


def test_a_single_failure_is_said_at_once_where_no_doubt_was_asked_for_and_each_server_has_its_own() -> None:
    questions: dict[str, Question] = {"database": lambda: None, "kafka": lambda: None}
    with capture_logs() as lines:
        lookout = Lookout("serve", questions, doubts={"database": 3})
        for server in ("database", "kafka", "database", "database"):
            lookout.note(server, "frozen")
        lookout.note("kafka", None)

    assert [(line["event"], line["server"]) for line in lines] == [
        ("server_away", "kafka"),
        ("server_away", "database"),
        ("server_back", "kafka"),
    ]


def test_what_comes_after_the_end_is_not_said() -> None:
    # An answer that was under way when the process stopped was once told as news.
    answers, asked = threading.Event(), threading.Event()

    def ask() -> str | None:
        asked.set()
        answers.wait(10)
        return "frozen"

    with capture_logs() as lines:
        lookout = Lookout("serve", {"kafka": ask})
        with lookout:
            assert asked.wait(10)
        answers.set()
        lookout._watches[0].stop(within_seconds=10)

    assert lines == []


def test_the_end_waits_for_no_question() -> None:
    with Lookout("serve", {"kafka": lambda: None}) as lookout:
        waited: list[float] = []

        def stop(*, within_seconds: float = 1.0) -> None:
            waited.append(within_seconds)

        lookout._watches[0].stop = stop  # type: ignore[method-assign]

    assert waited == [0]


def test_one_that_is_kept_waiting_says_nothing_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    del capsys
    asked: list[str] = []

    def fails() -> str | None:
        asked.append("kafka")
        raise ValueError("a value")

    def hangs() -> str | None:
        asked.append("database")
        ends.wait(10)
        return None

    ends = threading.Event()
    with capture_logs() as lines, Lookout("serve", {"database": hangs, "kafka": fails}, every=0.01):
        eventually(lambda: asked.count("kafka") > 30)
        ends.set()

    assert (lines[0]["server"], lines[0]["problem"]) == ("kafka", "ValueError")
    assert len(lines) == 1
