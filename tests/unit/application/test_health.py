"""How far behind everything is, by what servers said and when; never 0 where it is not known."""

from __future__ import annotations

from service.application.health import (
    FRESH_SECONDS,
    CursorFacts,
    CursorLag,
    InputLag,
    PartitionLag,
    ReaderLag,
    standing,
)
from service.application.ports import Bounds, Stored

A, B = ("scans", 0), ("scans", 1)
NOW = 1_795_000_000.0  # the time of day, where it does not matter
NONE = PartitionLag(0, 0.0, 0.0, 0)


class Seen(InputLag):
    """One partition whose ends and stored offset are told together."""

    def both(self, end: int, stored: int, at: float, begin: int = 0) -> None:
        self.stored_said({A: Stored(stored)}, at)
        self.ends_said({A: Bounds(begin, end)}, at)

    def at(self, at: float, now: float = NOW) -> PartitionLag:
        return self.lags(at, now)[A]


class TestInputLag:
    def test_without_anything_waiting_it_is_nothing(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)

        assert lag.at(101) == NONE
        assert lag.is_known(101)

    def test_what_came_while_it_was_looked_at_waits_since_then(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        lag.both(15, 10, at=102)
        lag.both(20, 10, at=104)

        assert lag.at(105) == PartitionLag(10, 3.0, 3.0, 0)
        lag.both(20, 16, at=106)
        assert lag.at(107) == PartitionLag(4, 3.0, 1.0, 0)

    def test_seconds_grow_while_nothing_is_known_though_nothing_waited_at_last(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)

        assert not lag.is_known(100 + FRESH_SECONDS)
        assert lag.at(130) == PartitionLag(0, 30.0, 30.0, 0)

    def test_with_the_database_away_it_still_sees_what_comes(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        for second in range(102, 130, 2):
            lag.ends_said({A: Bounds(0, 10 if second < 110 else 12)}, second)

        assert lag.at(130) == PartitionLag(2, 20.0, 130 - 106, 0)  # it was clear up to 106, when its word was fresh
        assert not lag.is_known(130)

    def test_with_the_database_away_from_the_start_it_says_no_number(self) -> None:
        lag = Seen()
        lag.ends_said({A: Bounds(0, 10)}, 100)

        assert lag.at(105) == PartitionLag(None, 5.0, 5.0, 0)

    def test_without_progress_goes_on_through_retries_and_ends_with_a_move(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        for second in range(102, 400, 2):
            lag.both(10, 5, at=second)
        assert lag.at(400).standing == 300

        lag.both(10, 6, at=400)
        assert lag.at(401).standing == 1

    def test_an_offset_that_goes_back_is_no_progress(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        lag.both(10, 4, at=150)

        assert lag.at(160) == PartitionLag(6, 60.0, 60.0, 0)

    def test_a_backlog_from_before_waits_since_kafkas_timestamp(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        assert lag.heads_wanted(100, 8) == {A: 5}

        lag.heads_said({A: (5, int((NOW - 3600) * 1000))}, 100, NOW)

        assert lag.at(101, NOW + 1).seconds == 3601
        assert lag.heads_wanted(101, 8) == {}

    def test_a_timestamp_that_cannot_be_is_not_believed(self) -> None:
        for milliseconds in (-1, 0, int(NOW), int((NOW + 60) * 1000), 2**63 - 1, -(2**63), None):
            lag = Seen()
            lag.both(10, 5, at=100)

            lag.heads_said({A: (5, milliseconds)}, 100, NOW)

            assert lag.at(107).seconds == 7

    def test_a_head_that_moved_is_looked_up_again_after_a_while(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        lag.heads_said({A: (5, None)}, 100, NOW)
        lag.both(10, 6, at=101)

        assert lag.heads_wanted(102, 8) == {}
        assert lag.heads_wanted(111, 8) == {A: 6}

    def test_what_came_under_its_eyes_needs_no_timestamp(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        lag.both(15, 10, at=102)

        assert lag.heads_wanted(103, 8) == {}

    def test_a_partition_that_nobody_ever_read_lags_by_all_that_is_in_it(self) -> None:
        lag = InputLag()
        lag.stored_said({A: Stored(3)}, 100)
        lag.ends_said({A: Bounds(0, 3), B: Bounds(2, 9)}, 100)

        assert lag.lags(101, NOW) == {A: NONE, B: PartitionLag(7, 1.0, 1.0, 0)}

    def test_what_kafka_deleted_unread_is_counted(self) -> None:
        lag = Seen()
        lag.both(30, 5, at=100, begin=20)

        assert lag.at(100) == PartitionLag(10, 0.0, 0.0, 15)

    def test_an_offset_that_goes_back_from_an_end_that_nobody_saw_it_reach_is_told_with_what_waits(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        lag.ends_said({A: Bounds(0, 20)}, 102)
        lag.stored_said({A: Stored(20)}, 112)  # Kafka has not answered since
        lag.stored_said({A: Stored(15)}, 113)

        assert lag.at(114).records == 5

    def test_a_topic_made_anew_begins_anew_and_one_that_went_is_forgotten(self) -> None:
        lag = Seen()
        lag.both(1000, 1000, at=100)
        lag.both(3, 0, at=110)
        assert lag.at(111) == PartitionLag(3, 1.0, 1.0, 0)

        lag.ends_said({}, 112)
        assert lag.lags(112, NOW) == {}

    def test_its_memory_has_a_bound_and_the_oldest_is_what_it_keeps(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=0)
        for second in range(1, 5000):
            lag.both(10 + second, 10, at=second)

        assert lag.at(5000).seconds == 4999
        assert len(lag._stands[A].arrivals) <= 257


class TestCursorLag:
    def test_never_heard_of_is_not_known(self) -> None:
        assert CursorLag().lag(100) == ReaderLag(None, None, None)

    def test_behind_it_is_as_old_as_the_server_says_and_older_by_the_second(self) -> None:
        lag = CursorLag()
        lag.said(50, CursorFacts(40, 12.5), at=100)

        assert lag.lag(104) == ReaderLag(10, 16.5, 4)

    def test_up_to_date_it_is_0_only_as_long_as_it_is_known(self) -> None:
        lag = CursorLag()
        lag.said(50, CursorFacts(50, None), at=100)

        assert lag.lag(104) == ReaderLag(0, 0, 0)
        assert lag.lag(130) == ReaderLag(0, 30, 30)

    def test_standing_still_counts_from_the_last_move(self) -> None:
        lag = CursorLag()
        lag.said(50, CursorFacts(50, None), at=100)
        for second in range(102, 120, 2):
            lag.said(60, CursorFacts(50, second - 101), at=second)
        assert lag.lag(120).standing == 20

        lag.said(60, CursorFacts(55, 1.0), at=122)
        assert lag.lag(123).standing == 1


def test_a_partition_with_younger_records_than_those_that_move_has_to_wait_and_does_not_stand_still() -> None:
    moving, waiting, stuck = PartitionLag(5, 500, 1, 0), PartitionLag(5, 100, 60, 0), PartitionLag(5, 900, 60, 0)

    assert standing({A: moving, B: waiting}) == []
    assert standing({A: moving, B: stuck}) == [B]
    assert standing({A: NONE, B: waiting}) == [B]


def test_a_partition_stands_still_where_nothing_moves_however_late_the_first_of_what_waits_came() -> None:
    just_come = PartitionLag(5, 0.5, 60, 0)

    assert standing({A: NONE, B: just_come}) == [B]


class TestTheEdges:
    def test_an_answer_is_one_until_it_is_so_old(self) -> None:
        lag, cursor = Seen(), CursorLag()
        lag.stored_said({A: Stored(10)}, 100)
        lag.ends_said({A: Bounds(0, 10)}, 103)
        cursor.said(5, CursorFacts(5, None), 100)

        assert [lag.is_known(at) for at in (107.9, 108.0)] == [True, False]
        assert [cursor.is_known(at) for at in (107.9, 108.0)] == [True, False]
        assert not CursorLag().is_known(0.0)
        assert not InputLag().is_known(0.0)

    def test_so_many_heads_are_looked_up_at_a_time_those_first_that_were_longest_ago(self) -> None:
        lag, offsets = InputLag(), {(topic, n): Stored(1) for topic in ("a", "b") for n in (0, 1)}
        lag.stored_said(offsets, 100)
        lag.ends_said(dict.fromkeys(offsets, Bounds(0, 9)), 100)
        assert lag.heads_wanted(100, 3) == {("a", 0): 1, ("a", 1): 1, ("b", 0): 1}

        lag.heads_said({("a", 0): (1, None), ("b", 1): (1, None)}, 100, NOW)
        lag.heads_said({("gone", 0): (1, None)}, 100, NOW)
        lag.stored_said(dict.fromkeys(offsets, Stored(2)), 104)

        assert lag.heads_wanted(109.9, 9) == {("a", 1): 2, ("b", 0): 2}
        assert lag.heads_wanted(110.0, 3) == {("a", 1): 2, ("b", 0): 2, ("a", 0): 2}
        assert list(lag.heads_wanted(110.0, 9)) == [("a", 1), ("b", 0), ("a", 0), ("b", 1)]

    def test_a_head_is_not_wanted_where_nothing_waits_or_it_is_known(self) -> None:
        lag = Seen()
        lag.both(10, 9, at=100)
        assert lag.heads_wanted(100, 8) == {A: 9}
        lag.heads_said({A: (9, None)}, 100, NOW)
        assert lag.heads_wanted(200, 8) == {}
        lag.both(10, 10, at=201)
        assert lag.heads_wanted(300, 8) == {}
        assert InputLag().heads_wanted(100, 8) == {}

    def test_a_timestamp_is_believed_from_the_year_2000_up_to_now(self) -> None:
        for seconds, waited in ((946_684_800.0, NOW - 946_684_800.0), (NOW, 7.0), (946_684_799.9, 7.0), (NOW + 1, 7.0)):
            lag = Seen()
            lag.both(10, 5, at=100)
            lag.heads_said({A: (5, int(seconds * 1000))}, 100, NOW)

            assert lag.at(107).seconds == waited

    def test_a_backlog_waits_at_least_as_long_as_it_was_looked_at(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        lag.heads_said({A: (5, int((NOW - 3) * 1000))}, 100, NOW)

        assert lag.at(107, NOW).seconds == 7

    def test_what_was_there_and_what_came_later_wait_each_since_it_came(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        lag.both(20, 5, at=102)
        lag.both(30, 5, at=104)
        assert lag.at(110).seconds == 10

        for stored, seconds in ((9, 10), (10, 8), (19, 8), (20, 6), (29, 6)):
            lag.both(30, stored, at=110)
            assert lag.at(110).seconds == seconds

    def test_what_was_reached_before_anybody_knew_the_offset_waits_no_more(self) -> None:
        lag = Seen()
        lag.ends_said({A: Bounds(0, 10)}, 100)
        lag.ends_said({A: Bounds(0, 15)}, 102)
        lag.stored_said({A: Stored(15)}, 103)
        lag.ends_said({A: Bounds(0, 20)}, 104)

        assert lag.at(105) == PartitionLag(5, 1.0, 2.0, 0)

    def test_what_is_to_be_read_again_waits_since_nothing_did(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        lag.ends_said({A: Bounds(0, 20)}, 102)
        lag.stored_said({A: Stored(20)}, 112)  # so late that nobody knows whether that is the end
        lag.both(20, 15, at=113)

        assert lag.at(400) == PartitionLag(5, 300.0, 288.0, 0)

    def test_the_very_first_record_waits_since_it_came(self) -> None:
        lag = Seen()
        lag.both(0, 0, at=100)
        lag.both(1, 0, at=102)
        lag.both(3, 0, at=104)

        assert lag.at(105).seconds == 3

    def test_a_partition_that_lost_its_end_begins_anew_and_one_that_did_not_goes_on(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        lag.ends_said({A: Bounds(0, 10)}, 102)
        assert lag.at(103).standing == 3

        lag.ends_said({A: Bounds(0, 9)}, 104)

        assert lag.at(105) == PartitionLag(4, 1.0, 1.0, 0)

    def test_what_is_deleted_before_it_was_read_is_progress_of_a_kind_and_told(self) -> None:
        lag = Seen()
        lag.both(10, 5, at=100)
        lag.both(10, 5, at=105, begin=7)

        assert lag.at(107) == PartitionLag(3, 7.0, 2.0, 2)

    def test_offsets_of_a_topic_that_was_made_anew_are_none(self) -> None:
        lag = InputLag()
        lag.stored_said({A: Stored(8, b"old")}, 100)
        lag.ends_said({A: Bounds(0, 10)}, 100, {"scans": b"new"})

        assert lag.lags(100, NOW)[A].records == 10
        lag.ends_said({A: Bounds(0, 10)}, 101, {"scans": b"old"})
        assert lag.lags(101, NOW)[A].records == 2

    def test_lags_come_in_the_order_of_partitions(self) -> None:
        lag = InputLag()
        lag.ends_said({B: Bounds(0, 1), A: Bounds(0, 1)}, 100)

        assert list(lag.lags(100, NOW)) == [A, B]

    def test_it_was_clear_when_both_were_fresh_and_not_by_an_old_word(self) -> None:
        lag = Seen()
        lag.both(10, 10, at=100)
        lag.ends_said({A: Bounds(0, 10)}, 107)
        lag.ends_said({A: Bounds(0, 10)}, 109)

        assert lag.at(109) == PartitionLag(0, 2.0, 2.0, 0)

    def test_a_cursor_that_is_behind_by_nothing_known_is_as_old_as_its_word(self) -> None:
        lag = CursorLag()
        lag.said(50, CursorFacts(51, None), at=100)
        assert lag.lag(104) == ReaderLag(0, 0.0, 0.0)
        lag.said(52, CursorFacts(51, None), at=104)
        assert lag.lag(106) == ReaderLag(1, 2.0, 6.0)

    def test_a_cursor_at_the_end_is_clear_then_though_the_next_batch_came_since(self) -> None:
        lag = CursorLag()
        lag.said(50, CursorFacts(50, None), at=100)
        lag.said(50, CursorFacts(50, None), at=104)
        lag.said(51, CursorFacts(50, 1.0), at=106)

        assert lag.lag(107) == ReaderLag(1, 2.0, 3.0)

    def test_where_a_cursor_that_was_never_clear_stands_is_counted_from_its_last_move(self) -> None:
        lag = CursorLag()
        lag.said(50, CursorFacts(40, 1.0), at=100)
        lag.said(50, CursorFacts(40, 3.0), at=102)
        assert lag.lag(103) == ReaderLag(10, 4.0, 3.0)
        lag.said(50, CursorFacts(39, 3.0), at=104)
        assert lag.lag(105).standing == 5.0

    def test_a_partition_stands_still_from_ten_seconds_on_and_with_the_oldest_of_what_moves(self) -> None:
        def stands(*lags: tuple[float, float]) -> list[int]:
            found = {("t", n): PartitionLag(5, seconds, quiet, 0) for n, (seconds, quiet) in enumerate(lags)}
            return [number for _, number in standing(found)]

        assert stands((100, 9.9)) == []
        assert stands((100, 10.0)) == [0]
        assert stands((100, 60), (100, 1)) == [0]
        assert stands((99, 60), (100, 1)) == []
        assert stands((99, 60), (100, 60)) == [0, 1]
        assert stands((99, 60), (100, 10.0)) == [0, 1]
        assert standing({A: PartitionLag(None, 100, 60, 0), B: PartitionLag(0, 100, 60, 0)}) == []
