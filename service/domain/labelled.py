"""The scans that came by one label of a return, and which of them are the return's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from service.domain.events import Event, Sense
from service.domain.evidence import BEFORE_LABEL, SHARED, WINDOWED, Against
from service.domain.labels import ALONE, Label, Window, bound_of
from service.domain.lines import Line
from service.domain.milestones import Reason, Verdict
from service.domain.rules import Rules

_NOT_CONCERNED: Final = Verdict.INFORMATIONAL

Turned = tuple[Event, Against, Against]
"""A scan, what was against it, and what is now."""


class Labelled:
    """One label of a return: its claim (the earliest creation that names it and stands), its window, its scans that stand.

    A claim comes earlier and a window moves seldom; the scans are looked at again only where that says something else of
    one of them. Scans that count for claims of some retailers alone go by windows of their own, in which no other claims are.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.creations, self.valid = Line(), Line()  # that name it; and those of them that no void names
        self.claim: Event | None = None
        self._window = ALONE
        self._bound: dict[str, Window] = {}
        self._scans = Line()
        self._found: dict[int, Against] = {}  # by the object's id: two events may be equal
        self.early = 0  # how many are from before the label was the return's
        self._is_settled = True

    def put(self, scan: Event) -> Against:
        """One scan more; what is against it."""
        self._scans.put(scan)
        return self._find(scan)

    def drop(self, scan: Event) -> Against:
        """One scan less; what was against it."""
        self._scans.drop(scan)
        was = self._found.pop(id(scan))
        self.early -= was is Reason.BEFORE_LABEL
        return was

    def choose(self, *, are_voids_heard: bool) -> None:
        """By which creation it is the return's now; `are_voids_heard`: voids of creations are."""
        creations = self.valid if are_voids_heard else self.creations
        before, claim = self.claim, creations.first if creations else None
        if claim is before:
            return
        self.claim = claim
        lead = self._rules.label_lead
        if claim is not None and before is not None and _retailer(claim) == _retailer(before):
            earlier, later = sorted((claim.at, before.at))
            if not self._scans.within(earlier - lead, later - lead - 1):
                return
        self._is_settled = self._is_settled and not self._scans

    def look(self, window: Window, bound: str) -> None:
        """What others' claims make of it now, for scans that are bound so."""
        if window == (self._bound.get(bound, ALONE) if bound else self._window):
            return
        if bound:
            self._bound[bound] = window
        else:
            self._window = window
        self._is_settled = self._is_settled and not self._scans

    @property
    def is_windowed(self) -> bool:
        """Whether others' claims say anything."""
        return self._window != ALONE or any(window != ALONE for window in self._bound.values())

    @property
    def window(self) -> Window:
        return self._window

    def settle(self) -> Iterator[Turned]:
        """The scans that something else is against now."""
        if self._is_settled:
            return
        self._is_settled = True
        for scan in self._scans:
            was, now = self._found[id(scan)], self._find(scan)
            if now is not was:
                yield scan, was, now

    def against(self, scan: Event) -> Against:
        """What the label's claims have against a scan; None: it is the return's."""
        if self.claim is None:
            return _NOT_CONCERNED
        window = self._window
        if scan.retailers:
            if _retailer(self.claim) not in scan.retailers:
                return _NOT_CONCERNED
            window = self._bound.get(bound_of(scan.retailers), ALONE)
        if scan.at < self.claim.at - self._rules.label_lead:
            if not window.is_first:
                return _NOT_CONCERNED
            # What nobody knows says so, whenever it was.
            return None if scan.sense is Sense.UNMAPPED else Reason.BEFORE_LABEL
        return None if window.takes(scan.at) else _NOT_CONCERNED

    def _find(self, scan: Event) -> Against:
        now, was = self.against(scan), self._found.get(id(scan), _NOT_CONCERNED)
        self.early += (now is Reason.BEFORE_LABEL) - (was is Reason.BEFORE_LABEL)
        self._found[id(scan)] = now
        return now


class Labels:
    """The labels of a return: those that its creations name, or scans in its history."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._labels: dict[Label, Labelled] = {}
        self._are_voids_heard = False

    def of(self, label: Label) -> Labelled:
        found = self._labels.get(label)
        if found is None:
            found = self._labels[label] = Labelled(self._rules)
        return found

    def claim(self, creation: Event, *, is_voided: bool, are_voids_heard: bool) -> None:
        """A creation names one. `are_voids_heard` is of all creations, with this one."""
        if creation.attributes is not None:
            labelled = self.of(creation.attributes.label)
            labelled.creations.put(creation)
            if not is_voided:
                labelled.valid.put(creation)
            self._choose(labelled, are_voids_heard=are_voids_heard)

    def unclaim(self, creation: Event, *, are_voids_heard: bool) -> None:
        """Its name is declared a mistake."""
        if creation.attributes is not None:
            labelled = self.of(creation.attributes.label)
            labelled.valid.drop(creation)
            self._choose(labelled, are_voids_heard=are_voids_heard)

    def _choose(self, moved: Labelled, *, are_voids_heard: bool) -> None:
        is_same = are_voids_heard is self._are_voids_heard
        self._are_voids_heard = are_voids_heard
        for labelled in (moved,) if is_same else self._labels.values():
            labelled.choose(are_voids_heard=are_voids_heard)

    def settle(self) -> Iterator[Turned]:
        """The scans that something else is against now."""
        for labelled in self._labels.values():
            yield from labelled.settle()

    @property
    def flags(self) -> int:
        """What is known of them."""
        flags = 0
        for labelled in self._labels.values():
            if labelled.claim is not None:
                flags |= BEFORE_LABEL if labelled.early else 0
                flags |= WINDOWED if labelled.is_windowed else 0
                flags |= SHARED if labelled.window.is_shared else 0
        return flags

    def is_shared_by(self, label: Label, creation: Event) -> bool:
        """Whether the label is another return's at the same time, and this creation is by which it is this return's."""
        labelled = self._labels[label]
        return labelled.window.is_shared and labelled.claim is creation

    def claims(self) -> list[tuple[Label, Event]]:
        """Those that creations name which stand, each with the earliest of those, in the order of these."""
        claims = [(label, each.claim) for label, each in self._labels.items() if each.claim is not None]
        return sorted(claims, key=lambda claim: claim[1].place)

    def unclaimed(self) -> list[tuple[Label, Event]]:
        """Those that no creation names but such as are void, each with the earliest of these."""
        return [
            (label, each.creations.first)
            for label, each in self._labels.items()
            if each.claim is None and each.creations
        ]


def _retailer(creation: Event) -> str | None:
    return None if creation.attributes is None else creation.attributes.retailer
