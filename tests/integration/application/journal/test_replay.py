"""Dead letters go through again: recorded as what they always were, or the same letters with one more attempt."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from service.adapters.postgres.journal.letters import MendingJournal
from service.application.journal.ingest import decode, write
from service.application.journal.replay import Fate, Letters, Pace, Replayed, Selection, Tally, replay, replay_letter
from service.application.journal.sweep import sweep
from service.domain.milestones import Verdict
from service.errors import Retryable
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound, Parser
from service.wire.record import Record
from service.wire.stored import to_micros
from tests.support.commands import run
from tests.support.ingesting import STRUCTURED, drain, message
from tests.support.journals import SCAN, creation, differences, event, ingest
from tests.support.relaying import told, truth
from tests.support.service import Service

AT = 1_795_600_000_000  # 2026-11-25, in milliseconds
_offsets = itertools.count(1000)


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.time = 0.0
        self.stops_at = float("inf")

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> bool:
        self.time += seconds
        return self.time >= self.stops_at


@pytest.fixture
def letters(database: str) -> Iterator[MendingJournal]:
    with closing(MendingJournal(database, CarrierTables.load(), "test")) as journal:
        yield journal


@pytest.fixture
def tables_with_zone(tmp_path: Path) -> CarrierTables:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "slow.toml").write_text(
        'name = "Slow"\nzone = "Europe/London"\n[collected]\n"1" = "Picked up"\n', encoding="utf-8"
    )
    return CarrierTables.load(tmp_path / "tables")


def local_scan(tracking_number: str = "TR-1001", id_: str = "s-1", code: str = "1") -> dict[str, Any]:
    """A scan whose time no one can tell unless the carrier's table names a zone."""
    data = {"carrier": "slow", "tracking_number": tracking_number, "code": code, "local_time": "2026-11-20T10:00:00"}
    return {name: value for name, value in event(SCAN, id_, "00:00", **data).items() if name != "time"}


def record(document: object, topic: str = "first-mile.scans", timestamp: int = AT) -> Record:
    return Record(topic, 3, next(_offsets), timestamp, b"key", json.dumps(document).encode(), STRUCTURED)


def bury(letters: MendingJournal, *records: Record) -> list[int]:
    """Ingest the records, all of them invalid; the numbers of their letters."""
    before = rows(letters, "SELECT coalesce(max(letter_no), 0) FROM dead_letters")[0][0]
    write(letters, decode(Parser(CarrierTables.load()), records), {})
    found = rows(letters, "SELECT letter_no FROM dead_letters WHERE letter_no > %s ORDER BY 1", before)
    assert len(found) == len(records)
    return [letter_no for (letter_no,) in found]


def rows(letters: MendingJournal, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(letters._url) as connection:
        return connection.execute(sql.encode(), parameters).fetchall()


def stored(letters: MendingJournal) -> list[tuple[Any, ...]]:
    """Number, attempts, reason, and whether it is resolved, of each letter."""
    return rows(
        letters, "SELECT letter_no, attempts, reason, resolved_at IS NOT NULL FROM dead_letters ORDER BY letter_no"
    )


def send(
    letters: Letters, tables: CarrierTables, selection: Selection | None = None, pace: Pace | None = None
) -> Tally:
    tally = Tally()
    replay(letters, Parser(tables), selection or Selection(), pace or Pace(), tally, Clock())
    return tally


def test_a_letter_that_is_understood_now_is_recorded_where_it_once_stood(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    ingest(database, [creation(carrier="slow")])
    original = record(local_scan())
    (letter_no,) = bury(letters, original)

    tally = send(letters, tables_with_zone)

    assert tally.verdicts == {Verdict.ADVANCED: 1}
    assert stored(letters) == [(letter_no, 2, "no_zone", True)]
    found = rows(
        letters,
        'SELECT id, verdict, zone_source, occurred_at, topic, partition, "offset", published_at FROM history'
        " WHERE type LIKE '%%scanned%%'",
    )
    assert found == [
        (
            "s-1",
            "advanced",
            "carrier_table",
            datetime(2026, 11, 20, 10, tzinfo=UTC),
            original.topic,
            original.partition,
            original.offset,
            datetime.fromtimestamp(AT / 1000, UTC),
        )
    ]
    assert differences(database) == []


def test_a_letter_that_fails_again_is_the_same_letter_with_one_more_attempt(
    letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    document = local_scan()
    document["data"]["local_time"] = "2026-02-30T10:00:00"
    (letter_no,) = bury(letters, record(document))

    first = send(letters, CarrierTables.load())
    second = send(letters, tables_with_zone)

    assert (first.failed, second.failed) == ({"no_zone": 1}, {"bad_time": 1})
    assert stored(letters) == [(letter_no, 3, "bad_time", False)]
    error = rows(letters, "SELECT error FROM dead_letters")[0][0]
    assert error == "data.local_time: no such date or time"
    assert rows(letters, "SELECT count(*) FROM batches") == [(1,)]  # nothing for a reader of the log


def test_an_event_that_came_by_other_means_is_a_duplicate_and_its_letter_is_resolved(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    ingest(database, [creation(carrier="slow")])
    bury(letters, record(local_scan()))
    write(letters, decode(Parser(tables_with_zone), [record(local_scan())]), {})  # sent again when the table was mended

    tally = send(letters, tables_with_zone)

    assert (tally.duplicates, tally.resolved) == (1, 1)
    assert [row[3] for row in stored(letters)] == [True]
    assert rows(letters, "SELECT verdict FROM history WHERE id = 's-1'") == [("advanced",)]  # once


def test_an_event_of_a_return_to_come_waits_for_it(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    (letter_no,) = bury(letters, record(local_scan()))

    replayed = replay_letter(letters, Parser(tables_with_zone), letter_no)
    again = replay_letter(letters, Parser(tables_with_zone), letter_no)
    write(letters, decode(Parser(tables_with_zone), [record(creation(carrier="slow"), "omnireturns.returns")]), {})
    with closing(MendingJournal(database, tables_with_zone)) as worker:
        while sweep(worker) is not None:
            pass

    assert replayed == Replayed(letter_no, Fate.WAITING, 2)
    assert again == Replayed(letter_no, Fate.RESOLVED_BEFORE, 2)
    assert rows(letters, "SELECT id, verdict FROM history ORDER BY seq") == [
        ("R-1001-rc", "advanced"),
        ("s-1", "advanced"),
    ]
    assert differences(database) == []


def test_one_letter_may_be_tried_by_its_number(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    ingest(database, [creation(carrier="slow")])
    good, bad, repeated = bury(letters, record(local_scan()), record([]), record(local_scan()))
    parser = Parser(tables_with_zone)

    replayed = [replay_letter(letters, parser, number) for number in (good, bad, repeated, 999)]

    assert replayed == [
        Replayed(good, Fate.RECORDED, 2, Verdict.ADVANCED),
        Replayed(
            bad,
            Fate.FAILED,
            2,
            None,
            "not_cloudevent",
            rows(letters, "SELECT error FROM dead_letters WHERE resolved_at IS NULL")[0][0],
        ),
        Replayed(repeated, Fate.DUPLICATE, 2),
        None,
    ]


def test_the_topic_of_a_letter_need_not_be_one_that_is_read_today(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    ingest(database, [creation(carrier="slow")])
    bury(letters, record(local_scan(), topic="scans.of.old"))
    parser = Parser(tables_with_zone, {"first-mile.scans": {SCAN}})
    tally = Tally()

    replay(letters, parser, Selection(), Pace(), tally, Clock())

    assert tally.verdicts == {Verdict.ADVANCED: 1}
    assert rows(letters, "SELECT topic FROM history WHERE id = 's-1'") == [("scans.of.old",)]


@pytest.mark.parametrize("timestamp", (0, AT, AT * 1000))
def test_a_time_in_the_future_can_be_brought_back_once_it_is_past(
    letters: MendingJournal, tables_with_zone: CarrierTables, timestamp: int
) -> None:
    # A publisher's clock had stamped it, and it was judged by that stamp for ever.
    hours = 3_600_000_000
    at = to_micros(datetime(2026, 11, 20, 10, tzinfo=UTC))
    scanned = {**local_scan(), "time": "2026-11-20T10:00:00Z"}
    del scanned["data"]["local_time"]
    came = record(scanned, timestamp=timestamp)
    early = Parser(CarrierTables.load(), now=lambda: at - 100 * hours)
    write(letters, decode(early, [came]), {})

    found = []
    for later in (49, 47):
        tally = Tally()
        parser = Parser(tables_with_zone, now=lambda later=later: at - later * hours)  # type: ignore[misc]
        replay(letters, parser, Selection(), Pace(), tally, Clock())
        found.append((dict(tally.failed), tally.resolved))

    assert found == [({"time_out_of_range": 1}, 0), ({}, 1)]


def test_letters_are_chosen_by_reason_topic_time_number_and_limit(
    letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    numbers = bury(
        letters,
        record(local_scan()),
        record(local_scan(id_="s-2"), topic="other"),
        record([]),
        record({}, topic="other"),
    )
    with psycopg.connect(letters._url) as connection:
        for number, of_month in zip(numbers, (1, 2, 3, 4), strict=True):
            connection.execute(
                "UPDATE dead_letters SET recorded_at = make_timestamptz(2026, 11, %s, 0, 0, 0, 'UTC')"
                " WHERE letter_no = %s",
                (of_month, number),
            )

    def chosen(selection: Selection, limit: int | None = None, *, dry_run: bool = True) -> tuple[int, int]:
        tally = send(letters, tables_with_zone, selection, Pace(limit, None, dry_run))
        return tally.understood, sum(tally.failed.values())

    def day(number: int) -> datetime:
        return datetime(2026, 11, number, tzinfo=UTC)

    assert chosen(Selection()) == (2, 2)
    assert chosen(Selection(reasons=["no_zone"])) == (2, 0)
    assert chosen(Selection(reasons=["no_zone", "not_cloudevent"], topics=["other"])) == (1, 1)
    assert chosen(Selection(since=day(2))) == (1, 2)
    assert chosen(Selection(since=day(2), until=day(4))) == (1, 1)
    assert chosen(Selection(letter_nos=[numbers[0], numbers[3], 999])) == (1, 1)
    assert chosen(Selection(), 3) == (2, 1)
    assert [row[1] for row in stored(letters)] == [1, 1, 1, 1]  # a dry run changes nothing
    assert chosen(Selection(), 1, dry_run=False) == (0, 0)
    assert [row[3] for row in stored(letters)] == [True, False, False, False]


def test_a_rate_is_kept_and_a_stop_is_heard(letters: MendingJournal) -> None:
    bury(letters, *(record([]) for _ in range(30)))
    clock, tally, heard = Clock(), Tally(), list[int]()
    clock.stops_at = 2.0

    replay(
        letters,
        Parser(CarrierTables.load()),
        Selection(),
        Pace(rate=10),
        tally,
        clock,
        lambda so_far: heard.append(so_far.tried),
    )

    assert heard == list(range(2, 21, 2))
    assert tally.selected == 30
    assert [row[1] for row in stored(letters)] == [2] * 20 + [1] * 10


def test_many_may_replay_at_a_time(database: str, letters: MendingJournal, tables_with_zone: CarrierTables) -> None:
    returns = [f"R-{number:04}" for number in range(300)]
    ingest(database, [creation(each, carrier="slow") for each in returns])
    bury(letters, *(record(local_scan(f"T{each}", id_=f"s-{each}")) for each in returns))
    tallies = [Tally() for _ in range(3)]
    errors = list[BaseException]()

    def work(tally: Tally) -> None:
        try:
            with closing(MendingJournal(database, tables_with_zone, "test")) as own:
                replay(own, Parser(tables_with_zone), Selection(), Pace(rate=50), tally, Clock())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(tally,)) for tally in tallies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sum(tally.resolved for tally in tallies) == 300
    assert {row[1:] for row in stored(letters)} == {(2, "no_zone", True)}
    assert rows(letters, "SELECT count(*) FROM history WHERE code = '1'") == [(300,)]
    assert differences(database) == []


def test_what_was_done_before_the_database_went_stays_done(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    returns = [f"R-{number:04}" for number in range(12)]
    ingest(database, [creation(each, carrier="slow") for each in returns])
    bury(letters, *(record(local_scan(f"T{each}", id_=f"s-{each}")) for each in returns))
    tally = Tally()

    def cut(so_far: Tally) -> None:
        if so_far.tried == 8:
            rows(
                letters,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
                " AND datname = current_database()",
            )

    with pytest.raises(Retryable):
        replay(letters, Parser(tables_with_zone), Selection(), Pace(rate=20), tally, Clock(), cut)
    rest = send(letters, tables_with_zone)

    assert (tally.resolved, rest.resolved) == (8, 4)
    assert {row[1:] for row in stored(letters)} == {(2, "no_zone", True)}
    assert rows(letters, "SELECT count(*) FROM history WHERE code = '1'") == [(12,)]


class Spoiling(Parser):
    """Understands too much: an event that only PostgreSQL refuses."""

    def parse(self, record: Record) -> Inbound:
        inbound = super().parse(record)
        return replace(inbound, extensions=b"{") if inbound.event.id == "spoilt" else inbound


def test_a_value_that_only_the_database_refuses_fails_alone(
    database: str, letters: MendingJournal, tables_with_zone: CarrierTables
) -> None:
    ingest(database, [creation(carrier="slow")])
    bury(letters, *(record(local_scan(id_=each)) for each in ("s-1", "spoilt", "s-2")))
    tally = Tally()

    replay(letters, Spoiling(tables_with_zone), Selection(), Pace(), tally, Clock())

    assert [row[1:] for row in stored(letters)] == [
        (2, "no_zone", True),
        (2, "rejected_value", False),
        (2, "no_zone", True),
    ]
    assert (tally.tried, tally.resolved, tally.failed) == (3, 2, {"rejected_value": 1})
    assert differences(database) == []


def test_the_commands_say_what_they_do_and_nobody_is_told_of_a_letter_twice(
    service: Service, tmp_path: Path, tables_with_zone: CarrierTables
) -> None:
    del tables_with_zone  # its file is what counts
    bad = message(service, local_scan())
    other = (bad[0], bad[1], b"[]", bad[3])
    service.publish([message(service, creation(carrier="slow")), bad, other])
    drain(service)
    service.done("relay", "--drain")

    tables = str(tmp_path / "tables")
    looked = service.done("replay", "--dry-run", RETURNS_CARRIER_TABLES=tables)
    replayed = service.done("replay", "--topic", bad[0], "--since", "2020-01-01", RETURNS_CARRIER_TABLES=tables)
    again = service.done("replay", "--reason", "no_zone", RETURNS_CARRIER_TABLES=tables)
    service.done("relay", "--drain")

    assert looked.splitlines() == [
        "2 of 2 letters looked at: 1 are understood now",
        "  1 still no event: not_cloudevent 1",
    ]
    assert replayed.splitlines() == [
        "2 of 2 letters tried: 1 resolved",
        "  1 recorded: advanced 1",
        "  1 failed again: not_cloudevent 1",
    ]
    assert again.splitlines() == ["0 of 0 letters tried: 0 resolved"]
    changes = service.clients.read(service.topics.name("status_changes"), 2)
    assert told([json.loads(each.value)["data"] for each in changes]) == truth(service.database)
    assert _dead_letters(service) == 2


def _dead_letters(service: Service) -> int:
    """How many records a subscriber of the dead letters can read."""
    with closing(service.clients.consumer(service.topics.name("dead_letters"))) as consumer:
        count, idle = 0, 0
        while idle < 3:
            found = sum(map(len, consumer.poll(timeout_ms=300).values()))
            count, idle = count + found, 0 if found else idle + 1
        return count


def test_a_database_that_is_away_is_said_so() -> None:
    result = run("replay", RETURNS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert result.returncode == 1
    assert "Error: cannot connect to PostgreSQL" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", (("--since", "yesterday"), ("--limit", "0"), ("--rate", "0")))
def test_wrong_usage_is_told(arguments: Sequence[str]) -> None:
    result = run("replay", *arguments)

    assert result.returncode == 2
    assert arguments[0] in result.stderr


def test_the_role_of_ingestion_may_replay(database: str, letters: MendingJournal) -> None:
    bury(letters, record([]))

    with psycopg.connect(database) as connection:
        connection.execute("SET ROLE returns_ingest")
        connection.execute("SELECT FROM dead_letters FOR UPDATE SKIP LOCKED")
        connection.execute(
            "UPDATE dead_letters SET attempts = 2, reason = 'a', error = 'b', resolved_at = now() RETURNING letter_no"
        )

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE dead_letters SET value = ''")
