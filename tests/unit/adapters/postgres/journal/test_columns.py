"""The table of columns names what is read back, and every statement says what it was given."""

from __future__ import annotations

import re

from service.adapters.postgres.journal.columns import COPY_TYPES, EVENT_COLUMNS, LISTS, copied, sent
from service.adapters.postgres.queries import load_queries
from service.application.ports import Arrival, HistoryRow
from service.domain.journey import NEW
from service.domain.journey import record as decided
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.rows.logged import LogRow
from service.wire.stored import KeptEvent
from tests.unit.wire.events import envelope, record

MESSAGE = record(envelope(models.RETURN_CREATED, sequence="7"))
ARRIVAL = Arrival(Parser(CarrierTables.load()).parse(MESSAGE), MESSAGE)


def test_the_columns_of_an_event_are_read_back_in_the_order_of_its_fields() -> None:
    assert tuple(column.name for column in EVENT_COLUMNS) == KeptEvent._fields


def test_a_row_of_the_log_ends_with_what_its_event_said() -> None:
    assert re.findall(r'(?:b\.|r\.|h\.)"?(\w+)"?', LISTS["logged"]) == [*LogRow._fields[:-1]]
    assert LogRow._fields[-1] == "data"


def test_each_column_that_is_copied_has_its_type_and_its_value() -> None:
    entry = decided(NEW, ARRIVAL.inbound.event)
    assert entry is not None
    names, keys = re.findall(r'"(\w+)"', LISTS["history"]), entry.event.key + entry.event.identity

    values = dict(zip(names, copied(HistoryRow(7, entry, ARRIVAL), 99), strict=True))

    assert len(COPY_TYPES) == len(names) == len(set(names))
    assert (values["batch_id"], values["return_no"], values["seq"], values["version"]) == (99, 7, 1, 1)
    assert (values["source"], values["id"]) == (ARRIVAL.inbound.event.source, ARRIVAL.inbound.event.id)
    assert (values["status"], values["verdict"], values["key"], values["seen"]) == (
        "RC", "advanced", keys, keys,
    )  # fmt: skip
    assert (values["data"], values["extensions"]) == (ARRIVAL.inbound.data, b'{"sequence":"7"}')
    assert values["published_at"] == MESSAGE.timestamp * 1000 - 946_684_800_000_000


def test_what_is_sent_in_arrays_has_an_array_for_each_column() -> None:
    arrays = list(sent([ARRIVAL, ARRIVAL]))

    assert len(arrays) == LISTS["arrays"].count("%b") == len(EVENT_COLUMNS)
    assert all(len(array) == 2 for array in arrays)


def test_no_statement_keeps_a_name_in_braces() -> None:
    for file in ("journal.sql", "letters.sql", "batch_log.sql", "reconcile.sql"):
        for statement in load_queries(file, LISTS).values():
            assert not re.search(r"\{\w+\}", statement)
