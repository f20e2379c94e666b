"""A position is believed that belongs to this journal and to what stands in the topics, and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from service.application.journal.belief import believe, first_position
from service.application.journal.publish import Outgoing, Reconciled, Tail, Told
from service.application.journal.slices import Position, RowKey, Slice
from service.errors import Refused

CHANGES = ((1, "R-1", 1), (2, "R-2", 1), (3, "R-1", 2), (4, "R-3", 1))  # batch, return and version of each row
PARTITION = {"R-1": 0, "R-2": 1, "R-3": 0}
NUMBER = {"R-1": 11, "R-2": 12, "R-3": 13}


def at(n: int, batch_id: str | None = None) -> Position:
    return Position(n, batch_id=(f"batch-{n}" if n else "") if batch_id is None else batch_id)


class Log:
    """`BatchLog` of CHANGES, one a batch."""

    def __init__(self, reconciled: Reconciled | None = None) -> None:
        self.was_reconciled = reconciled
        self.looked_back: list[int] = []

    def end(self) -> int:
        return 4

    def batch_id(self, n: int) -> str | None:
        return f"batch-{n}"

    def told_before(self, position: Position, limit: int) -> Sequence[Told]:
        self.looked_back.append(limit)
        return [Told(id_, version, (n, NUMBER[id_], 1)) for n, id_, version in reversed(CHANGES) if n <= position.n]

    def row_of(self, return_id: str, version: int) -> RowKey | None:
        return next(((n, NUMBER[id_], 1) for n, id_, number in CHANGES if (id_, number) == (return_id, version)), None)

    def reconciled(self, position: Position) -> Reconciled | None:
        done = self.was_reconciled
        return done if done is not None and done.n <= position.n else None

    def lead(self) -> bool:
        raise NotImplementedError

    def ping(self) -> None:
        raise NotImplementedError

    def read(self, position: Position) -> Slice:
        raise NotImplementedError

    def wait(self, n: int, seconds: float) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Topics:
    """`Sink` with these last changes in the partitions of the status changes."""

    def __init__(
        self, tails: Mapping[int, Tail], begins: Mapping[int, int] | None = None, *, empty: bool = False
    ) -> None:
        self._tails, self._begins, self._empty = tails, begins or {}, empty

    def is_empty(self) -> bool:
        return self._empty

    def tails(self) -> Mapping[int, Tail]:
        return self._tails

    def begins(self) -> Mapping[int, int]:
        return self._begins

    def partition(self, return_id: str) -> int:
        return PARTITION[return_id]

    def topic_id(self) -> str:
        return "topic"

    def position(self) -> Position | None:
        raise NotImplementedError

    def publish(self, messages: Sequence[Outgoing], position: Position | None) -> None:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


ALL = {0: Tail(9, "R-3", 1), 1: Tail(4, "R-2", 1)}
THREE = {0: Tail(8, "R-1", 2), 1: Tail(4, "R-2", 1)}


@pytest.mark.parametrize(
    ("position", "tails"),
    (
        (at(0), {}),
        (at(1), {0: Tail(7, "R-1", 1)}),
        (at(2), {0: Tail(7, "R-1", 1), 1: Tail(4, "R-2", 1)}),
        (at(3), THREE),
        (at(4), ALL),
    ),
)
def test_a_position_is_believed_up_to_which_everything_stands_in_the_topics(
    position: Position, tails: Mapping[int, Tail]
) -> None:
    log = Log()

    believe(position, log, Topics(tails))

    assert log.looked_back == [2000]


@pytest.mark.parametrize(
    ("position", "tails", "why"),
    (
        (at(5), ALL, "^Kafka says that batch 5 is published, but the journal ends at 4"),
        (at(4, "another"), ALL, "^batch 4 of this journal is not the batch 4 that was published"),
        (at(4, ""), ALL, "^batch 4 of this journal is not"),
        (at(3), ALL, "^version 1 of R-3 stands in partition 0 .* no more than batch 3 is published"),
        (at(0), ALL, "stands in partition 0 .* no more than batch 0"),
        (at(4), ALL | {0: Tail(9, "R-9", 1)}, "^version 1 of R-9 .* and this journal never said it"),
        (at(4), ALL | {1: Tail(9, "R-2", 2)}, "^version 2 of R-2 stands in partition 1 .* never said it"),
        (at(4), THREE, "^the position says that batch 4 .* version 1 of R-3 is not the last change in partition 0"),
        (at(4), {0: ALL[0]}, "version 1 of R-2 is not the last change in partition 1"),
        (at(4), {}, "version 1 of R-3 is not the last change in partition 0"),
        (at(1), {}, "version 1 of R-1 is not the last change in partition 0"),
    ),
)
def test_a_position_of_another_journal_or_topic_is_refused_with_what_mends_it(
    position: Position, tails: Mapping[int, Tail], why: str
) -> None:
    with pytest.raises(Refused, match=why) as caught:
        believe(position, Log(), Topics(tails))

    assert "returns-status reconcile" in str(caught.value)


def test_in_the_middle_of_a_batch_what_stands_is_compared_by_the_row() -> None:
    with pytest.raises(Refused, match="no more than batch 4 is published"):
        believe(Position.with_history(4, 3, 1, 0)._replace(batch_id="batch-4"), Log(), Topics(ALL))
    believe(Position.with_history(4, 13, 1, 0)._replace(batch_id="batch-4"), Log(), Topics(ALL))


@pytest.mark.parametrize(("begin", "is_believed"), ((0, False), (1, True)))
def test_a_partition_of_which_retention_took_everything_is_no_loss(begin: int, is_believed: bool) -> None:
    topics = Topics({0: ALL[0]}, {1: begin})

    if is_believed:
        believe(at(4), Log(), topics)
    else:
        with pytest.raises(Refused, match="in partition 1"):
            believe(at(4), Log(), topics)
    # What stands there is looked at whatever was deleted before it.
    with pytest.raises(Refused, match="in partition 0"):
        believe(at(4), Log(), Topics(THREE, {0: 5}))
    # And so is every other partition.
    with pytest.raises(Refused, match="in partition 1"):
        believe(at(4), Log(), Topics({}, {0: 5}))


def test_what_stood_there_when_subscribers_were_reconciled_may_be_of_a_journal_that_is_no_more() -> None:
    foreign = {0: Tail(9, "R-9", 7), 1: Tail(4, "R-9", 8)}

    believe(at(4), Log(Reconciled(4, {"topic": [10, 5]})), Topics(foreign))
    for ends in ([9, 5], [10, 4], [10]):
        with pytest.raises(Refused, match="never said it"):
            believe(at(4), Log(Reconciled(4, {"topic": ends})), Topics(foreign))
    with pytest.raises(Refused, match="never said it"):
        believe(at(4), Log(Reconciled(4, {"a topic of before": [10, 5]})), Topics(foreign))


def test_what_was_told_since_then_has_to_stand_there() -> None:
    reconciled = Reconciled(3, {"topic": [8, 5]})

    believe(at(4), Log(reconciled), Topics({0: ALL[0], 1: Tail(4, "R-9", 8)}))
    with pytest.raises(Refused, match="version 1 of R-3 is not the last change in partition 0"):
        believe(at(4), Log(reconciled), Topics({1: Tail(4, "R-9", 8)}))


def test_a_relay_begins_at_the_beginning_only_where_nothing_was_published_yet() -> None:
    assert first_position(Topics({}, empty=True)) == Position(0)
    with pytest.raises(Refused, match=r"gone from Kafka.*returns-status reconcile"):
        first_position(Topics({}))
