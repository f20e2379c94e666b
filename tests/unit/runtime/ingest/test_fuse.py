from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.runtime.ingest.fuse import Fuse

A, B = ("in", 0), ("in", 1)


def feed(fuse: Fuse, verdicts: list[bool], first: int = 0) -> None:
    for offset, invalid in enumerate(verdicts, start=first):
        fuse.feed(A, offset, invalid=invalid)


@given(verdicts=st.lists(st.booleans(), max_size=60), run=st.integers(1, 12), ratio=st.sampled_from((0.5, 0.9, 1.0)))
def test_is_blown_where_the_last_run_of_records_has_that_share_of_invalid_ones(
    verdicts: list[bool], run: int, ratio: float
) -> None:
    fuse = Fuse(run, ratio)

    feed(fuse, verdicts)

    # What was before the first record counts as valid.
    assert fuse.is_blown(A) == (sum(verdicts[-run:]) / run >= ratio - 1e-9)
    assert not fuse.is_blown(B)


@given(verdicts=st.lists(st.booleans(), max_size=40), again=st.integers(0, 40), run=st.integers(1, 10))
def test_records_that_come_again_are_not_counted_again(verdicts: list[bool], again: int, run: int) -> None:
    once, twice = Fuse(run, 0.9), Fuse(run, 0.9)

    feed(once, verdicts)
    feed(twice, verdicts)
    feed(twice, verdicts[again:], first=min(again, len(verdicts)))

    assert once.is_blown(A) == twice.is_blown(A)


def test_a_batch_that_is_read_again_and_again_blows_no_fuse_that_it_did_not_blow_at_first() -> None:
    fuse = Fuse(4, 1.0)
    for _ in range(3):
        feed(fuse, [True, True, True])
        assert not fuse.is_blown(A)

    feed(fuse, [True], first=3)
    assert fuse.is_blown(A)


def test_a_partition_that_another_owner_had_starts_anew_even_at_lower_offsets() -> None:
    fuse = Fuse(3, 1.0)
    feed(fuse, [True] * 3, first=100)
    assert fuse.is_blown(A)

    fuse.forget(A)

    assert not fuse.is_blown(A)
    feed(fuse, [True] * 3)
    assert fuse.is_blown(A)
