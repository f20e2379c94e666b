"""What a worker remembers of events that it parked is what it would read back, and is believed of their topic alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from service.adapters.postgres.journal.journal import PostgresJournal
from service.application.journal.ingest import write
from service.application.ports import Arrival, Waiting
from service.wire.carriers import CarrierTables
from tests.support.journals import DS, creation, event, scan
from tests.world.contract import items

TOPIC, ANOTHER = bytes(15) + b"\x01", bytes(15) + b"\x02"
EARLY = (
    scan("COLLECTED", "10:00"),
    scan("WHAT", "10:30"),
    scan("DELIVERED", "12:00"),
    event(DS, "ds", "13:00", return_id="R-1001", hub="akl1", sequence="7"),
)


def swept(journal: PostgresJournal) -> list[Waiting]:
    with journal.transaction() as tx:
        found = tx.begin_sweep(16, 100)
        assert found is not None
        tx.end_sweep(3)
        return list(found.waiting)


def arrivals(topic_id: bytes | None, *documents: dict[str, Any]) -> list[Any]:
    return [
        replace(each, record=replace(each.record, topic_id=topic_id))
        for each in items(*documents)
        if isinstance(each, Arrival)
    ]


@pytest.fixture(params=(0, 1000), ids=("reads all", "remembers"))
def journal(database: str, request: pytest.FixtureRequest) -> Any:
    made = PostgresJournal(database, CarrierTables.load(), remembered=request.param)
    yield made
    made.close()


@pytest.mark.parametrize("topic_id", (TOPIC, None))
def test_what_waited_comes_as_it_was_understood(journal: PostgresJournal, topic_id: bytes | None) -> None:
    early = arrivals(topic_id, *EARLY)
    write(journal, early, {})
    write(journal, items(creation(), first=9), {})

    found = {each.arrival.record.offset: each.arrival for each in swept(journal)}

    assert [found[number].inbound for number in range(len(early))] == [each.inbound for each in early]
    for number, each in enumerate(early):
        assert found[number].record == replace(each.record, key=None, value=None, headers=())


def test_another_event_that_stands_where_one_stood_is_read(journal: PostgresJournal) -> None:
    """A topic made anew counts from 0 again, and its messages are other ones."""
    (first,), (other,) = arrivals(TOPIC, EARLY[0]), arrivals(ANOTHER, EARLY[2])
    write(journal, [first], {})
    write(journal, [other], {})
    write(journal, items(creation(), first=9), {})

    assert [each.arrival.inbound for each in swept(journal)] == [first.inbound, other.inbound]
