"""The scans that came by one label of a return, and which of them are the return's."""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.events import Event, Sense
from service.domain.evidence import Against
from service.domain.labels import ALONE, Window
from service.domain.lines import Line
from service.domain.milestones import Reason, Verdict
from service.domain.rules import Rules


class Labelled:
    """One label of a return: its claim (the earliest creation that names it), its window, its scans that are not voided.

    A claim comes earlier and a window moves seldom; the scans are looked at again only where that says something else of
    one of them.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.claim: Event | None = None
        self._window = ALONE
        self._scans = Line()
        self._taken: dict[int, Event] = {}  # by the object's id: two events may be equal
        self.early = 0  # how many are from before the label was the return's
        self._is_settled = True

    def put(self, scan: Event) -> Event | None:
        """One scan more; answers with it where it is the return's."""
        self._scans.put(scan)
        return scan if self._is_settled and self._take(scan) else None

    def drop(self, scan: Event) -> bool:
        """One scan less; whether it was the return's."""
        self._scans.drop(scan)
        if self._is_early(scan) and self._is_settled:
            self.early -= 1
        return self._taken.pop(id(scan), None) is not None

    def claimed(self, creation: Event) -> None:
        """A creation names it."""
        before = self.claim
        if before is not None and before.order <= creation.order:
            return
        lead = self._rules.label_lead
        self.claim = creation
        if before is None or self._scans.within(creation.at - lead, before.at - lead - 1):
            self._is_settled = self._is_settled and not self._scans

    def look(self, window: Window) -> None:
        """What others' claims make of it now."""
        if window != self._window:
            self._window = window
            self._is_settled = self._is_settled and not self._scans

    @property
    def window(self) -> Window:
        return self._window

    def settle(self) -> Iterator[tuple[Event, bool]]:
        """The scans that are the return's now and were not (True), or the other way round."""
        if self._is_settled:
            return
        self._is_settled, self.early = True, 0
        taken = self._taken
        self._taken = {}
        for scan in self._scans:
            is_taken, was_taken = self._take(scan), id(scan) in taken
            if is_taken is not was_taken:
                yield scan, is_taken

    def against(self, scan: Event) -> Against:
        """What the label's claims have against a scan; None: it is the return's."""
        lead = self._rules.label_lead
        if self.claim is None or scan.at < self.claim.at - lead:
            if not self._window.is_first:
                return Verdict.INFORMATIONAL
            # What nobody knows says so, whenever it was.
            return None if scan.sense is Sense.UNMAPPED else Reason.BEFORE_LABEL
        return None if self._window.takes(scan.at) else Verdict.INFORMATIONAL

    def _take(self, scan: Event) -> bool:
        against = self.against(scan)
        if against is None:
            self._taken[id(scan)] = scan
        elif against is Reason.BEFORE_LABEL:
            self.early += 1
        return against is None

    def _is_early(self, scan: Event) -> bool:
        return self.against(scan) is Reason.BEFORE_LABEL
