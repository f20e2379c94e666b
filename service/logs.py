"""Logging: structlog, one line a unit of work, on stderr, so that what a command prints stays alone on stdout.

Events are stable snake_case words, facts are key-values. No payload, no personal data, no secret is ever logged.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from service.application.clocks import SYSTEM
from service.errors import ServiceError

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# Libraries speak up only when something is wrong; kafka's INFO would bury the service's own lines.
_LIBRARIES: Final = logging.WARNING
_MOST_FRAMES: Final = 30  # the innermost of a traceback
# kafka-python says the same several times a second for as long as a broker is away, and so for each node and connection.
_MOST_OF_A_KIND: Final = 5  # lines from one place of a library's code ...
_KIND_SECONDS: Final = 60.0  # ... in so many seconds; the next one says how many were left out


class Repeats(logging.Filter):
    """Leaves out what a library says again and again; what counts is the place in its code, whatever the values are."""

    def __init__(self, clock: Callable[[], float] = SYSTEM.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int], tuple[float, int]] = {}  # since when, and how often

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written; `left_out` of one that is tells how many before it were not."""
        now, place = self._clock(), (record.pathname, record.lineno)
        since, number = self._said.get(place, (now, 0))
        if now - since >= _KIND_SECONDS:
            record.left_out = max(0, number - _MOST_OF_A_KIND)
            since, number = now, 0
        self._said[place] = since, number + 1
        return number < _MOST_OF_A_KIND


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
    process: str | None = None,
    *,
    libraries: bool = True,
) -> None:
    """Set logging up, once, at the start of a process. `form` auto is console on a terminal, else JSON.

    Every line names the `process`, if one is given. Without `libraries` only the service itself is heard.
    """
    target = sys.stderr if stream is None else stream
    on_terminal = target.isatty()
    before: list[Processor] = [
        _adder(process),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "console" or (form == "auto" and on_terminal):
        after: list[Processor] = [_trace_as_text, structlog.dev.ConsoleRenderer(colors=on_terminal)]
    else:
        after = [_trace, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_foreign(before),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *after,
            ],
        )
    )
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LIBRARIES if libraries else logging.CRITICAL)
    # It takes its thread for stuck when that waits for the interpreter's lock, as it does while a worker catches up.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    logging.captureWarnings(True)


def _adder(process: str | None) -> Processor:
    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        del logger, method
        if process is not None:
            event["process"] = process
        return event

    return add


def _trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The exception and its causes, each with where it came from.

    Only the service's own errors speak: the texts of others echo values (PostgreSQL's those of rows), and the local
    variables that structlog's own tracebacks show are payloads and secrets.
    """
    del logger, method
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if info is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = list(_chain(error))
    return event


def _trace_as_text(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event = _trace(logger, method, event)
    if isinstance(event.get("exception"), list):
        event["exception"] = "\n".join("\n  ".join(_head(each) + each["at"]) for each in event["exception"])
    return event


def _head(link: dict[str, Any]) -> list[str]:
    return [f"{link['type']}: {link['text']}" if "text" in link else link["type"]]


def _chain(error: BaseException) -> Iterator[dict[str, Any]]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        frames = traceback.extract_tb(following.__traceback__)[-_MOST_FRAMES:]
        link: dict[str, Any] = {"type": type(following).__name__}
        if isinstance(following, ServiceError):
            link["text"] = str(following)
        yield link | {"at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _foreign(before: list[Processor]) -> list[Processor]:
    """What a library's line gets: its logger's name too, and how many like it were left out before it."""
    return [*before, structlog.stdlib.add_logger_name, _left_out]


def _left_out(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    del logger, method
    if number := getattr(event.get("_record"), "left_out", 0):
        event["left_out"] = number
    return event


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a part of the service."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return logger
