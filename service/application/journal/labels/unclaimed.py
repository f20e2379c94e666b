"""Scans that wait again, once no claim of their label stands any more that they count for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from service.application.journal.labels.views import View
from service.application.label_ports import KeptClaim
from service.application.ports import SweepTransaction
from service.domain.labels import BEGINNING, FOREVER, Label


def wait_again(
    tx: SweepTransaction, label: Label, void: Sequence[KeptClaim], views: Collection[View], most: int
) -> bool:
    """Park what returns hold of the label whose claims are void, so many scans at a time; whether there was anything.

    Those that came since wait already: whether an event waits, and is listed, hangs on no order. In the histories they stay, and
    say nothing there. Only claims that changed are looked at.
    """
    if not any(kept.is_changed for kept in void):
        return False
    is_any = False
    for view in views:
        if view.claims:
            continue
        holders = {kept.claim.return_no for kept in void} | view.told.keys()
        places = {
            place.key: place
            for holder in sorted(holders)
            for place in tx.scan_places(holder, label, BEGINNING, FOREVER, view.retailers)
            if not place.is_evaluated_again
        }
        held = list(places.values())
        for at in range(0, len(held), most):
            tx.park(tx.scans_at(label, held[at : at + most]))
        is_any = is_any or bool(held)
    return is_any
