"""Claims of labels as they are kept: of a label with one claim nothing but whose it is, of others what windows follow from.

Who takes a batch in writes claims down; the sweep alone reads them, moves windows and places what waits (see `spreading`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from service.application.journal.labels.past import past_of
from service.application.label_ports import Claimed
from service.application.ports import HistoryRow, Transaction
from service.domain.events import Event
from service.domain.evidence import CONFLICT, MAX_LABELS, RC, UNCREATED, WINDOWED, Evidence
from service.domain.journey import NEW, State
from service.domain.labels import Label
from service.domain.whole import Whole

Claims = dict[tuple[Label, int], Claimed]


def of_creation(state: State, event: Event, *, is_taken: bool) -> tuple[tuple[Label, int] | None, str]:
    """The label and time of a creation's claim where it is to be kept, and its retailer.

    It need not be where the label is the return's alone, and was not kept for another reason: an earlier creation may move a
    claim that is. `state` is the one before it.
    """
    attributes = event.attributes
    if attributes is None:
        raise ValueError("a creation says what is created")
    known = state.evidence
    created = known.earliest.get(RC)
    is_earlier = created is not None and _is_first_ones(known, attributes.label) and event.at < created.at
    if not is_taken and not is_earlier and not known.flags & WINDOWED:
        return None, attributes.retailer
    return (attributes.label, event.at), attributes.retailer


def _is_first_ones(known: Evidence, label: Label) -> bool:
    """Whether the creation that counts names it: its time is known, and that is the claim's."""
    return known.attributes is not None and known.attributes.label == label


def _is_of_several(known: Evidence, event: Event) -> bool:
    """Whether a creation may name a label that an earlier one does which does not count: of that the state has no time."""
    attributes = event.attributes
    if attributes is None or not known.labels or _is_first_ones(known, attributes.label):
        return False
    return attributes.label in known.labels or len(known.labels) >= MAX_LABELS - 1


def of_whole(whole: Whole, return_no: int) -> Claims:
    """All claims of a return that was closed, opened again, or has creations that are void or contradict each other."""
    closed_at = whole.closed_at
    standing = {
        (label, return_no): Claimed(creation.at, creation.attributes.retailer, closed_at)
        for label, creation in whole.claims()
        if creation.attributes is not None
    }
    void = {
        (label, return_no): Claimed(creation.at, creation.attributes.retailer, closed_at, is_void=True)
        for label, creation in whole.unclaimed()
        if creation.attributes is not None
    }
    return standing | void


def closed_at(evidence: Evidence) -> int | None:
    """When the return was closed, by what was said of it last."""
    closing = evidence.closing
    return None if closing is None or closing.reason is None else closing.at


def join(
    tx: Transaction,
    claiming: Iterable[HistoryRow],
    rows: Iterable[HistoryRow],
    befores: Mapping[int, State],
    taken: Collection[tuple[int, str, str]],
    again: Collection[int] = (),
) -> set[int]:
    """Keep the claims that the `claiming` among these rows make or move; the returns of which some are kept.

    `befores` are the states of their returns before the first of them, `taken` are creations (their return, source and id)
    whose label another return claimed first. All claims of the returns `again` are kept as they are now, whatever was kept.
    """
    claims, anew = Claims(), set(again)
    for row in claiming:
        event, after = row.entry.event, row.entry.state
        before = befores.get(row.return_no, NEW)
        # A void may be heard long after it came, once creations contradict each other; and of two of one time and label that
        # do, the same one is to claim it whichever comes first.
        is_of_creations = event.milestone is RC or event.voids is not None
        is_contradicted = is_of_creations and (before.evidence.flags | after.evidence.flags) & (UNCREATED | CONFLICT)
        if is_contradicted or (event.milestone is RC and _is_of_several(before.evidence, event)):
            anew.add(row.return_no)
        elif event.milestone is RC:
            found, retailer = of_creation(before, event, is_taken=(row.return_no, event.source, event.id) in taken)
            if found is not None:
                label, at = found
                claimed = Claimed(at, retailer, closed_at(after.evidence))
                known = claims.get((label, row.return_no))
                if known is None or claimed.at < known.at:
                    claims[label, row.return_no] = claimed
        if after.evidence.closing != before.evidence.closing:
            anew.add(row.return_no)
    exact, here = Claims(), defaultdict[int, list[Event]](list)
    for row in rows:
        if row.return_no in anew:
            here[row.return_no].append(row.entry.event)
    for return_no, past in past_of(tx, sorted(anew), befores):
        exact |= of_whole(Whole([*past, *here[return_no]], tx.rules), return_no)
    claims = {name: claimed for name, claimed in claims.items() if name[1] not in anew}
    if claims:
        tx.join_claims(claims)
    if exact:
        tx.set_claims(exact)
    return anew.union(return_no for _, return_no in claims)
