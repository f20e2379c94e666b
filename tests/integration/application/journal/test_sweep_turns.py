"""A sweep that moves windows beside a worker that writes claims of the same labels: neither waits for the other in a circle."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import pytest

from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.application.journal.ingest import decode, write
from service.application.journal.sweep import sweep
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.journals import as_bytes, creation, differences, event

CLOSED = "com.omnirps.return.closed.v1"
HEADERS = (("content-type", b"application/cloudevents+json"),)


def contended(database: str) -> PostgresJournal:
    """The journal of a worker that takes turns, as after a collision."""
    journal = PostgresJournal(database, CarrierTables.load())
    journal._contended_for = 16
    return journal


def take_in(journal: PostgresJournal, document: dict[str, Any]) -> None:
    """Record an event, and sweep nothing."""
    record = Record("any", 0, 1, 1_795_600_000_000, None, as_bytes(document), HEADERS)
    write(journal, decode(Parser(CarrierTables.load()), [record]), {})


def test_a_sweep_and_a_worker_that_take_turns_do_not_wait_for_each_other(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps, comes, has_turn = threading.current_thread(), threading.Event(), threading.Event()
    take_turn, set_claims = PostgresTransaction.take_turn, PostgresTransaction.set_claims
    failed = list[Exception]()

    def takes(self: PostgresTransaction) -> None:
        if threading.current_thread() is sweeps:
            comes.set()
            assert has_turn.wait(20)
        take_turn(self)

    def sets(self: PostgresTransaction, claims: Any) -> None:
        has_turn.set()
        set_claims(self, claims)

    def close() -> None:
        assert comes.wait(20)
        told = event(CLOSED, "closed", "15:00", return_id="R-1002", by="me", reason="lost")
        try:
            with closing(contended(database)) as journal:
                take_in(journal, told)
        except Exception as error:
            failed.append(error)

    with closing(contended(database)) as journal:
        take_in(journal, creation("R-1001", tracking_number="T-1"))
        take_in(journal, creation("R-1002", "12:00", tracking_number="T-1"))
        monkeypatch.setattr(PostgresTransaction, "take_turn", takes)
        monkeypatch.setattr(PostgresTransaction, "set_claims", sets)
        other = threading.Thread(target=close)
        other.start()
        sweep(journal)
        other.join()
        while sweep(journal) is not None:
            pass

    assert failed == []
    assert differences(database) == []
