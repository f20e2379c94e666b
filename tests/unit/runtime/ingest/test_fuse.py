"""When letters become thin: counted by source, by the partition where none can be read, and never for anybody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.runtime.ingest.fuse import MOST_SOURCES, Fuse

A, B = ("in", 0), ("in", 1)
HUB = "/hubs/akl-1"
VERDICTS = st.lists(st.booleans(), max_size=60)


def feed(fuse: Fuse, verdicts: list[bool], first: int = 0, source: str | None = HUB) -> None:
    for offset, invalid in enumerate(verdicts, start=first):
        fuse.feed(A, offset, source, invalid=invalid)


@given(verdicts=VERDICTS, run=st.integers(1, 12), ratio=st.sampled_from((0.5, 0.9, 1.0)), named=st.booleans())
def test_is_blown_where_the_last_run_of_records_has_that_share_of_invalid_ones(
    verdicts: list[bool], run: int, ratio: float, *, named: bool
) -> None:
    fuse, source = Fuse(run, ratio), HUB if named else None

    feed(fuse, verdicts, source=source)

    # What was before the first record counts as valid.
    assert fuse.is_blown(A, source) == (sum(verdicts[-run:]) / run >= ratio - 1e-9)
    assert not fuse.is_blown(B, None)
    assert fuse.blown == ({A} if fuse.is_blown(A, source) else set())


@given(verdicts=st.lists(st.booleans(), max_size=40), again=st.integers(0, 40), run=st.integers(1, 10))
def test_records_that_come_again_are_not_counted_again(verdicts: list[bool], again: int, run: int) -> None:
    once, twice = Fuse(run, 0.9), Fuse(run, 0.9)

    feed(once, verdicts)
    feed(twice, verdicts)
    feed(twice, verdicts[again:], first=min(again, len(verdicts)))

    assert once.is_blown(A, HUB) == twice.is_blown(A, HUB)


def test_a_batch_that_is_read_again_and_again_blows_no_fuse_that_it_did_not_blow_at_first() -> None:
    fuse = Fuse(4, 1.0)
    for _ in range(3):
        feed(fuse, [True, True, True])
        assert not fuse.is_blown(A, HUB)

    feed(fuse, [True], first=3)
    assert fuse.is_blown(A, HUB)


def test_a_partition_that_another_owner_had_starts_anew_even_at_lower_offsets() -> None:
    fuse = Fuse(3, 1.0)
    feed(fuse, [True] * 3, first=100)
    assert fuse.is_blown(A, HUB)

    fuse.forget(A)

    assert not fuse.is_blown(A, HUB)
    assert not fuse.blown
    assert not fuse.is_watching
    feed(fuse, [True] * 3)
    assert fuse.is_blown(A, HUB)


def test_a_source_is_counted_over_all_partitions_that_it_comes_in() -> None:
    fuse = Fuse(4, 1.0)
    for offset in range(2):
        fuse.feed(A, offset, HUB, invalid=True)
        fuse.feed(B, offset, HUB, invalid=True)

    assert fuse.is_blown(A, HUB)
    assert fuse.is_blown(B, HUB)
    assert fuse.blown == {A, B}
    fuse.feed(("in", 2), 0, HUB, invalid=True)
    assert fuse.blown == {A, B, ("in", 2)}


def test_a_source_counts_anew_in_the_partitions_that_are_left_and_says_so() -> None:
    fuse = Fuse(2, 1.0)
    fuse.feed(A, 0, HUB, invalid=True)
    fuse.feed(B, 0, HUB, invalid=True)
    feed(fuse, [True] * 2, 1, None)
    assert fuse.blown == {A, B}

    fuse.forget(A)

    assert not fuse.is_blown(B, HUB)
    assert fuse.mended == {HUB}  # of A itself its new owner says so


def test_one_source_blows_no_others_fuse_and_not_that_of_what_names_none() -> None:
    fuse = Fuse(3, 1.0)
    feed(fuse, [True] * 9)

    assert not fuse.is_blown(A, "/hubs/syd-1")
    assert not fuse.is_blown(A, None)
    feed(fuse, [True] * 3, 9, None)
    assert fuse.is_blown(A, None)
    assert not fuse.is_blown(B, None)


def test_is_whole_again_once_enough_valid_records_came_and_says_so_once() -> None:
    fuse = Fuse(4, 0.75)
    feed(fuse, [True] * 5)
    feed(fuse, [False], 5)
    assert fuse.is_blown(A, HUB)
    assert not fuse.mended

    feed(fuse, [False], 6)

    assert not fuse.is_blown(A, HUB)
    assert not fuse.blown
    assert fuse.mended == {HUB}


def test_what_names_no_source_is_held_against_all_that_is_valid_in_its_partition() -> None:
    fuse = Fuse(4, 1.0)
    for offset in range(0, 100, 2):
        fuse.feed(A, offset, None, invalid=True)
        fuse.feed(A, offset + 1, HUB, invalid=False)

    assert not fuse.is_blown(A, None)


def test_a_source_that_sends_nothing_but_valid_records_any_more_is_not_watched() -> None:
    fuse = Fuse(4, 1.0)
    feed(fuse, [True, False, False, False])
    assert fuse.is_watching

    feed(fuse, [False], 4)

    assert not fuse.is_watching


def test_so_many_sources_are_counted_and_what_more_there_are_count_to_their_partition() -> None:
    fuse = Fuse(3, 1.0)
    for number in range(10 * MOST_SOURCES):
        fuse.feed(A, number, f"/made-up/{number}", invalid=True)

    assert len(fuse._windows) == MOST_SOURCES + 1
    assert fuse.is_blown(A, "/made-up/never")
    assert not fuse.is_blown(A, "/made-up/1")


def test_a_source_that_is_not_watched_any_more_makes_room_for_one_other() -> None:
    fuse = Fuse(2, 1.0)
    for number in range(MOST_SOURCES):
        fuse.feed(A, number, f"/made-up/{number}", invalid=True)
    feed(fuse, [False, False], MOST_SOURCES, "/made-up/0")

    feed(fuse, [True, True], MOST_SOURCES + 2, "/one")
    assert (fuse.is_blown(A, "/one"), fuse.is_blown(A, None)) == (True, False)

    feed(fuse, [True, True], MOST_SOURCES + 4, "/another")
    assert fuse.is_blown(A, None)  # that one is counted to the partition
