"""Claims as they are kept, held against what a return's history says of them: for `verify`, and for whoever mends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from service.application.journal.labels.claims import of_whole
from service.application.label_ports import Claimed, HeldLabel
from service.domain.events import Event
from service.domain.labels import ALONE, Label, Window
from service.domain.whole import Whole
from service.wire.inbound import label as name_of

_NOBODY: Final = 0


class Wrong(NamedTuple):
    """What is wrong with one claim, in words; and what it should be. `told`: the window that the history says, if it says one."""

    label: Label
    what: str
    claimed: Claimed
    told: Window | None


def windows_told(events: Iterable[Event]) -> dict[Label, Window]:
    """What a history says of the return's windows, in the order of its rows: the last one is believed.

    Those for scans that count for claims of some retailers only are others.
    """
    return {
        event.label: event.window
        for event in events
        if event.window is not None and event.label is not None and not event.bound
    }


def wrong_claims(whole: Whole, told: Mapping[Label, Window], held: Iterable[HeldLabel]) -> Iterator[Wrong]:
    """What of the claims of a return is not kept as its history has it, label by label."""
    claims = {label: claimed for (label, _), claimed in of_whole(whole, _NOBODY).items()}
    kept = {each.label: each for each in held}
    for label, claimed in sorted(claims.items()):
        what = _wrong(label, claimed, kept.get(label), told.get(label))
        if what is not None:
            yield Wrong(label, what, claimed, told.get(label))
    for label in sorted(kept.keys() - claims.keys()):
        there = kept[label].claimed
        # A void claim is none, and says so: where one was mended, it stays for the sweep to find what came by it.
        if there is not None and not there.is_void:
            what = f"is kept as a claimant of label {name_of(*label)}, which no creation of it names"
            yield Wrong(label, what, there._replace(is_void=True), told.get(label))


def _wrong(label: Label, claimed: Claimed, held: HeldLabel | None, told: Window | None) -> str | None:
    """None: nothing. The claim on a label that is the return's alone need not be kept."""
    there, its = None if held is None else held.claimed, f"its claim of label {name_of(*label)}"
    if held is None or there is None:
        is_needless = held is not None and not held.is_contested and not claimed.is_void
        return None if is_needless else f"{its} is not kept"
    if there.is_void is not claimed.is_void:
        return f"{its} is not kept as void, and is" if claimed.is_void else f"{its} is kept as void, and is not"
    if there.at != claimed.at:
        return f"{its} is kept with another time than its creations say"
    if there.retailer != claimed.retailer:
        return f"{its} is kept with another retailer than its creations say"
    if there.closed_at != claimed.closed_at:
        return f"{its} is kept with another closing than its history says"
    if (held.told or ALONE) != (told or ALONE):
        return f"its window of label {name_of(*label)} is kept otherwise than its history has it"
    return None
