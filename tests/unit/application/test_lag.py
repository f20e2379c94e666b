from __future__ import annotations

from service.application.lag import Lag, lag_by_topic, own
from service.application.ports import Bounds, Stored


def test_a_topic_lags_by_what_its_partitions_lag_by() -> None:
    bounds = {("a", 0): Bounds(0, 10), ("a", 1): Bounds(4, 20), ("b", 0): Bounds(3, 3)}

    lags = lag_by_topic(["a", "b"], bounds, {("a", 0): 7, ("a", 1): 20})

    assert lags == [Lag("a", 3), Lag("b", 0)]


def test_a_partition_that_nobody_has_read_lags_by_all_that_is_left_in_it() -> None:
    assert lag_by_topic(["a"], {("a", 0): Bounds(5, 12)}, {}) == [Lag("a", 7)]


def test_what_kafka_has_deleted_does_not_count() -> None:
    assert lag_by_topic(["a"], {("a", 0): Bounds(50, 60)}, {("a", 0): 10}) == [Lag("a", 10)]


def test_a_topic_that_was_made_anew_lags_by_nothing_below_zero() -> None:
    assert lag_by_topic(["a"], {("a", 0): Bounds(0, 2)}, {("a", 0): 100}) == [Lag("a", 0)]


def test_what_is_not_known_is_not_nothing() -> None:
    assert lag_by_topic(["a", "b"], None, {}) == [Lag("a", None), Lag("b", None)]
    assert lag_by_topic(["a"], {}, {}) == [Lag("a", None)]


def test_an_offset_of_a_topic_that_was_deleted_says_nothing_of_the_one_that_has_its_name_now() -> None:
    stored = {("a", 0): Stored(7, b"old"), ("b", 0): Stored(8, b"id"), ("c", 0): Stored(9), ("d", 0): Stored(10, b"id")}

    assert own(stored, {"a": b"new", "b": b"id", "c": b"id"}) == {("b", 0): 8, ("c", 0): 9, ("d", 0): 10}


def test_a_topic_whose_id_is_not_known_keeps_its_offsets() -> None:
    assert own({("a", 0): Stored(7, b"old")}, {}) == {("a", 0): 7}
    assert own({("a", 0): Stored(7, b"old")}, {"a": None}) == {("a", 0): 7}


def test_an_offset_before_the_beginning_or_behind_the_end_counts_as_those() -> None:
    bounds = {("a", 0): Bounds(5, 12), ("a", 1): Bounds(0, 1)}

    assert lag_by_topic(["a"], bounds, {("a", 0): 5, ("a", 1): 2}) == [Lag("a", 7)]
    assert lag_by_topic(["a"], bounds, {("a", 0): 4, ("a", 1): 0}) == [Lag("a", 8)]


def test_a_prefix_lags_by_all_of_its_topics() -> None:
    bounds = {("a.x", 0): Bounds(0, 5), ("a.y", 0): Bounds(0, 3), ("b", 0): Bounds(0, 1)}

    assert lag_by_topic(["a.*", "c.*", "b"], bounds, {("a.x", 0): 1}) == [Lag("a.*", 7), Lag("c.*", 0), Lag("b", 1)]
