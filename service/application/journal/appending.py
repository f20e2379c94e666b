"""What returns' events add to their histories: decided on their states, and appended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from service.application.journal.labels import claims
from service.application.journal.labels.past import past_of
from service.application.ports import Arrival, HistoryRow, Transaction
from service.domain.events import Event
from service.domain.evidence import RC, RE, ClaimsNeeded, PastNeeded
from service.domain.journey import NEW, Entry, State, re_evaluate, record
from service.domain.rules import Rules
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
    joined = set[int]()
    rows, repeats, doubtful, unheard = _decide_and_join(tx, placed, states, joined)
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
        decided = _decide_and_join(tx, placed, tx.load(lost), joined, lost) if lost else Decided([], [], [], {})
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


def _decide_and_join(
    tx: Transaction,
    placed: Sequence[Placed],
    states: dict[int, State],
    joined: set[int],
    lost: Collection[int] = (),
) -> Decided:
    """What is decided, with its connotes and claims kept; `joined` gets the returns of which claims are.

    Of those that are `lost`, decided before by what others had not added yet, claims may be kept that follow from no more.
    """
    befores = dict(states)
    decided = decide(tx, placed, states)
    rows = decided.rows
    _join_connotes(tx, rows)
    # Nearly no other row than of a creation may make, move or end a claim of a label.
    claiming = [
        row
        for row in rows
        if (event := row.entry.event).milestone is RC
        or event.voids is not None
        or row.entry.state.evidence.closing is not None
    ]
    anew = joined.intersection(lost)
    if claiming or anew:
        events = ((item.return_no, item.arrival.inbound.event) for item in placed if item.label_taken)
        taken = {(return_no, event.source, event.id) for return_no, event in events}
        joined |= claims.join(tx, claiming, rows, befores, taken, anew)
    return decided


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
    found, left, rules = Decided([], [], [], {}), dict[int, list[Placed]](), tx.rules
    rows = found.rows
    for item in placed:
        return_no = item.return_no
        if left and return_no in left:
            left[return_no].append(item)
            continue
        state, event = states.get(return_no, NEW), item.arrival.inbound.event
        try:
            entry = _decided(item, state, event, None, rules)
        except PastNeeded:
            left[return_no] = [item]
            continue
        except ClaimsNeeded:
            found.doubtful.append(item)
            continue
        if entry is None:
            found.repeats.append(item)
            continue
        states[return_no] = entry.state
        rows.append(HistoryRow(return_no, entry, item.arrival))
    if left:
        _decide_by_past(tx, left, states, found)
    return found


def _decided(item: Placed, state: State, event: Event, whole: Whole | None, rules: Rules) -> Entry | None:
    if item.recorded:
        return re_evaluate(state, event, whole, rules)
    return record(state, event, whole, rules, is_open=event.label is not None and not item.is_settled)


def _decide_by_past(
    tx: Transaction, left: Mapping[int, Sequence[Placed]], states: dict[int, State], found: Decided
) -> None:
    here, rules = defaultdict[int, list[Event]](list), tx.rules
    for row in found.rows:
        if row.return_no in left:
            here[row.return_no].append(row.entry.event)
    for return_no, past in past_of(tx, left, states):
        whole = Whole([*past, *here[return_no]], rules)
        # By other rules they may have named something.
        unheard = whole.unheard() if states.get(return_no, NEW).rules == rules.mark else set()
        for item in left[return_no]:
            state, event = states.get(return_no, NEW), item.arrival.inbound.event
            try:
                entry = _decided(item, state, event, None, rules)
                if entry is not None:
                    whole.add(event)
            except PastNeeded:
                whole.add(event)
                entry = _decided(item, state, event, whole, rules)
            except ClaimsNeeded:
                found.doubtful.append(item)
                continue
            if entry is not None:
                states[return_no] = entry.state
                found.rows.append(HistoryRow(return_no, entry, item.arrival))
            else:
                found.repeats.append(item)
        # A void is watched from its row on if nothing had its name then: left to tell is what was its name's and is no more.
        if lost := whole.unheard() - unheard:
            found.unheard[return_no] = lost
