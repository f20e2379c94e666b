from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service import logs


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_a_line_is_json_with_the_time_in_utc_and_who_says_it() -> None:
    stream = io.StringIO()
    logs.configure("info", "auto", stream, process="ingest")

    logs.get("loop").info("batch", records=5)

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "batch", "level": "info", "part": "loop", "process": "ingest", "records": 5}


def test_what_is_less_severe_than_asked_for_is_left_out() -> None:
    stream = io.StringIO()
    logs.configure("warning", "json", stream)

    logs.get("loop").info("batch")

    assert stream.getvalue() == ""


def test_libraries_log_in_the_same_form_and_only_when_something_is_wrong() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)

    logging.getLogger("kafka.client").info("chatter")
    logging.getLogger("kafka.client").warning("node %s is away", 1)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("node 1 is away", "kafka.client", "warning")


def test_for_people_there_is_a_form_without_braces() -> None:
    stream = io.StringIO()
    logs.configure("info", "console", stream)

    logs.get("loop").info("batch", records=5)

    assert "records=5" in stream.getvalue()
    assert "{" not in stream.getvalue()
