"""What a worker has, in any order of gains, losses, holds and failures."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.application.ports import DeadLetter, Item, Partition
from service.runtime.ingest.assignment import Assignment, ends_of, partition_of
from service.wire.record import Record

A, B, C = ("in", 0), ("in", 1), ("other", 0)
PARTITIONS = st.sets(st.sampled_from((A, B, C)))


def items(partition: Partition, first: int, number: int) -> list[Item]:
    return [DeadLetter(Record(*partition, first + n, 0, None, b""), "not_json", "") for n in range(number)]


def offsets(held: Iterable[Item], partition: Partition) -> list[int]:
    return [item.record.offset for item in held if partition_of(item) == partition]


def assigned(*partitions: Partition) -> Assignment:
    assignment = Assignment()
    assignment.rebalance((), partitions)
    assignment.take_up(dict.fromkeys(partitions, 0))
    return assignment


def test_a_partition_is_read_once_its_stored_offset_is_known() -> None:
    assignment = Assignment()

    assert assignment.rebalance((), {A}) == {A}
    assignment.hold(items(A, 0, 2))
    assert (set(assignment.gained), assignment.held) == ({A}, [])

    assignment.take_up({A: 7})
    assignment.hold(items(A, 7, 2))
    assert (set(assignment.gained), assignment.positions, len(assignment.held)) == (set(), {A: 7}, 2)


def test_a_partition_that_went_and_came_in_one_rebalance_is_to_be_read_anew() -> None:
    assignment = assigned(A, B)
    assignment.hold(items(A, 0, 2) + items(B, 0, 1))

    assert assignment.rebalance({A}, {A}) == {A}

    assert set(assignment.gained) == {A}
    assert assignment.positions == {B: 0}
    assert offsets(assignment.held, A) == []
    assert offsets(assignment.held, B) == [0]


def test_one_that_is_lost_before_its_offset_was_read_is_not_taken_up() -> None:
    assignment = Assignment()
    assignment.rebalance((), {A, B})
    assignment.rebalance({A}, ())

    assignment.take_up({A: 3, B: 4})

    assert assignment.positions == {B: 4}


def test_after_a_failure_everything_is_uncertain_and_what_moved_is_not_held_any_more() -> None:
    assignment = assigned(A, B)
    assignment.hold(items(A, 0, 3) + items(B, 0, 2))
    assignment.fail()
    assert set(assignment.uncertain) == {A, B}

    moved = assignment.settle({A: 3, B: 0})

    assert moved == {A}
    assert assignment.positions == {A: 3, B: 0}
    assert offsets(assignment.held, A) == []
    assert offsets(assignment.held, B) == [0, 1]
    assert not assignment.uncertain


def test_what_comes_is_held_behind_what_is_held_already_but_for_partitions_that_are_not_read() -> None:
    assignment = assigned(A, B)

    for came in (items(A, 0, 2), items(B, 0, 1) + items(C, 5, 2) + items(A, 2, 1), items(B, 1, 1)):
        assignment.hold(came)

    held = [(partition_of(item), item.record.offset) for item in assignment.held]
    assert held == [(A, 0), (A, 1), (B, 0), (A, 2), (B, 1)]


def test_a_partition_that_is_not_this_workers_cannot_be_moved_or_begun_again() -> None:
    assignment = assigned(B)

    assignment.begin_again({A})

    assert assignment.settle({A: 3}) == set()
    assert (assignment.positions, set(assignment.gained)) == ({B: 0}, set())


class AnyOrder(RuleBasedStateMachine):
    """Beside the assignment: where the source reads on, as its driver would have it seek, and what is stored."""

    @initialize()
    def begin(self) -> None:
        self.assignment = Assignment()
        self.stored = dict.fromkeys((A, B, C), 0)
        self.reads_at: dict[Partition, int] = {}

    @rule(lost=PARTITIONS, gained=PARTITIONS)
    def rebalance(self, lost: set[Partition], gained: set[Partition]) -> None:
        assert self.assignment.rebalance(lost, gained) == lost | gained
        for partition in lost | gained:
            self.reads_at.pop(partition, None)

    @rule(others=st.integers(0, 5))
    def take_up(self, others: int) -> None:
        for partition in self.assignment.gained:
            self.stored[partition] += others  # by who had it before
        self.assignment.take_up({p: self.stored[p] for p in self.assignment.gained})
        self.reads_at |= {p: at for p, at in self.assignment.positions.items() if p not in self.reads_at}

    @rule(partition=st.sampled_from((A, B, C)), number=st.integers(1, 4))
    def hold(self, partition: Partition, number: int) -> None:
        first = self.reads_at.get(partition, 0)
        self.assignment.hold(items(partition, first, number))
        if partition in self.assignment.positions:
            self.reads_at[partition] = first + number

    @precondition(lambda self: not self.assignment.uncertain)
    @rule(number=st.integers(1, 20))
    def commit(self, number: int) -> None:
        taken = self.assignment.held[:number]
        for partition, end in ends_of(taken).items():
            assert self.assignment.positions[partition] == self.stored[partition]  # else it would be refused
            assert offsets(taken, partition) == list(range(self.stored[partition], end))  # none left out, none twice
            self.stored[partition] = end
        self.assignment.commit(len(taken), ends_of(taken))

    @rule(was_committed=st.booleans(), number=st.integers(1, 20))
    def fail(self, *, was_committed: bool, number: int) -> None:
        if was_committed and not self.assignment.uncertain:
            self.stored |= ends_of(self.assignment.held[:number])
        self.assignment.fail()

    @rule()
    def settle(self) -> None:
        moved = self.assignment.settle({p: self.stored[p] for p in self.assignment.uncertain})
        self.reads_at |= {p: self.assignment.positions[p] for p in moved}

    @rule(partitions=PARTITIONS)
    def begin_again(self, partitions: set[Partition]) -> None:
        self.assignment.begin_again(partitions)
        for partition in partitions:
            self.reads_at.pop(partition, None)

    @rule(partitions=PARTITIONS)
    def give_back(self, partitions: set[Partition]) -> None:
        self.assignment.give_back(partitions)
        self.reads_at |= {p: at for p, at in self.assignment.positions.items() if p in partitions}

    @rule()
    def clear(self) -> None:
        self.assignment.clear()
        self.reads_at.clear()
        assert (self.assignment.positions, set(self.assignment.gained), self.assignment.held) == ({}, set(), [])

    @invariant()
    def each_partition_is_in_one_state(self) -> None:
        assignment = self.assignment
        assert not set(assignment.gained) & assignment.positions.keys()
        assert set(assignment.uncertain) <= assignment.positions.keys()

    @invariant()
    def what_is_held_is_read_without_gap_from_where_its_partition_stands(self) -> None:
        for partition in (A, B, C):
            held = offsets(self.assignment.held, partition)
            if not held:
                continue
            assert partition in self.assignment.positions
            assert held == list(range(held[0], self.reads_at[partition]))
            assert held[0] == self.assignment.positions[partition]


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
