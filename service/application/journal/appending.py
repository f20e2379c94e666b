"""What returns' events add to their histories: decided on their states, and appended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from service.application.journal.labels import claims
from service.application.ports import Arrival, HistoryRow, Transaction
from service.domain.events import Event
from service.domain.evidence import RC, RE, PastNeeded
from service.domain.journey import NEW, State, re_evaluate, record
from service.domain.whole import Whole


class Placed(Struct, frozen=True, gc=False):
    """An event with the return that it concerns."""

    return_no: int
    arrival: Arrival
    label_taken: bool = False  # it is a creation whose label another return claimed first
    recorded: bool = False  # its history has it already, as unmapped; now it is understood
    is_settled: bool = False  # of a scan: that it is this return's was found from all claims of its label


class Appended(NamedTuple):
    """The rows that the history got, the events that were duplicates, and how many returns were decided anew.

    `parked` are scans of which it takes all claims of their label to tell whose they are.
    """

    rows: Sequence[HistoryRow]
    repeats: Sequence[Arrival]
    conflicts: int
    parked: Sequence[Arrival] = ()


class Decided(NamedTuple):
    """What was found of events: the rows that they add, those that are duplicates, and scans to be parked.

    `unheard` are, by return, names that voids give and that no event of the return has since these.
    """

    rows: list[HistoryRow]
    repeats: list[Placed]
    doubtful: list[Placed]
    unheard: dict[int, set[tuple[str, str]]]


StepEnded = Callable[[Literal["load", "decide", "write", "commit"]], None]  # told of each step that ends


def append(tx: Transaction, placed: Sequence[Placed], step: StepEnded) -> Appended:
    """Decide and append, and note what is exported under which connote.

    Another worker may have appended to some of the same returns. Only those are read again and decided anew.
    """
    if not placed:
        return Appended([], [], 0)
    tx.take_turn()
    states = tx.load({item.return_no for item in placed})
    step("load")
    rows, repeats, doubtful, unheard = _decide_and_join(tx, placed, states)
    step("decide")
    if not rows or tx.append(rows):
        if unheard:
            tx.watch_voids(unheard)
        return _appended(tx, rows, repeats, doubtful, 0)
    done, again, conflicts = list[HistoryRow](), list[Placed](), 0
    while rows:
        lost = tx.append_contested(rows)
        done += [row for row in rows if row.return_no not in lost]
        again += [item for item in repeats if item.return_no not in lost]
        doubtful = [item for item in doubtful if item.return_no not in lost]
        conflicts += len(lost)
        placed = [item for item in placed if item.return_no in lost]
        decided = _decide_and_join(tx, placed, tx.load(lost)) if lost else Decided([], [], [], {})
        rows, repeats = decided.rows, decided.repeats
        doubtful += decided.doubtful
        unheard = {no: names for no, names in unheard.items() if no not in lost} | decided.unheard
    if unheard:
        tx.watch_voids(unheard)
    return _appended(tx, done, [*again, *repeats], doubtful, conflicts)


def _appended(
    tx: Transaction, rows: Sequence[HistoryRow], repeats: Sequence[Placed], doubtful: Sequence[Placed], conflicts: int
) -> Appended:
    parked = [item.arrival for item in doubtful]
    known = tx.park(parked) if parked else []
    return Appended(rows, [*(item.arrival for item in repeats), *known], conflicts, parked)


def _decide_and_join(tx: Transaction, placed: Sequence[Placed], states: dict[int, State]) -> Decided:
    befores = dict(states)
    decided = decide(tx, placed, states)
    rows = decided.rows
    _join_connotes(tx, rows)
    if any(_may_claim(row) for row in rows):
        events = ((item.return_no, item.arrival.inbound.event) for item in placed if item.label_taken)
        taken = {(return_no, event.source, event.id) for return_no, event in events}
        claims.join(tx, rows, befores, taken)
    return decided


def _may_claim(row: HistoryRow) -> bool:
    """Whether it may make, move or end a claim of a label: nearly no other row than of a creation does."""
    event, evidence = row.entry.event, row.entry.state.evidence
    return event.milestone is RC or evidence.closing is not None or event.voids is not None


def _join_connotes(tx: Transaction, rows: Iterable[HistoryRow]) -> None:
    members = dict[tuple[str, int], int]()
    for row in rows:
        event = row.entry.event
        if event.milestone is RE and event.connote is not None:
            member = event.connote, row.return_no
            members[member] = max(event.at, members.get(member, event.at))
    if members:
        tx.join_connotes(members)


def decide(tx: Transaction, placed: Iterable[Placed], states: dict[int, State]) -> Decided:
    """The rows that these events add on top of the states, which go on, and what adds none.

    The past of a return is read once, and only where its state does not suffice.
    """
    rows, repeats, doubtful, wholes = list[HistoryRow](), list[Placed](), list[Placed](), dict[int, Whole]()
    rules, unheard = tx.rules, dict[int, set[tuple[str, str]]]()
    for item in placed:
        return_no, arrival = item.return_no, item.arrival
        state = states.get(return_no, NEW)
        event = arrival.inbound.event
        is_open = event.label is not None and not item.is_settled and not item.recorded
        if is_open and claims.is_doubtful(state, event, rules):
            doubtful.append(item)
            continue
        decided = re_evaluate if item.recorded else record
        try:
            entry = decided(state, event, None, rules)
            if wholes and entry is not None and return_no in wholes:
                wholes[return_no].add(event)
        except PastNeeded:
            whole = wholes.get(return_no)
            if whole is None:
                whole = wholes[return_no] = Whole(_past(tx, return_no, rows), rules)
                # By other rules they may have named something.
                unheard[return_no] = whole.unheard() if state.rules == rules.mark else set()
            whole.add(event)
            entry = decided(state, event, whole, rules)
        if entry is None:
            repeats.append(item)
            continue
        states[return_no] = entry.state
        rows.append(HistoryRow(return_no, entry, arrival))
    # A void is watched from its row on if nothing had its name then: it is left to tell what was its name's and is no more.
    lost = {return_no: wholes[return_no].unheard() - before for return_no, before in unheard.items()}
    return Decided(rows, repeats, doubtful, {return_no: names for return_no, names in lost.items() if names})


def _past(tx: Transaction, return_no: int, rows: Iterable[HistoryRow]) -> Iterator[Event]:
    yield from tx.past(return_no)
    for row in rows:
        if row.return_no == return_no:
            yield row.entry.event
