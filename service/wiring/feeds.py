"""The composition of feeds: definitions, what is open, and what reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.application.commands.feeding import Feeding, Message
from service.wire.feeds.definition import Feed, load_feeds
from service.wire.feeds.enabled import load_enabled
from service.wire.feeds.reading import Reader

if TYPE_CHECKING:
    from service.config import Settings
    from service.wire.inbound import Parser


def definitions(settings: Settings) -> Mapping[str, Feed]:
    """The feeds that ship with the service, and those of the folder in the settings. Raises SettingsError."""
    return load_feeds(*([Path(settings.feed_definitions)] if settings.feed_definitions else []))


def reader(settings: Settings, parser: Parser) -> Reader:
    """What turns requests and rows into scans."""
    return Reader(parser, settings.topic_scans, lambda: time.time_ns() // 1000)


def feeding(settings: Settings, parser: Parser, publish: Callable[[Sequence[Message]], None]) -> Feeding | None:
    """What takes in requests; None where no feed is open. Raises SettingsError."""
    if settings.feeds_file is None:
        return None
    enabled = load_enabled(Path(settings.feeds_file), definitions(settings))
    return Feeding(enabled, reader(settings, parser), publish)
