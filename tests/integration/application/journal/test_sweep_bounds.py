"""A sweep looks at a bounded number of labels; the next one goes on from there, whoever does it, and the cursor stays until all is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from unittest.mock import patch

import psycopg
import pytest

from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.transaction import PostgresTransaction
from service.application.journal.ingest import decode, write
from service.application.journal.labels import spreading
from service.application.journal.sweep import sweep
from service.domain.labels import Label
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.integration.application.journal.test_labels import created, scan, told
from tests.support.journals import as_bytes, differences

HEADERS = (("content-type", b"application/cloudevents+json"),)
LABELS = [f"T-{n}" for n in range(7)]
IN_USE = ("RT", "tracking_number_in_use")


@pytest.fixture
def worker(database: str) -> Iterator[Callable[[], PostgresJournal]]:
    """Makes one more worker's journal."""
    opened: list[PostgresJournal] = []

    def one_more() -> PostgresJournal:
        opened.append(PostgresJournal(database, CarrierTables.load()))
        return opened[-1]

    yield one_more
    for journal in opened:
        journal.close()


def seven_contested(journal: PostgresJournal) -> None:
    """In three batches, unswept: returns, others with the same labels, and a scan of each."""
    batches = (
        [created(f"R-1-{number[2:]}", "2026-11-18", number) for number in LABELS],
        [created(f"R-2-{number[2:]}", "2026-11-20", number) for number in LABELS],
        [scan("COLLECTED", "2026-11-21", tracking_number=number) for number in LABELS],
    )
    for documents in batches:
        records = [Record("any", 0, 1, 1_795_600_000_000, None, as_bytes(each), HEADERS) for each in documents]
        write(journal, decode(Parser(CarrierTables.load()), records), {})


def looked_at(journal: PostgresJournal) -> set[str]:
    """The numbers of the labels that a sweep looked at."""
    numbers = set[str]()
    claims = PostgresTransaction.claims

    def looks(self: PostgresTransaction, label: Label) -> object:
        numbers.add(label[1])
        return claims(self, label)

    with patch.object(PostgresTransaction, "claims", looks):
        assert sweep(journal) is not None
    return numbers


def late_claim(journal: PostgresJournal) -> None:
    """Another creation names the first label, which is done with."""
    late = created("R-3-0", "2026-11-21", "T-0")
    record = Record("any", 0, 2, 1_795_600_000_000, None, as_bytes(late), HEADERS)
    write(journal, decode(Parser(CarrierTables.load()), [record]), {})


def swept(journal: PostgresJournal) -> bool:
    progress = journal.swept()
    return progress.upto >= progress.newest


def test_a_turn_looks_at_so_many_labels_and_the_next_goes_on_whoever_takes_it(
    database: str, worker: Callable[[], PostgresJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "LABELS_A_SWEEP", 3)
    seven_contested(worker())
    began, turns = worker().swept().upto, list[set[str]]()

    while set().union(*turns) < set(LABELS):
        assert worker().swept().upto == began  # the lag is that of all that is left
        turns.append(looked_at(worker()))  # each time another worker, that remembers nothing

    assert max(map(len, turns)) == 3
    firsts = [each for n, each in enumerate(turns) if each not in turns[:n]]
    assert firsts == [{"T-0", "T-1", "T-2"}, {"T-3", "T-4", "T-5"}, {"T-6"}]
    with closing(PostgresJournal(database, CarrierTables.load())) as last:
        while not swept(last):
            assert sweep(last) is not None
    assert told(database) == {"R-1": {IN_USE}, "R-2": {IN_USE}}
    assert differences(database) == []


def test_what_comes_between_two_turns_is_looked_at_though_its_label_was_done(
    database: str, worker: Callable[[], PostgresJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "LABELS_A_SWEEP", 3)
    journal = worker()
    seven_contested(journal)
    while "T-3" not in looked_at(journal):
        pass

    late_claim(journal)
    while not swept(journal):
        assert sweep(worker()) is not None

    assert told(database) == {"R-1": {IN_USE}, "R-2": {IN_USE}, "R-3": {IN_USE}}
    assert differences(database) == []


def test_a_worker_that_dies_between_two_turns_leaves_nothing_undone(
    database: str, worker: Callable[[], PostgresJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "LABELS_A_SWEEP", 2)
    seven_contested(worker())
    dies = patch.object(PostgresTransaction, "number_batch", side_effect=RuntimeError("killed"))

    for turn in range(100):
        journal = worker()
        if swept(journal):
            break
        if turn % 2:
            with dies:
                try:
                    sweep(journal)
                except RuntimeError:
                    continue
        else:
            sweep(journal)

    assert swept(worker())
    assert told(database) == {"R-1": {IN_USE}, "R-2": {IN_USE}}
    assert differences(database) == []


def test_where_sweeps_of_the_release_before_went_on_a_turn_that_was_left_counts_for_nothing(
    database: str, worker: Callable[[], PostgresJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "LABELS_A_SWEEP", 3)
    journal = worker()
    seven_contested(journal)
    while "T-3" not in looked_at(journal):
        pass
    monkeypatch.setattr(spreading, "LABELS_A_SWEEP", 100)
    with psycopg.connect(database) as connection:
        kept = connection.execute("DELETE FROM sweep_turns RETURNING *").fetchall()
    while not swept(journal):
        sweep(journal)
    with psycopg.connect(database) as connection:
        for row in kept:
            connection.execute("INSERT INTO sweep_turns VALUES (%s, %s, %s, %s)", row)

    late_claim(journal)
    while not swept(journal):
        sweep(journal)

    assert kept
    assert told(database)["R-3"] == {IN_USE}
    assert differences(database) == []
