"""The database that lists are measured on is one that the service could have written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from service.adapters.postgres.journal.histories import open_histories
from service.adapters.postgres.journal.search import PostgresSearch
from service.application.journal.slices import SliceLimits
from service.application.journal.verify import Histories, StoredReturn, StoredRow, verify
from service.domain.events import KEY_DIGEST_BYTES
from service.domain.rules import DEFAULT
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.projector import Projector
from tests.benchmarks import multiply as benchmark
from tests.benchmarks.filled import Unfilled
from tests.benchmarks.multiply import COPIES, multiply
from tests.support.api import api, settings_for

RETURNS = 97 * COPIES
TABLES = ("search_returns", "search_exceptions", "search_counts", "search_days")


def kept(database: str) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(database) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3".encode()).fetchall() for table in TABLES
        }


class _Renamed:
    """The histories, as if copies knew their events by the words that they have now: they know them by the original's."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories

    def __getattr__(self, name: str) -> Any:
        return getattr(self._histories, name)

    def returns(self) -> Iterator[StoredReturn]:
        for stored in self._histories.returns():
            rows, seen = list[StoredRow](), b""
            for row in stored.rows:
                kept = row.state.seen[len(seen) :]
                assert kept[:KEY_DIGEST_BYTES] == row.event.key
                assert len(kept) == 2 * KEY_DIGEST_BYTES
                seen += row.event.key + row.event.identity
                rows.append(row._replace(state=replace(row.state, seen=seen)))
            yield stored._replace(rows=rows)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_multiplied_journal_is_what_its_events_say(database: str) -> None:
    multiply(database, RETURNS)

    settings = settings_for(database)
    differences = list[str]()
    with open_histories(database, DEFAULT) as histories:
        checked = verify(_Renamed(histories), differences)
    before = kept(database)
    Projector(PostgresSearch(database, SliceLimits()), Stop(), Metrics()).rebuild()

    assert differences == []
    assert checked.returns >= RETURNS
    assert checked.events > 5 * checked.returns
    assert kept(database) == before
    with api(settings, "read") as client:
        items = client.get("/v1/returns", params={"limit": 500}).json()["items"]
        for item in items[::50]:
            assert (
                client.get(f"/v1/returns/{item['return_id']}").json().items()
                >= {
                    name: item[name]
                    for name in ("return_id", "retailer", "tracking_number", "connote", "status", "version")
                }.items()
            )
            assert client.get(f"/v1/returns/{item['return_id']}/history").status_code == 200


@pytest.mark.postgres
def test_a_world_that_the_service_refuses_is_not_measured(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [(at - 20 * 86_400, message) for at, message in benchmark.messages(20, seed=1)]
    monkeypatch.setattr(benchmark, "messages", lambda *_: iter(sent))

    with pytest.raises(Unfilled, match=r"^0 returns instead of 2\d, .* letters instead of \d$"):
        multiply(database, 20 * COPIES)
