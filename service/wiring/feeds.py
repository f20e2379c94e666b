"""The composition of feeds: definitions, what is open, and what reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.application.commands.feeding import Feeding
from service.application.commands.importing import Order, Tally
from service.application.commands.speaking import Speaking
from service.errors import SettingsError
from service.wire.cloudevents import STRUCTURED_HEADERS
from service.wire.feeds.definition import Feed, load_feeds
from service.wire.feeds.enabled import Enabled, load_enabled
from service.wire.feeds.files import Line, kind_of, lines
from service.wire.feeds.reading import Onto, Reader, Scan, Source
from service.wiring.parts import carrier_tables, parser

if TYPE_CHECKING:
    from service.config import Settings
    from service.runtime.lifecycle import Stop
    from service.wire.inbound import Parser


def definitions(settings: Settings) -> Mapping[str, Feed]:
    """The feeds that ship with the service, and those of the folder in the settings. Raises SettingsError."""
    return load_feeds(*([Path(settings.feed_definitions)] if settings.feed_definitions else []))


def opened(settings: Settings, defined: Mapping[str, Feed]) -> Mapping[str, Enabled]:
    """The feeds that the file in the settings opens, by name; none without one. Raises SettingsError."""
    return {} if settings.feeds_file is None else load_enabled(Path(settings.feeds_file), defined)


def reader(settings: Settings, parser: Parser) -> Reader:
    """What turns requests and rows into scans."""
    onto = topics(settings)
    return Reader(parser, onto[Onto.SCANS], lambda: time.time_ns() // 1000, deliveries=onto[Onto.DELIVERIES])


def topics(settings: Settings) -> Mapping[Onto, str]:
    """Where what feeds say is published."""
    return {Onto.SCANS: settings.sent_to("topic_scans"), Onto.DELIVERIES: settings.sent_to("topic_deliveries")}


def feeding(
    settings: Settings, parser: Parser, publish: Callable[[Sequence[Scan]], None], speaking: Speaking
) -> Feeding:
    """What takes in requests: signed ones of the feeds that are open, and with a token of any. Raises SettingsError."""
    defined = definitions(settings)
    return Feeding(opened(settings, defined), defined, reader(settings, parser), publish, speaking)


def source_named(settings: Settings, name: str) -> Source:
    """The feed as it is open, else as it is defined. Raises SettingsError, which names those that there are."""
    known = definitions(settings)
    enabled = opened(settings, known)
    if name in enabled:
        return enabled[name].source
    if name not in known:
        raise SettingsError(f"there is no feed {name!r}; there are {', '.join(sorted({*known, *enabled}))}")
    return Source(name, known[name])


def import_file(settings: Settings, order: Order, stop: Stop, tell: Callable[[Tally], None]) -> Tally:
    """Publish the scans of a file; what is wrong with a line is told of, and the others go on.

    Raises SettingsError, and Retryable: then the file, or the rest of it, has to be imported again, which repeats nothing.
    """
    from service.adapters.kafka.publishing.producing import Publishing

    tables = carrier_tables(settings)
    source, kind = source_named(settings, order.feed), order.kind or kind_of(order.path)
    tally = Tally(_size(order.path))
    found = lines(order.path, kind, source, reader(settings, parser(settings, tables)))
    if order.dry_run:
        return _tallied(found, tally, stop, tell, lambda _: None)
    with Publishing(settings, "returns-import", lingering_ms=50) as publishing:
        headers, onto = list(STRUCTURED_HEADERS), topics(settings)

        def publish(scan: Scan) -> None:
            publishing.publish(onto[scan.onto], scan.key.encode(), scan.value, headers)

        return _tallied(found, tally, stop, tell, publish)


def _tallied(
    found: Iterable[Line], tally: Tally, stop: Stop, tell: Callable[[Tally], None], publish: Callable[[Scan], None]
) -> Tally:
    for line in found:
        if stop:
            tally.stopped_at = line.number
            break
        tally.count(line)
        for scan in line.scans:
            if scan.fault is None and scan.onto is not Onto.NOWHERE:
                publish(scan)
        stop.watchdog.beat()
        tell(tally)
    return tally


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
