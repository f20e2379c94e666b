"""Gives tracking numbers from the carriers' ranges, each once: a row a range, and a row for every number that was given."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection

from service import logs
from service.adapters.postgres.queries import load_queries
from service.application.commands.creation import NumbersExhausted
from service.wire.numbering.ranges import NumberRange, NumberRanges

_QUERIES: Final = load_queries("numbers.sql")
_MOST_TAKEN: Final = 1000  # numbers in a row that somebody else has: then the range itself is wrong
_RUNS_LOW: Final = frozenset({10_000, 1_000, 100, 10, 0})  # how many are left when it is said


def take_number(connection: Connection[Any], ranges: NumberRanges, carrier: str) -> str:
    """The carrier's next number; it is given once the transaction of the caller is committed, and not before.

    Whoever takes of the same range waits until then. Raises NumbersExhausted.
    """
    for each in ranges.of(carrier):
        number = _take_of(connection, each)
        if number is not None:
            return number
    logs.get("web").error("numbers_exhausted", carrier=carrier)
    raise NumbersExhausted(f"no tracking number is left in the ranges of {carrier}")


def _take_of(connection: Connection[Any], each: NumberRange) -> str | None:
    wanted = {"carrier": each.carrier, "form": each.form, "first": each.first, "last": each.last}
    for _ in range(_MOST_TAKEN):
        row = connection.execute(_QUERIES["next_serial"], wanted).fetchone()
        if row is None:
            return None
        (serial,) = row
        number = each.number(serial)
        if connection.execute(_QUERIES["give"], {"carrier": each.carrier, "number": number}).fetchone() is not None:
            if each.last - serial in _RUNS_LOW:
                logs.get("web").warning(
                    "numbers_run_low", carrier=each.carrier, form=each.form, left=each.last - serial
                )
            return number
    raise NumbersExhausted(
        f"{_MOST_TAKEN:,} numbers in a row of the range {each.form} of {each.carrier} are taken: it is not ours alone"
    )
