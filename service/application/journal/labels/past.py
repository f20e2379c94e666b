"""The past of returns, where a state does not suffice to decide: read in few questions, and never very much at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from service.application.ports import Transaction
from service.domain.events import Event
from service.domain.journey import NEW, State

_ROWS_AT_ONCE: Final = 5000


def past_of_one(tx: Transaction, return_no: int) -> list[Event]:
    """Every event in a return's history, in the order of recording."""
    return tx.past([return_no])[return_no]


def past_of(
    tx: Transaction, return_nos: Iterable[int], states: Mapping[int, State]
) -> Iterator[tuple[int, list[Event]]]:
    """Each return with every event in its history; so many rows at once, or those of one return.

    `states` tell how many rows it has.
    """
    asked, rows = list[int](), 0
    for return_no in return_nos:
        size = states.get(return_no, NEW).seq
        if asked and rows + size > _ROWS_AT_ONCE:
            yield from tx.past(asked).items()
            asked, rows = [], 0
        asked.append(return_no)
        rows += size
    if asked:
        yield from tx.past(asked).items()
