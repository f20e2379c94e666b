"""Fills a database with the code of an earlier release, and prints what that one's relay made of four fifths of it.

Runs in a process of its own, with that release first on the path: `before` starts it, and has what it prints.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from service.adapters.postgres.journal.batch_log import RelayLog
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.migrations import migrate
from service.application.journal.ingest import decode, write
from service.application.journal.publish import OutputTopics, messages_of
from service.application.journal.slices import Position, SliceLimits
from service.application.journal.sweep import sweep
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record

BATCH = 40


def fill(url: str, records: list[Record]) -> None:
    """Two workers by turns, each with a memory of its own."""
    tables = CarrierTables.load()
    parser, journals = Parser(tables), [PostgresJournal(url, tables, remembered=50) for _ in range(2)]
    for number, start in enumerate(range(0, len(records), BATCH)):
        journal = journals[number % 2]
        write(journal, decode(parser, records[start : start + BATCH]), {})
        while sweep(journal) is not None:
            pass
    for journal in journals:
        journal.close()


def told(url: str) -> dict[str, Any]:
    """What a relay publishes, and where it stands then."""
    log, position, messages = RelayLog(url, SliceLimits(rows=200)), Position(0), list[Any]()
    while (piece := log.read(position)).position != position:
        for topic, message, _ in messages_of(piece, OutputTopics("changes", "current", "exceptions", "dead")):
            key, value = (
                None if part is None else base64.b64encode(part).decode() for part in (message.key, message.value)
            )
            headers = [(name, base64.b64encode(said or b"").decode()) for name, said in message.headers]
            messages.append((topic, key, value, headers))
        position = piece.position
    log.close()
    return {"messages": messages, "position": position}


def main() -> None:
    """Records come as JSON: topic, key, value and headers."""
    url, records = sys.argv[1], list[Record]()
    for offset, (topic, key, value, headers) in enumerate(json.load(sys.stdin)):
        said = tuple((name, base64.b64decode(text)) for name, text in headers)
        at = 1_795_690_000_000
        records.append(Record(topic, 0, offset, at, base64.b64decode(key), base64.b64decode(value), said))
    migrate(url)
    cut = len(records) * 4 // 5
    fill(url, records[:cut])
    published = told(url)
    fill(url, records[cut:])
    json.dump(published, sys.stdout)


if __name__ == "__main__":
    main()
