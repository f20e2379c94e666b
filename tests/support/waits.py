"""Lets the hour pass after which what waits is told of, and reads what subscribers are told."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
from pydantic import TypeAdapter
from pydantic_core import from_json

from service.adapters.postgres.journal.batch_log import RelayLog
from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.publish import Outgoing, OutputTopics, messages_of
from service.application.journal.slices import Position, SliceLimits
from service.application.journal.watches.waits import look
from service.wire.carriers import CarrierTables
from service.wire.published import EXCEPTION, MODELS

_TOPICS = OutputTopics("changes", "current", "exceptions", "letters")
_MODEL: TypeAdapter[Any] = TypeAdapter(MODELS[EXCEPTION])


def look_now(database: str) -> int:
    """A worker looks; of how much it tells."""
    with closing(PostgresJournal(database, CarrierTables.load())) as journal:
        return look(journal)


def pass_an_hour(database: str) -> int:
    """For all that waits, which is looked at then."""
    let_an_hour_pass(database)
    return look_now(database)


def let_an_hour_pass(database: str) -> None:
    with psycopg.connect(database) as connection:
        for table in ("parked", "connote_deliveries"):
            connection.execute(f"UPDATE {table} SET recorded_at = recorded_at - interval '1 hour'".encode())
        connection.execute(
            "UPDATE wait_looks SET parked = parked - interval '1 hour', deliveries = deliveries - interval '1 hour'"
        )


def published(database: str, limits: SliceLimits = SliceLimits()) -> list[list[Outgoing]]:  # noqa: B008
    """What the relay publishes from the beginning, slice by slice."""
    with closing(RelayLog(database, limits)) as log:
        position, slices = Position(0), list[list[Outgoing]]()
        while (piece := log.read(position)).position != position:
            position = piece.position
            slices.append(messages_of(piece, _TOPICS))
    return slices


def told_of_waits(slices: list[list[Outgoing]]) -> list[tuple[str, str]]:
    """The exceptions' ids and states, of those that are no return's own, as the schema has them."""
    found = list[tuple[str, str]]()
    for each in (message for piece in slices for message in piece):
        if each.topic == "exceptions":
            value = each.message.value or b""
            data = _MODEL.validate_python(from_json(value))["data"]
            if data["reason"] in ("parked", "without_members"):
                assert each.message.key == data["exception_id"].split("/", 1)[1].rsplit("/", 1)[0].encode()
                found.append((data["exception_id"], data["state"]))
    return found
