"""The relay on real servers: what it publishes, and that it does so once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from service.errors import Fatal, Retryable
from service.wire.record import Record
from tests.support import relaying
from tests.support.filling import NOW, Filler, world
from tests.support.relaying import Order, build
from tests.support.topics import Topics


@pytest.fixture
def filler(database: str) -> Iterator[Filler]:
    filler = Filler(database)
    yield filler
    filler.close()


@pytest.fixture
def order(database: str, topics: Topics) -> Order:
    for name, partitions in (("changes", 4), ("current", 4), ("exceptions", 2), ("dead", 2)):
        topics.create(name, partitions)
    return Order(topics.bootstrap_servers, database, topics.prefix, drain=True)


def test_subscribers_are_told_what_the_journal_holds(filler: Filler, order: Order) -> None:
    filler.fill(world(60, seed=5, shuffle=True, invalid=0.03))

    build(order).run(drain=True)

    seen = relaying.check(order)
    assert len(seen.changes) > 200
    assert seen.exceptions
    assert seen.dead
