"""Which leader epoch the record before an offset was written in, of what was fetched."""

from __future__ import annotations

from service.adapters.kafka.epochs import UNKNOWN, Epochs

A, B = ("in", 0), ("in", 1)


def test_the_epoch_is_that_of_the_record_before_the_offset() -> None:
    epochs = Epochs()
    for offset, epoch in ((0, 3), (10, 3), (20, 4), (30, 6)):
        epochs.note(A, offset, epoch)

    assert [epochs.before(A, offset) for offset in (1, 20, 21, 30, 31, 99)] == [3, 3, 4, 4, 6, 6]
    assert epochs.before(B, 5) == UNKNOWN


def test_what_is_sought_with_its_epoch_has_it_until_more_is_fetched() -> None:
    epochs = Epochs()
    epochs.note(A, 0, 3)

    epochs.begin(A, 50, 4)
    assert epochs.before(A, 50) == 4
    epochs.note(A, 50, 5)

    assert [epochs.before(A, offset) for offset in (50, 51)] == [4, 5]


def test_of_what_is_sought_without_one_nothing_is_known_before_it_is_fetched() -> None:
    # An older one would be taken for a log that was cut.
    epochs = Epochs()
    epochs.note(A, 0, 3)

    epochs.begin(A, 50, UNKNOWN)
    assert epochs.before(A, 50) == UNKNOWN
    epochs.note(A, 50, 5)

    assert epochs.before(A, 50) == UNKNOWN
    assert epochs.before(A, 51) == 5


def test_no_more_is_remembered_than_may_be_asked_for() -> None:
    epochs = Epochs()
    for epoch in range(1000):
        epochs.note(A, epoch * 10, epoch)
        epochs.before(A, epoch * 10 + 1)
    assert len(epochs._runs[A]) == 1

    epochs.forget(A)

    assert epochs.before(A, 10_000) == UNKNOWN
