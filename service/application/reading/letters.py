"""What a dead letter would be as an event: where to look for the return that it became part of."""

from __future__ import annotations

from service.application.journal.ingest import Parser
from service.errors import InvalidEvent
from service.wire.inbound import Inbound
from service.wire.rows.letters import KeptLetter


def read_letter(parser: Parser, letter: KeptLetter) -> Inbound | None:
    """The event that today's rules make of a whole letter; None where it is none today either."""
    try:
        return parser.parse(letter.record())
    except InvalidEvent:
        return None
