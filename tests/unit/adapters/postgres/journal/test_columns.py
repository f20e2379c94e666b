"""The table of columns names what is read back, and every statement says what it was given."""

from __future__ import annotations

import re
from dataclasses import replace as redefined

import pytest
from msgspec.structs import replace

from service.adapters.postgres.journal.columns import (
    EVENT_COLUMNS,
    HISTORY_TYPES,
    LISTS,
    PARKED_TYPES,
    copied,
    copied_parked,
    sent,
)
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

    assert len(HISTORY_TYPES) == len(names) == len(set(names))
    assert (values["batch_id"], values["return_no"], values["seq"], values["version"]) == (99, 7, 1, 1)
    assert (values["source"], values["id"]) == (ARRIVAL.inbound.event.source, ARRIVAL.inbound.event.id)
    assert (values["status"], values["verdict"], values["key"], values["seen"]) == (
        "RC", "advanced", keys, keys,
    )  # fmt: skip
    assert (values["data"], values["extensions"]) == (ARRIVAL.inbound.data, b'{"sequence":"7"}')
    assert values["published_at"] == MESSAGE.timestamp * 1000 - 946_684_800_000_000


def test_a_copied_event_that_waits_stands_under_the_names_of_the_statement() -> None:
    into = re.search(r"\((.*?)\)", load_queries("journal.sql", LISTS)["copy_parked"], re.DOTALL)
    assert into is not None
    names, event = [name.strip().strip('"') for name in into[1].split(",")], ARRIVAL.inbound.event

    values = dict(zip(names, copied_parked(ARRIVAL, 99, event.identity), strict=True))

    assert len(PARKED_TYPES) == len(names) == len(set(names))
    assert (values["batch_id"], values["kind"], values["subject"]) == (99, "return", ARRIVAL.inbound.subject)
    assert (values["words"], values["unmapped"], values["retailers"]) == (event.identity, None, "")
    assert (values["source"], values["id"], values["data"]) == (event.source, event.id, ARRIVAL.inbound.data)
    bound = replace(ARRIVAL, inbound=replace(ARRIVAL.inbound, event=redefined(event, retailers=("a", "b"))))
    assert copied_parked(bound, 99, b"")[names.index("retailers")] == "a,b"


@pytest.mark.parametrize(
    ("timestamp", "kept"), ((-(2**63), -62_135_596_800_000), (2**63 - 1, 253_402_300_799_999), (0, 0), (7, 7))
)
def test_a_timestamp_that_is_no_date_becomes_the_nearest_one_however_it_is_written(timestamp: int, kept: int) -> None:
    arrival = replace(ARRIVAL, record=replace(MESSAGE, timestamp=timestamp))
    place = [column.name for column in EVENT_COLUMNS].index("published_at")

    assert copied_parked(arrival, 99, b"")[-len(EVENT_COLUMNS) :][place] == (kept - 946_684_800_000) * 1000
    assert list(sent([arrival]))[place] == [kept]


def test_what_is_sent_in_arrays_has_an_array_for_each_column() -> None:
    arrays = list(sent([ARRIVAL, ARRIVAL]))

    assert len(arrays) == LISTS["arrays"].count("%b") == len(EVENT_COLUMNS)
    assert all(len(array) == 2 for array in arrays)


def test_no_statement_keeps_a_name_in_braces() -> None:
    for file in ("journal.sql", "letters.sql", "batch_log.sql", "reconcile.sql"):
        for statement in load_queries(file, LISTS).values():
            assert not re.search(r"\{\w+\}", statement)
