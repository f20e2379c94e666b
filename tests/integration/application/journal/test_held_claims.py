"""What is kept of labels' claims is held against the histories, and mended by a command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from service.adapters.postgres.journal.histories import open_histories
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.letters import MendingJournal
from service.application.journal.appending import Appended, Placed, StepEnded, append
from service.application.journal.labels import mending
from service.application.journal.labels.mending import mend_claims
from service.application.journal.reassess import reassess
from service.application.journal.sweep import sweep
from service.application.journal.verify import verify
from service.application.ports import Transaction
from service.domain.rules import DEFAULT, Rules
from service.errors import Retryable
from service.wire.carriers import CarrierTables
from tests.integration.application.journal.test_labels import closed, created, in_every_order, scan
from tests.integration.application.journal.test_void_claims import named
from tests.support.journals import DS, VOID, differences, event, ingest, take_in

REMEDY = ": run `returns-status reassess --claims`"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
Rows = list[tuple[Any, ...]]


CONTESTED = (
    created("R-1", "2026-11-08"),
    scan("COLLECTED", "2026-11-09"),
    closed("R-1", "2026-11-12"),
    created("R-2", "2026-11-18"),
    scan("DELIVERED", "2026-11-22"),
    created("R-3", "2026-11-01", "T-B", "theirs", retailer="zenith"),
    created("R-3", "2026-11-02", "T-A", "ours"),
    event(VOID, "void", "20:00", return_id="R-3", source="/test", id="R-3-theirs", by="ops", reason="not zenith's"),
    created("R-4", "2026-11-10", "T-B", retailer="zenith"),
)
"""Label T-1 is claimed by R-1, which was closed, and R-2; T-B by a void creation of R-3, and by R-4."""

INSERTED = (
    "INSERT INTO label_claims (carrier, tracking_number, return_no, batch_id, made_in, claimed_at, retailer)"
    " SELECT 'generic', 'T-1-{n}', {whose}, batch_id, batch_id, now(), 'acme' FROM returns WHERE return_id = 'R-4-{n}'"
)
DAMAGES = (
    ("R-2", "DELETE FROM label_claims WHERE {of}", "its claim of label generic/T-1-{n} is not kept"),
    ("R-1", "DELETE FROM label_claims WHERE {of}", "its claim of label generic/T-1-{n} is not kept"),
    (
        "R-3",
        "DELETE FROM label_claims WHERE {of} AND tracking_number LIKE 'T-B%'",
        "its claim of label generic/T-B-{n} is not kept",
    ),
    (
        "R-2",
        "UPDATE label_claims SET claimed_at = claimed_at + interval '1 microsecond' WHERE {of}",
        "its claim of label generic/T-1-{n} is kept with another time than its creations say",
    ),
    (
        "R-1",
        "UPDATE label_claims SET retailer = 'zenith' WHERE {of}",
        "its claim of label generic/T-1-{n} is kept with another retailer than its creations say",
    ),
    (
        "R-1",
        "UPDATE label_claims SET closed_at = NULL WHERE {of}",
        "its claim of label generic/T-1-{n} is kept with another closing than its history says",
    ),
    (
        "R-2",
        "UPDATE label_claims SET is_void = true WHERE {of}",
        "its claim of label generic/T-1-{n} is kept as void, and is not",
    ),
    (
        "R-3",
        "UPDATE label_claims SET is_void = false WHERE {of} AND is_void",
        "its claim of label generic/T-B-{n} is not kept as void, and is",
    ),
    (
        "R-1",
        "UPDATE label_claims SET told = NULL WHERE {of}",
        "its window of label generic/T-1-{n} is kept otherwise than its history has it",
    ),
    (
        "R-4",
        INSERTED.replace("{whose}", "return_no"),
        "is kept as a claimant of label generic/T-1-{n}, which no creation of it names",
    ),
    (
        "4711",
        INSERTED.replace("{whose}", "4711"),
        "is kept as a claimant of label generic/T-1-{n}, which no creation of it names",
    ),
)


def mended(database: str, *, dry_run: bool = False) -> list[str]:
    said = list[str]()
    tables = CarrierTables.load()
    with closing(MendingJournal(database, tables, "test")) as journal, open_histories(database) as histories:
        mend_claims(histories, journal, NOW, dry_run=dry_run, say=said.append)
    with closing(PostgresJournal(database, tables, rules=DEFAULT)) as journal:
        while sweep(journal) is not None:
            pass
    return said


def kept(database: str) -> Rows:
    with psycopg.connect(database) as connection:
        return connection.execute(
            """SELECT return_id, carrier, tracking_number, claimed_at, retailer, closed_at, is_void, told::text
            FROM label_claims JOIN returns USING (return_no) ORDER BY 1, 2, 3"""
        ).fetchall()


def timelines(database: str) -> Rows:
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT DISTINCT ON (return_id) return_id, status, version, state -> 'm' FROM history"
            " JOIN returns USING (return_no) ORDER BY return_id, seq DESC"
        ).fetchall()


def test_a_scan_that_a_claimant_lacks_is_told_and_placed(database: str) -> None:
    ingest(database, [created("R-1", "2026-11-18"), created("R-2", "2026-11-19"), scan("COLLECTED", "2026-11-21")])
    assert differences(database) == []
    before = timelines(database)
    with psycopg.connect(database) as connection:  # as a fault of the sweep left it once
        last = "(SELECT max(seq) FROM history JOIN returns USING (return_no) WHERE return_id = 'R-2')"
        of = "return_no = (SELECT return_no FROM returns WHERE return_id = 'R-2')"
        lost = connection.execute(f"DELETE FROM history WHERE {of} AND seq = {last} RETURNING id".encode()).fetchone()
    what = f"R-2: lacks scan {lost and lost[0]} of /test of its label generic/T-1"

    assert differences(database) == [what + REMEDY]
    assert mended(database, dry_run=True) == [what]
    assert mended(database) == [what]

    assert differences(database) == []
    assert timelines(database) == before


def test_what_was_done_to_claims_by_hand_is_told_and_mended(database: str) -> None:
    # Each damage is done to labels and returns of its own.
    copies = [list(named(CONTESTED, n)) for n in range(len(DAMAGES))]
    for step in zip(*copies, strict=True):
        ingest(database, step)
    assert differences(database) == []
    before, states = kept(database), timelines(database)
    expected = list[str]()
    with psycopg.connect(database) as connection:
        for n, (whose, statement, what) in enumerate(DAMAGES):
            return_id = f"{whose}-{n}" if whose.startswith("R") else whose
            of = f"return_no = (SELECT return_no FROM returns WHERE return_id = '{return_id}')"
            assert connection.execute(statement.format(n=n, of=of).encode()).rowcount == 1
            expected.append(f"{return_id}: {what.format(n=n)}")

    found = differences(database)

    assert sorted(found) == sorted(sentence + REMEDY for sentence in expected)
    assert sorted(mended(database, dry_run=True)) == sorted(expected)
    assert differences(database) == found
    assert sorted(mended(database)) == sorted(expected)
    assert differences(database) == []
    added = {"R-4-9"}  # stays, and is void
    assert [row for row in kept(database) if row[0] not in added or row[2] != "T-1-9"] == before
    assert timelines(database) == states
    assert mended(database) == []


@pytest.mark.parametrize("is_closed", (True, False))
def test_a_claim_that_moves_while_its_label_is_the_return_s_alone_is_kept_as_it_is(
    database: str, *, is_closed: bool
) -> None:
    # R-1's claim is kept, since it was closed, or since one of R-3 was void; and then an earlier creation moves it.
    if is_closed:
        kept_alone = [closed("R-1", "2026-11-20")]
    else:
        theirs = created("R-3", "2026-11-19", "T-1", "theirs", retailer="zenith")
        ours = created("R-3", "2026-11-18", "T-3", "ours")
        void = event(VOID, "v", "20:00", return_id="R-3", source="/test", id="R-3-theirs", by="ops", reason="no")
        kept_alone = [theirs, ours, void]
    documents = [
        created("R-1", "2026-11-18"),
        *kept_alone,
        created("R-1", "2026-10-01", id_="again"),
        created("R-2", "2026-11-10"),
        scan("COLLECTED", "2026-10-02"),
    ]
    for each in documents:
        ingest(database, [each])

    assert differences(database) == []
    assert {row[:4] for row in kept(database) if row[0] == "R-1"} == {
        ("R-1", "generic", "T-1", datetime(2026, 10, 1, 9, tzinfo=UTC))
    }


def test_of_two_creations_of_one_time_the_same_retailer_claims_the_label_whichever_comes_first(database: str) -> None:
    documents = [
        created("R-1", "2026-11-17"),
        created("R-2", "2026-11-18"),
        created("R-2", "2026-11-18", id_="second", retailer="zenith"),
    ]

    in_every_order(database, documents)

    assert {row[4] for row in kept(database) if row[0].startswith("R-2")} == {"acme"}
    assert differences(database) == []


def test_a_claim_is_not_mended_by_a_past_that_has_gone_on(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(database, [created("R-1", "2026-11-17")])
    ingest(database, [created("R-2", "2026-11-18")])
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM label_claims WHERE return_no = (SELECT max(return_no) FROM returns)")
    told = differences(database)

    def meanwhile(tx: Transaction, placed: Sequence[Placed], step: StepEnded) -> Appended:
        ingest(database, [event(DS, "ds", "12:00", return_id="R-2", hub="akl1")])
        return append(tx, placed, step)

    monkeypatch.setattr(mending, "append", meanwhile)
    with pytest.raises(Retryable, match="others appended"):
        mended(database)
    assert differences(database) == told == ["R-2: its claim of label generic/T-1 is not kept" + REMEDY]

    monkeypatch.undo()
    mended(database)
    assert differences(database) == []


def test_by_another_setting_windows_are_others_once_returns_are_decided_anew(database: str) -> None:
    # The second creation is 19 days later: one box by the one setting, the number anew by the other.
    for each in (created("R-1", "2026-11-01"), created("R-2", "2026-11-20"), scan("COLLECTED", "2026-11-21")):
        ingest(database, [each])
    assert {row[:2] for row in timelines(database)} == {("R-1", "RT"), ("R-2", "RT")}
    rules, tables = Rules(label_reuse_days=10), CarrierTables.load()

    with closing(MendingJournal(database, tables, "test", rules=rules)) as journal:
        reassess(journal, NOW, dry_run=False, say=lambda _: None)
    with closing(PostgresJournal(database, tables, rules=rules)) as journal:
        while sweep(journal) is not None:
            pass

    assert {row[:2] for row in timelines(database)} == {("R-1", "RC"), ("R-2", "RT")}
    assert [json.loads(row[7])["until"] for row in kept(database)] == ["2026-11-19T09:00:00Z", None]
    found = list[str]()
    with open_histories(database, rules) as histories:
        verify(histories, found)
    assert found == []


def test_a_worker_that_was_behind_leaves_no_claim_as_it_believed_it_to_be(database: str) -> None:
    """What it remembers of a return is from before another worker closed it, and what comes again adds no row."""
    earlier, tables = created("R-1", "2026-11-07"), CarrierTables.load()
    with (
        closing(PostgresJournal(database, tables, remembered=100)) as behind,
        closing(PostgresJournal(database, tables, remembered=100)) as ahead,
    ):
        take_in(behind, [("in", created("R-1", "2026-11-08", id_="later"))])
        take_in(ahead, [("in", earlier), ("in", closed("R-1", "2026-11-12"))])
        take_in(behind, [("in", earlier)])

    assert differences(database) == []
