"""The claims of a label as scans see them: all of them, or those of the retailers alone that a scan counts for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from service.application.label_ports import KeptClaim
from service.domain.labels import Claim, Retailers, Window, concerned, windows
from service.domain.rules import Rules


class View(NamedTuple):
    """The claims that scans count for which are bound to these retailers, all claims where there are none, and their windows.

    `told` is what histories say of them; of those that it names some may have such scans.
    """

    retailers: Retailers
    claims: Sequence[KeptClaim]
    windows: Sequence[Window]
    told: Mapping[int, Window | None]

    def concerned(self, at: int, rules: Rules) -> list[Claim]:
        """Whom a scan from then concerns."""
        return concerned([kept.claim for kept in self.claims], self.windows, at, rules)


def seen_by(retailers: Retailers, claims: Sequence[KeptClaim], told: Mapping[int, Window | None], rules: Rules) -> View:
    """What scans see that are bound to these."""
    its = [kept for kept in claims if kept.claim.retailer in retailers]
    return View(retailers, its, windows_of(its, rules), told)


def windows_of(claims: Sequence[KeptClaim], rules: Rules) -> list[Window]:
    """The window of each."""
    return windows([kept.claim for kept in claims], rules) if claims else []
