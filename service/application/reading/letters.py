"""What a dead letter would be as an event: where to look for the return that it became part of."""

from __future__ import annotations

from base64 import b64decode

from service.application.journal.ingest import Parser
from service.application.reading.listing import Letter
from service.errors import InvalidEvent
from service.wire.inbound import Inbound
from service.wire.record import Record
from service.wire.stored import to_micros


def read_letter(parser: Parser, letter: Letter) -> Inbound | None:
    """The event that today's rules make of a whole letter; None where it is none today either."""
    headers = tuple((str(name), None if value is None else b64decode(value)) for name, value in letter.headers)
    at = to_micros(letter.published_at) // 1000
    try:
        return parser.parse(
            Record(letter.topic, letter.partition, letter.offset, at, letter.key, letter.value, headers)
        )
    except InvalidEvent:
        return None
