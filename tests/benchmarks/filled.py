"""Whether a database holds what a benchmark meant to fill it with: one that measures something else fails, and says how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import psycopg

from service.domain.milestones import Milestone
from service.simulator.messages import Message, Nature

# An event stands in the history of each return that it concerns, or waits for one: told apart by name, it is there once.
_HELD: Final = """
SELECT (SELECT count(*) FROM returns),
       (SELECT count(*) FROM (
            SELECT source, id FROM history UNION SELECT source, id FROM parked UNION SELECT source, id FROM connote_deliveries
        ) AS events),
       (SELECT count(*) FROM dead_letters)
"""


class Unfilled(Exception):
    """What would be measured is not what was meant to be."""


class Contents(NamedTuple):
    """How much a journal holds, or is meant to."""

    returns: int
    events: int  # distinct ones, in histories or waiting
    letters: int

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Contents:
        """What comes of these messages of a simulated world."""
        returns, events, letters = set[str](), set[tuple[str, str]](), 0
        for message in messages:
            if message.event is not None:
                events.add((message.event.source, message.event.id))
                if message.event.milestone is Milestone.RC:
                    returns.add(message.subject)
            letters += message.nature is Nature.INVALID
        return cls(len(returns), len(events), letters)


def held(database: str) -> Contents:
    """What the journal of a database holds."""
    with psycopg.connect(database) as connection:
        return Contents._make(connection.execute(_HELD).fetchone() or (0, 0, 0))


def require(meant: Contents, found: Contents) -> None:
    """Raises Unfilled, with every figure that is not as it was meant."""
    wrong = [
        f"{found_there:,} {name} instead of {wanted:,}"
        for name, wanted, found_there in zip(Contents._fields, meant, found, strict=True)
        if wanted != found_there
    ]
    if wrong:
        raise Unfilled(", ".join(wrong))
