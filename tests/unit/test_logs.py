from __future__ import annotations

import json
import logging

import pytest

from service import logs
from service.errors import Fatal
from tests.support.fakes import Clock
from tests.support.loglines import logged


def test_a_line_is_json_with_the_time_in_utc_and_who_says_it() -> None:
    with logged("info", "auto", process="ingest") as stream:
        logs.get("loop").info("batch", records=5)

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "batch", "level": "info", "part": "loop", "process": "ingest", "records": 5}


def test_what_is_less_severe_than_asked_for_is_left_out() -> None:
    with logged("warning") as stream:
        logs.get("loop").info("batch")

    assert stream.getvalue() == ""


def test_libraries_log_in_the_same_form_and_only_when_something_is_wrong() -> None:
    with logged() as stream:
        logging.getLogger("kafka.client").info("chatter")
        logging.getLogger("kafka.client").warning("node %s is away", 1)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("node 1 is away", "kafka.client", "warning")


def test_what_a_library_says_again_and_again_is_said_five_times_a_minute_and_counted() -> None:
    clock = Clock()
    repeats = logs.Repeats(clock)

    def said(line: int) -> logging.LogRecord:
        return logging.LogRecord("kafka", logging.WARNING, "conn.py", line, "node %s is away", (line,), None)

    assert [repeats.filter(said(1)) for _ in range(8)] == [True] * 5 + [False] * 3
    assert repeats.filter(said(2))
    clock.pass_(60)
    again = said(1)
    assert repeats.filter(again)
    assert again.left_out == 3  # type: ignore[attr-defined]
    clock.pass_(60)
    assert repeats.filter(again := said(1))
    assert again.left_out == 0  # type: ignore[attr-defined]


def test_a_line_says_how_many_like_it_were_left_out() -> None:
    with logged() as stream:
        logging.getLogger("kafka.client").warning("away", extra={"left_out": 7})

    assert json.loads(stream.getvalue())["left_out"] == 7


@pytest.mark.parametrize("form", ("json", "console"))
def test_an_exception_shows_where_it_came_from_and_no_value(form: str) -> None:
    def fail(secret: str) -> None:
        try:
            int(secret)
        except ValueError as error:
            raise Fatal("it cannot be read") from error

    with logged(form=form) as stream:
        try:
            fail("hush")
        except Fatal as error:
            logs.get("loop").error("crashed", exc_info=error)

    said = stream.getvalue()
    assert "hush" not in said
    assert "it cannot be read" in said
    assert "ValueError" in said
    assert "test_logs.py" in said
    if form == "json":
        assert [link["type"] for link in json.loads(said)["exception"]] == ["Fatal", "ValueError"]


def test_a_client_that_waited_for_the_interpreter_is_not_called_stuck() -> None:
    with logged() as stream:
        logging.getLogger("kafka.net.selector").warning("Task ran for 0.130s (>0.100s threshold)")

    assert stream.getvalue() == ""


def test_exceptions_that_libraries_log_show_no_value_either() -> None:
    with logged() as stream:
        try:
            int("hush")
        except ValueError:
            logging.getLogger("kafka.client").exception("failed")

    assert "hush" not in stream.getvalue()
    assert json.loads(stream.getvalue())["exception"][0]["type"] == "ValueError"


def test_for_people_there_is_a_form_without_braces() -> None:
    with logged(form="console") as stream:
        logs.get("loop").info("batch", records=5)

    assert "records=5" in stream.getvalue()
    assert "{" not in stream.getvalue()
