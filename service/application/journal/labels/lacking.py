"""Scans that a history has and that concern, by the windows of their label, a return whose history lacks them: for `verify`.

Each history may follow from its own events, and a return be without one of its scans all the same: that is to be seen only from
all claims of the label.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from service.application.journal.labels.views import View, seen_by, windows_of
from service.application.label_ports import KeptClaim, ScanPlace
from service.domain.events import KEY_DIGEST_BYTES
from service.domain.labels import Label, Retailers, Window
from service.domain.rules import Rules
from service.wire.inbound import label as name_of


class HeldScans(NamedTuple):
    """A label that several returns claim, as the sweep left it: its claims, void ones among them, and its scans in histories.

    `scans` are by the retailers that they are bound to, of all returns that may have them; `bounds` what is kept of the windows
    for these.
    """

    label: Label
    claims: Sequence[KeptClaim]
    scans: Mapping[Retailers, Sequence[ScanPlace]]
    bounds: Mapping[Retailers, Mapping[int, Window | None]]


class Lacking(NamedTuple):
    """A return that lacks a scan of a label."""

    return_no: int
    label: Label
    what: str


def lacking(labels: Iterable[HeldScans], rules: Rules) -> Iterator[Lacking]:
    """Each return and scan that it lacks, in words."""
    for held in labels:
        standing = [kept for kept in held.claims if not kept.is_void]
        views = [View((), standing, windows_of(standing, rules), {})]
        views += [seen_by(retailers, standing, told, rules) for retailers, told in sorted(held.bounds.items())]
        for view in views:
            yield from _of_view(held, view, rules)


def _of_view(held: HeldScans, view: View, rules: Rules) -> Iterator[Lacking]:
    if not view.claims:
        return
    names = {kept.claim.return_no: kept.return_id for kept in view.claims}
    places, has = dict[bytes, ScanPlace](), dict[int, set[bytes]]()
    for place in held.scans.get(view.retailers, ()):
        if not place.is_evaluated_again:
            places.setdefault(place.key, place)
            has.setdefault(place.return_no, set()).add(place.key)
    for place in places.values():
        for claim in view.concerned(place.at, rules):
            if not _is_among(place.key, has.get(claim.return_no, ())):
                what = f"lacks scan {place.id} of {place.source} of its label {name_of(*held.label)}"
                yield Lacking(claim.return_no, held.label, f"{names[claim.return_no]}: {what}")


def _is_among(key: bytes, keys: Collection[bytes]) -> bool:
    """Of what was recorded before 2026-11 the name is known alone."""
    if key in keys:
        return True
    name = key[:KEY_DIGEST_BYTES]
    return name in keys or (key == name and any(each.startswith(name) for each in keys))
