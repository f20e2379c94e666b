"""What the world's model of PostgreSQL promises: played on the model and on the real server alike, collisions included.

Each test goes through the service's own adapter, so that what differs can only be the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from service.adapters.postgres.journal.batch_log import RelayLog
from service.adapters.postgres.journal.histories import open_histories
from service.adapters.postgres.journal.journal import PostgresJournal
from service.adapters.postgres.journal.letters import MendingJournal
from service.adapters.postgres.journal.search import PostgresSearch
from service.application.journal.appending import Placed, decide
from service.application.journal.ingest import decode, take_in, write
from service.application.journal.project import advance
from service.application.journal.remap import Order, remap
from service.application.journal.replay import Selection
from service.application.journal.slices import Position, SliceLimits
from service.application.journal.sweep import sweep
from service.application.journal.verify import verify
from service.application.ports import Arrival, DeadLetter, HistoryRow, Item, Move, Rebinding, Stored
from service.domain.milestones import Verdict
from service.errors import LostPartition, Retryable
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.record import Record
from tests.support.journals import DS, RE, RP, creation, event, scan
from tests.support.waiting import eventually
from tests.world import glue
from tests.world.stages import Stage

TABLES = CarrierTables.load()
PARSER = Parser(TABLES)
HEADERS = (("content-type", b"application/cloudevents+json"),)
P = ("in", 0)
ID, OTHER = bytes(15) + b"1", bytes(15) + b"2"
LIMITS = SliceLimits(rows=3, letters=2, batches=2)


def items(*documents: dict[str, Any] | bytes, first: int = 0) -> list[Item]:
    """As they are decoded from one partition."""
    values = [document if isinstance(document, bytes) else json.dumps(document).encode() for document in documents]
    return decode(
        PARSER, [Record(*P, first + n, 1_795_600_000_000, b"k", value, HEADERS, ID) for n, value in enumerate(values)]
    )


class JournalContract:
    """The tests; `stage` is a fixture of whoever inherits them."""

    @pytest.fixture
    def journal(self, stage: Stage) -> Callable[[], PostgresJournal]:
        return lambda: PostgresJournal(stage.url, TABLES, remembered=100)

    def test_stored_offsets_move_from_where_they_are_and_in_their_topic_only(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            assert one.known_offsets([P]) == {}
            assert one.stored_offsets({P: Stored(7, ID)}) == {P: Stored(7, ID)}
            assert one.stored_offsets({P: Stored(99, OTHER)}) == {P: Stored(7, ID)}
            with one.transaction() as tx:
                tx.advance({P: Move(7, 9, ID, 3)})
            for move in (Move(7, 10, ID), Move(9, 10, OTHER)):
                with pytest.raises(LostPartition), one.transaction() as tx:
                    tx.advance({P: move})
            assert one.known_offsets([P, ("in", 1)]) == {P: Stored(9, ID, 3)}
            with one.transaction() as tx:
                tx.rebind({P: Rebinding(Stored(9, ID), Stored(0, OTHER))})
            with pytest.raises(LostPartition), one.transaction() as tx:
                tx.rebind({P: Rebinding(Stored(9, ID), Stored(0, OTHER))})
            assert one.known_offsets([P]) == {P: Stored(0, OTHER)}
            one.close()

        stage.together(part)

    def test_an_offset_that_is_being_moved_is_waited_for_and_looked_at_again(self, stage: Stage, journal: Any) -> None:
        def first() -> None:
            one = journal()
            one.stored_offsets({P: Stored(0, ID)})
            with one.transaction() as tx:
                tx.advance({P: Move(0, 5, ID)})
                stage.tell("moved")
                stage.await_a_wait()
            one.close()

        def second() -> None:
            one = journal()
            stage.hear("moved")
            assert one.known_offsets([P]) == {P: Stored(0, ID)}
            with pytest.raises(LostPartition), one.transaction() as tx:
                tx.advance({P: Move(0, 3, ID)})
            assert one.known_offsets([P])[P].next == 5
            one.close()

        stage.together(first, second)

    def test_who_rolls_back_lets_the_one_go_on_that_waits(self, stage: Stage, journal: Any) -> None:
        numbers: dict[str, int] = {}

        def first() -> None:
            one = journal()

            def create() -> None:
                with one.transaction() as tx:
                    numbers["first"] = tx.number_returns({"R-1"}, {"R-1"})[0]["R-1"]
                    stage.tell("created")
                    stage.await_a_wait()
                    raise KeyError

            with pytest.raises(KeyError):
                create()
            one.close()

        def second() -> None:
            one = journal()
            stage.hear("created")
            with one.transaction() as tx:
                known, new = tx.number_returns({"R-1"}, {"R-1"})
                numbers["second"] = known["R-1"]
                assert new == {known["R-1"]}
                tx.number_batch(0)
            one.close()

        stage.together(first, second)
        assert numbers["second"] > numbers["first"]  # a number is used up, whatever becomes of its transaction

    def test_two_that_create_one_return_and_claim_one_label_find_one_owner(self, stage: Stage, journal: Any) -> None:
        found: list[tuple[int, int]] = []

        def first() -> None:
            one = journal()
            with one.transaction() as tx:
                number = tx.number_returns({"R-1"}, {"R-1"})[0]["R-1"]
                found.append((number, tx.claim_labels({"generic/T1": number})["generic/T1"]))
                tx.number_batch(0)
                stage.tell("created")
                stage.await_a_wait()
            one.close()

        def second() -> None:
            one = journal()
            stage.hear("created")
            with one.transaction() as tx:
                known, new = tx.number_returns({"R-1", "R-2"}, {"R-1", "R-2"})
                assert new == {known["R-2"]}
                found.append((known["R-1"], tx.claim_labels({"generic/T1": known["R-2"]})["generic/T1"]))
                tx.number_batch(0)
            one.close()

        stage.together(first, second)
        assert len(set(found)) == 1

    @staticmethod
    def rows_of(tx: Any, document: dict[str, Any], offset: int) -> list[HistoryRow]:
        [arrival] = items(document, first=offset)
        assert isinstance(arrival, Arrival)
        number = tx.number_returns({"R-1001"}, set())[0]["R-1001"]
        return decide(tx, [Placed(number, arrival)], tx.load({number}))[0]

    def test_two_that_append_to_one_return_collide_and_the_later_one_decides_anew(
        self, stage: Stage, journal: Any
    ) -> None:
        def first() -> None:
            one = journal()
            write(one, items(creation()), {})
            stage.tell("begun")
            with one.transaction() as tx:
                rows = self.rows_of(tx, event(DS, "ds", "10:00", return_id="R-1001", hub="akl1"), 1)
                assert tx.append(rows)
                tx.number_batch(1)
                stage.tell("appended")
                stage.await_a_wait()
            one.close()

        def second() -> None:
            one = journal()
            stage.hear("begun")
            stage.hear("appended")
            with one.transaction() as tx:
                rows = self.rows_of(tx, event(RP, "rp", "11:00", return_id="R-1001", hub="akl1"), 2)
                assert not tx.append(rows)
                assert tx.append_contested(rows) == {rows[0].return_no}
                rows = self.rows_of(tx, event(RP, "rp", "11:00", return_id="R-1001", hub="akl1"), 2)
                assert rows[0].entry.state.seq == 3
                assert tx.append_contested(rows) == set()
                tx.number_batch(1)
            one.close()

        stage.together(first, second)
        assert self.differences(stage) == []

    def test_two_that_wait_for_each_other_are_parted(self, stage: Stage, journal: Any) -> None:
        ended: list[str] = []

        def part(mine: str, other: str) -> Callable[[], None]:
            def play() -> None:
                one = journal()
                try:
                    with one.transaction() as tx:
                        tx.number_returns({mine}, {mine})
                        stage.tell(mine)
                        stage.hear(other)
                        tx.number_returns({other}, {other})
                        tx.number_batch(0)
                    ended.append("committed")
                except Retryable as error:
                    ended.append(error.cause)
                one.close()

            return play

        stage.together(part("R-1", "R-2"), part("R-2", "R-1"))
        assert sorted(ended) == ["committed", "deadlock"]

    def test_batches_are_numbered_in_the_order_of_commits(self, stage: Stage, journal: Any) -> None:
        def first() -> None:
            one = journal()
            with one.transaction() as tx:
                tx.number_returns({"R-1"}, {"R-1"})
                tx.number_batch(0)
                stage.tell("sealed")
                stage.await_a_wait()
                log = RelayLog(stage.url, LIMITS)
                assert log.end() == 0  # nobody sees it yet, and nobody sees a later one
                log.close()
            one.close()

        def second() -> None:
            one = journal()
            stage.hear("sealed")
            with one.transaction() as tx:
                tx.number_returns({"R-2"}, {"R-2"})
                tx.number_batch(0)
            log = RelayLog(stage.url, LIMITS)
            assert log.end() == 2
            assert log.batch_id(1) is not None
            assert log.batch_id(3) is None
            log.close()
            one.close()

        stage.together(first, second)

    def test_one_relay_leads_for_as_long_as_its_session_lasts(self, stage: Stage) -> None:
        def part() -> None:
            one, two = RelayLog(stage.url, LIMITS), RelayLog(stage.url, LIMITS)
            assert one.lead()
            assert not two.lead()
            one.close()
            eventually(two.lead, why="the server has not ended the session yet")
            two.close()

        stage.together(part)

    def test_the_log_is_read_in_slices_that_say_where_they_end(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            write(one, items(creation(), b"{", b"[", b"!", scan("COLLECTED", "10:00"), scan("NEW", "11:00")), {})
            write(one, items(event(RE, "re", "12:00", return_id="R-1001", hub="akl1", connote="CN-1"), first=9), {})
            log, told, position = RelayLog(stage.url, LIMITS), list[Any](), Position(0)
            while (piece := log.read(position)).position != position:
                told += [(row.verdict, row.reason, row.version, row.data is not None) for row in piece.rows]
                told += [letter.record().value for letter in piece.letters]
                position = piece.position
            assert told == [
                ("advanced", None, 1, False),
                ("advanced", None, 2, False),
                ("unmapped", "unknown_code", 2, True),
                b"{",
                b"[",
                ("held", "awaiting_processed", 2, True),
                b"!",  # the rest of the first batch, and the second one
            ]
            assert position.n == 2
            assert position.is_whole
            assert [each.version for each in log.told_before(position, 10)] == [2, 1]
            assert log.row_of("R-1001", 2) == (1, 1, 2)
            assert log.row_of("R-1001", 3) is None
            log.close()
            one.close()

        stage.together(part)

    def test_what_waits_is_placed_by_the_sweep_whichever_came_first(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            delivered = event("com.omnirps.connote.delivered.v1", "d", "15:00", connote="CN-1")
            write(one, items(scan("COLLECTED", "10:00"), delivered), {})
            assert len(write(one, items(scan("COLLECTED", "10:00"), first=5), {}).duplicates) == 1
            on_its_way = scan("IN_TRANSIT", "11:00")
            again = items(on_its_way, scan("COLLECTED", "10:00"), on_its_way, first=20)  # beside one that waits already
            assert sum(write(one, again, {}).duplicates.values()) == 2
            write(one, items(creation(), first=6), {})
            write(one, items(event(RP, "rp", "12:00", return_id="R-1001", hub="akl1"), first=7), {})
            write(one, items(event(RE, "re", "13:00", return_id="R-1001", hub="akl1", connote="CN-1"), first=8), {})
            assert self.differences(stage) != []
            outcome = sweep(one)
            assert outcome is not None
            assert outcome.recorded == 3
            while sweep(one) is not None:
                pass
            assert one.swept().upto == one.swept().newest == 7
            one.close()

        stage.together(part)
        assert self.differences(stage) == []

    def test_one_sweeps_at_a_time(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one, two = journal(), journal()
            write(one, items(creation()), {})
            with one.transaction() as tx:
                assert tx.begin_sweep(5, 5) is not None
                assert sweep(two) is None
            assert sweep(two) is not None
            one.close()
            two.close()

        stage.together(part)

    def test_another_message_at_the_place_of_a_letter_is_another_letter(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            assert len(write(one, items(b"{"), {}).letters_kept) == 1
            later = DeadLetter(replace(items(b"{")[0].record, timestamp=1_795_600_000_001), "not_json", "no")
            for again in ([later], items(b"["), items(b"", b"[")):  # the log was cut, and went on with these
                assert len(write(one, again, {}).letters_kept) == len(again)
                assert write(one, again, {}).letters_kept == []
            one.close()

        stage.together(part)

    def test_a_letter_is_buried_once_and_replayed_by_one(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            assert len(write(one, items(b"{", b"["), {}).letters_kept) == 2
            assert len(write(one, items(b"{", b"[", b"("), {}).letters_kept) == 1
            a, b = (MendingJournal(stage.url, TABLES) for _ in range(2))
            assert a.extent(Selection()).letters == 3
            last = a.extent(Selection()).last
            with a.transaction() as tx:
                [taken] = tx.take(Selection(), 0, last, 1)
                with b.transaction() as other:
                    assert [each.record().value for each in other.take(Selection(), 0, last, 5)] == [b"[", b"("]
                tx.resolve([taken.letter_no])
            assert a.extent(Selection()).letters == 2
            for each in (one, a, b):
                each.close()

        stage.together(part)

    def test_a_scan_is_mapped_once_its_code_is_known(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            write(one, items(creation(), scan("X9", "10:00")), {})
            with closing(MendingJournal(stage.url, glue._NEW_TABLES)) as scans:
                [mapped] = remap(scans, glue._NEW_TABLES, Order())
                assert (mapped.before, mapped.remapped, mapped.after) == (1, 1, 0)
                assert remap(scans, glue._NEW_TABLES, Order()) == []
            one.close()

        stage.together(part)

    def test_lists_and_figures_follow_the_history(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            other = creation("R-1002", tracking_number="TR-1001")
            write(one, items(creation(), other, scan("X9", "10:00"), scan("COLLECTED", "11:00")), {})
            search = PostgresSearch(stage.url, LIMITS)
            with search.transaction() as tx:
                assert tx.begin() == 0
                another = PostgresSearch(stage.url, LIMITS)
                assert advance(another) is None
                another.close()
            while search.progress()[0] < search.progress()[1]:
                advance(search)
            write(one, items(event(DS, "ds", "12:00", return_id="R-1001", hub="akl1"), first=9), {})
            advance(search)
            assert search.progress() == (2, 2)
            search.close()
            one.close()

        stage.together(part)
        assert self.differences(stage) == []

    def test_two_batches_in_one_transaction_see_what_they_wrote(self, stage: Stage, journal: Any) -> None:
        def part() -> None:
            one = journal()
            with one.transaction() as tx:
                outcome = take_in(tx, items(creation(), creation(), scan("DELIVERED", "10:00")))
            assert sum(outcome.duplicates.values()) == 1
            assert {verdict for _, verdict in outcome.verdicts} == {Verdict.ADVANCED}
            one.close()

        stage.together(part)
        assert self.differences(stage) == []

    @staticmethod
    def differences(stage: Stage) -> list[str]:
        found: list[str] = []

        def part() -> None:
            with open_histories(stage.url) as histories:
                verify(histories, found)

        stage.together(part)
        return found
