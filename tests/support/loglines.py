"""What is logged, for a while; afterwards logging is as it was."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from service import logs


@contextmanager
def logged(level: Any = "info", form: Any = "json", **more: Any) -> Iterator[io.StringIO]:
    """Configure logging as a process does, into the answer."""
    root = logging.getLogger()
    handlers, root_level = root.handlers, root.level
    configuration = structlog.get_config()
    stream = io.StringIO()
    try:
        logs.configure(level, form, stream, **more)
        yield stream
    finally:
        root.handlers, root.level = handlers, root_level
        logging.captureWarnings(False)
        structlog.configure(**configuration)
