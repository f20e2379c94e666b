"""What the sweep does where several returns claim a label: it says what windows they have, and gives each its scans.

It alone does, one sweep after the other, so that each looks at all that is committed. First a return's history says what its
window is; from then on nobody else places a scan of the label, and what was placed before can be read. Each step is
found out from what stands there, so that a sweep that is interrupted, or too long, is simply done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

import msgspec

from service.application.journal.appending import Placed
from service.application.journal.labels.past import past_of_one
from service.application.journal.labels.unclaimed import wait_again
from service.application.journal.labels.views import View, seen_by, windows_of
from service.application.label_ports import Claimed, KeptClaim, ScanPlace
from service.application.ports import Arrival, SweepTransaction
from service.domain.events import KEY_DIGEST_BYTES, Event, Sense
from service.domain.evidence import BEFORE_LABEL, UNMAPPED
from service.domain.journey import NEW
from service.domain.labels import (
    ALONE,
    BEGINNING,
    FOREVER,
    Label,
    Retailers,
    Window,
    bound_of,
    first_in_turn,
)
from service.domain.rules import Rules
from service.domain.whole import Whole
from service.wire.inbound import Inbound, SubjectKind
from service.wire.inbound import label as name_of
from service.wire.record import Record
from service.wire.rows import claimed
from service.wire.rows.own import words_of

# A sweep is one transaction, for which workers wait that want the same returns: each label costs some ten queries, each of
# its claims one more or several.
LABELS_A_SWEEP: Final = 100
CLAIMS_A_SWEEP: Final = 1000  # and those of one more label

_MATTERS: Final = BEFORE_LABEL | reduce(or_, UNMAPPED.values())
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Spread(NamedTuple):
    """What is to be recorded now; `is_all`: that is all there is, else there is more to do for the same batches.

    `keeps_claims`: it wrote down claims, or scans that wait again, which are to be of a batch that has a number. `done_with`: once this is recorded the
    labels up to this one are done with, and others are left.
    """

    placed: Sequence[Placed]
    moves_windows: bool
    is_all: bool
    keeps_claims: bool
    done_with: Label | None = None


class _Contested(NamedTuple):
    """A label with its claims and their windows.

    `owner` is the return that was known first, whose claim `is_new` where only now it is written down; `void` are claims that are
    none. `bound` are its claims as scans see them that count for some retailers only.
    """

    label: Label
    claims: Sequence[KeptClaim]
    windows: Sequence[Window]
    owner: int | None
    void: Sequence[KeptClaim]
    is_new: bool
    bound: Sequence[View]

    @property
    def views(self) -> list[View]:
        """As all kinds of scans see its claims."""
        return [View((), self.claims, self.windows, {}), *self.bound]


def spread(tx: SweepTransaction, batches: Sequence[str], limit: int, after: Label | None = None) -> Spread:
    """So many events at most, and those of one more scan, or of one more label's windows; of labels behind `after`."""
    contested, told, waited = list[_Contested](), list[Placed](), list[Placed]()
    is_all, claims = True, 0
    touched = tx.touched_labels(batches)
    labels = sorted(label for label in touched if after is None or label > after)
    if labels:
        # Before the first claim is written: who has the turn writes claims of the same labels.
        tx.take_turn()
    for label in labels:
        if len(told) + len(waited) >= limit:
            is_all = False
            break
        if len(contested) >= LABELS_A_SWEEP or claims >= CLAIMS_A_SWEEP:
            break
        found = _look(tx, label, is_bound=touched[label])
        contested.append(found)
        claims += len(found.claims) + len(found.void)
        told += _tell(tx, found)
        more, is_rest = _waiting(tx, found, limit - len(told) - len(waited))
        waited += more
        is_all = is_all and is_rest
    for found in contested:  # behind all claims that are written, as whoever appends does it
        told += _tell_bound(tx, found)
    keeps_claims = any(found.is_new for found in contested)
    if told or not is_all:
        # What those hold that are told only now can be read once nobody places more there.
        return Spread([*told, *waited], bool(told), is_all=False, keeps_claims=keeps_claims)
    for found in contested:
        keeps_claims |= wait_again(tx, found.label, found.void, found.views, limit)
    missing = _missing(tx, contested, limit)
    is_done, is_last = len(missing) < limit, len(contested) == len(labels)
    done_with = contested[-1].label if is_done and not is_last else None
    return Spread([*waited, *missing], False, is_done and is_last, keeps_claims, done_with)


def _look(tx: SweepTransaction, label: Label, *, is_bound: bool) -> _Contested:
    owner = tx.find_labels([name_of(*label)]).get(name_of(*label))
    claims, is_new = tx.claims(label), False
    if owner is not None and all(kept.claim.return_no != owner for kept in claims):
        whole = Whole(past_of_one(tx, owner), tx.rules)
        creation = dict(whole.claims()).get(label)
        if creation is not None and creation.attributes is not None:
            first = Claimed(creation.at, creation.attributes.retailer, whole.closed_at)
            tx.join_claims({(label, owner): first})
            claims, is_new = tx.claims(label), True
    standing = [kept for kept in claims if not kept.is_void]
    void = [kept for kept in claims if kept.is_void]
    bounds = sorted(tx.bounds(label).items()) if is_bound else ()
    bound = [seen_by(retailers, standing, told, tx.rules) for retailers, told in bounds]
    return _Contested(label, standing, windows_of(standing, tx.rules), owner, void, is_new, bound)


def _tell(tx: SweepTransaction, found: _Contested) -> Iterator[Placed]:
    """Rows for the histories of those whose window is not what they say."""
    moved = [
        (kept, window)
        for kept, window in zip(found.claims, found.windows, strict=True)
        if (kept.told or ALONE) != window or (kept.told is None and kept.claim.return_no == found.owner)
    ]
    if not moved or (len(found.claims) == 1 and moved[0][0].told is None):
        return
    states = tx.stored_states([kept.claim.return_no for kept, _ in moved])
    told = dict[int, Window]()
    for kept, window in moved:
        return_no = kept.claim.return_no
        state, before = states.get(return_no, NEW), kept.told or ALONE
        is_owners_first = kept.told is None and return_no == found.owner
        is_first_no_more = before._replace(is_first=False) == window
        # That another claim is the first now matters to who has a scan from before its label, or one that nobody knows. Who
        # becomes the first gets the next scan from before all windows.
        if is_first_no_more and not is_owners_first and not state.evidence.flags & _MATTERS:
            continue
        told[return_no] = window
        yield Placed(return_no, _row(found, kept, window, state.seq + 1), is_settled=True)
    if told:
        tx.tell(found.label, told)


def _tell_bound(tx: SweepTransaction, found: _Contested) -> Iterator[Placed]:
    """The same of the windows for scans that count for claims of some retailers only."""
    for view in found.bound:
        moved = [
            (kept, window)
            for kept, window in zip(view.claims, view.windows, strict=True)
            if (view.told.get(kept.claim.return_no) or ALONE) != window
        ]
        if not moved:
            continue
        states = tx.stored_states([kept.claim.return_no for kept, _ in moved])
        for kept, window in moved:
            state = states.get(kept.claim.return_no, NEW)
            yield Placed(
                kept.claim.return_no, _row(found, kept, window, state.seq + 1, view.retailers), is_settled=True
            )
        tx.tell(found.label, {kept.claim.return_no: window for kept, window in moved}, view.retailers)


def _row(found: _Contested, kept: KeptClaim, window: Window, number: int, retailers: Retailers = ()) -> Arrival:
    others = [each.claim.at for each in (*found.claims, *found.void) if each.is_changed and each is not kept]
    at = max(others, default=kept.claim.at)
    bound = bound_of(retailers)
    name = f"{name_of(*found.label)}@{number}{'/' * bool(bound)}{bound}"
    event = Event(claimed.SOURCE, name, at, Sense.INFORMS, label=found.label, window=window, bound=bound)
    members = claimed.event_data(kept.return_id, found.label, window, retailers)
    data = _encode(members)
    event = replace(event, words=words_of(claimed.LABEL_CLAIMED, members, data))
    inbound = Inbound(SubjectKind.RETURN, kept.return_id, event, claimed.LABEL_CLAIMED, data)
    return Arrival(inbound, Record("", 0, 0, at // 1000, None, None))


def _waiting(tx: SweepTransaction, found: _Contested, limit: int) -> tuple[list[Placed], bool]:
    """Scans that wait, for each that they concern; and whether those are all that wait."""
    views = {view.retailers: view for view in found.views if view.claims}
    if not views:
        return [], True
    limit = max(1, limit)
    scans = tx.waiting_scans(found.label, limit, views)
    placed, taken = list[Placed](), list[Arrival]()
    for scan in scans:
        if placed and len(placed) >= limit:
            break
        taken.append(scan)
        event = scan.inbound.event
        its = views[event.retailers].concerned(event.at, tx.rules)
        placed += [Placed(claim.return_no, scan, is_settled=True) for claim in its]
    if taken:
        tx.unpark(found.label, taken)
    return placed, len(scans) < limit and len(taken) == len(scans)


def _missing(tx: SweepTransaction, contested: Sequence[_Contested], limit: int) -> list[Placed]:
    """Scans that others' histories have and that concern, since windows moved, returns that lack them."""
    placed = list[Placed]()
    for found, view in ((label, view) for label in contested for view in label.views):
        targets = _targets(found, view, tx.rules)
        if not targets:
            continue
        states = tx.stored_states(targets)
        seen = {return_no: _keys(states.get(return_no, NEW).seen) for return_no in targets}
        lacking = list[tuple[int, ScanPlace]]()
        for place in _held(tx, found, view):
            if len(placed) + len(lacking) >= limit:
                break
            for claim in view.concerned(place.at, tx.rules):
                target = claim.return_no
                if target in targets and target != place.return_no and place.identity not in seen[target]:
                    seen[target].add(place.identity)
                    lacking.append((target, place))
        scans = tx.scans_at(found.label, [place for _, place in lacking]) if lacking else []
        placed += [Placed(target, scan, is_settled=True) for (target, _), scan in zip(lacking, scans, strict=True)]
    return placed


def _held(tx: SweepTransaction, found: _Contested, view: View) -> Iterator[ScanPlace]:
    """The label's scans that histories have which may be others', too, each once: a label's claimants share most of theirs."""
    known = set[bytes]()
    for source, (since, until) in _sources(found, view, tx.rules).items():
        for place in tx.scan_places(source, found.label, since, until, view.retailers):
            if place.identity not in known and not place.is_evaluated_again:
                known.add(place.identity)
                yield place


def _sources(found: _Contested, view: View, rules: Rules) -> dict[int, tuple[int, int]]:
    """Who may have scans that another one lacks, from when until when.

    Whoever's window it is first has each scan: so those of the claims that did not change have what was placed before, unless
    another one's that moved was in their way. Of scans that are bound it is known who has some.
    """
    if view.retailers:
        return dict.fromkeys(view.told, (BEGINNING, FOREVER))
    has_moved = _has_moved(found)
    holders = [kept.claim.return_no for kept in found.claims if has_moved or kept.is_changed]
    holders += [kept.claim.return_no for kept in found.void]
    holders += [] if found.owner is None else [found.owner]
    sources = dict.fromkeys(holders, (BEGINNING, FOREVER))
    if not has_moved and (before := _before(view, rules)):
        numbers, ends = list(before), [window.end for window in before.values()]
        for since, until, n in first_in_turn(ends):
            sources.setdefault(numbers[n], (since, until))
    return sources


def _before(view: View, rules: Rules) -> dict[int, Window]:
    """The windows that those had whose claims did not change, where none moved."""
    plain = [kept for kept in view.claims if not kept.is_changed]
    return {kept.claim.return_no: window for kept, window in zip(plain, windows_of(plain, rules), strict=True)}


def _has_moved(found: _Contested) -> bool:
    """Whether a claim was somewhere else before, or none: what it said there is not known any more."""
    return any(kept.is_changed and not kept.is_new for kept in found.claims) or any(k.is_changed for k in found.void)


def _targets(found: _Contested, view: View, rules: Rules) -> set[int]:
    """Who may lack scans that another one has."""
    is_any = any(kept.is_changed for kept in (*found.claims, *found.void))
    if not is_any or (len(found.claims) == 1 and not found.void):
        return set()
    if _has_moved(found):
        return {kept.claim.return_no for kept in view.claims}
    before = _before(view, rules)
    return {
        kept.claim.return_no
        for kept, window in zip(view.claims, view.windows, strict=True)
        if before.get(kept.claim.return_no) != window
    }


def _keys(seen: bytes) -> set[bytes]:
    return {seen[at : at + KEY_DIGEST_BYTES] for at in range(0, len(seen), KEY_DIGEST_BYTES)}
