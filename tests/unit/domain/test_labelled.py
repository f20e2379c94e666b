"""Which scans of a label are a return's while its claim and its window move, and what is known of them at every step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.events import Event, Sense
from service.domain.evidence import BEFORE_LABEL
from service.domain.labels import ALONE, Label, Retailers, Window, bound_of
from service.domain.milestones import Milestone
from service.domain.whole import Whole
from tests.unit.domain.histories import ACME, DAY, OTHER, happened, void

CREATED = happened("RC", 9 * DAY)
ZENITH = ACME._replace(retailer="zenith")
GAP = Window(gaps=((9 * DAY, 10 * DAY),))


def scan(at: int, *, retailers: Retailers = (), label: Label = ACME.label) -> Event:
    return replace(happened("RT", at), label=label, retailers=retailers)


def window(said: Window, retailers: Retailers = ()) -> Event:
    return Event("labels", "w", 0, Sense.INFORMS, label=ACME.label, window=said, bound=bound_of(retailers))


def collected(whole: Whole) -> int | None:
    found = whole.evidence().earliest.get(Milestone.RT)
    return None if found is None else found.at


def is_early(whole: Whole) -> bool:
    return bool(whole.evidence().flags & BEFORE_LABEL)


def test_that_scans_are_from_before_the_label_is_known_for_as_long_as_one_of_them_stands() -> None:
    whole = Whole([CREATED, scan(1), scan(2)])
    assert is_early(whole)

    whole.add(void(("s", "RT@1")))
    assert is_early(whole)
    whole.add(void(("s", "RT@2")))
    assert not is_early(whole)


def test_and_no_longer_once_an_earlier_creation_makes_them_the_return_s() -> None:
    whole = Whole([CREATED, scan(1)])
    assert is_early(whole)

    whole.add(happened("RC", 2))

    assert not is_early(whole)
    assert collected(whole) == 1


@pytest.mark.parametrize(("at", "is_its"), ((8 * DAY - 1, False), (8 * DAY, True)))
def test_a_label_s_window_begins_so_long_before_its_creation_to_the_microsecond(at: int, is_its: bool) -> None:
    assert collected(Whole([CREATED, scan(at)])) == (at if is_its else None)


@pytest.mark.parametrize("at", (4 * DAY - 1, 4 * DAY, 8 * DAY - 1, 8 * DAY))
def test_an_earlier_creation_brings_the_scans_from_where_its_window_begins(at: int) -> None:
    whole = Whole([CREATED, scan(at)])
    assert (collected(whole) == at) == (at == 8 * DAY)

    whole.add(happened("RC", 5 * DAY))

    assert (collected(whole) == at) == (at >= 4 * DAY)


def test_a_creation_for_another_retailer_takes_the_scans_that_are_bound_to_the_first() -> None:
    whole = Whole([CREATED, scan(12 * DAY, retailers=("acme",))])
    assert collected(whole) == 12 * DAY

    whole.add(happened("RC", 9 * DAY - 1, attributes=ZENITH))

    assert collected(whole) is None


def test_windows_are_of_the_scans_that_are_bound_so_alone() -> None:
    bound, of_all = scan(9 * DAY, retailers=("acme",)), scan(9 * DAY + 1)
    whole = Whole([CREATED, bound, of_all])

    for said, expected in (
        (window(GAP), 9 * DAY),
        (window(GAP, ("acme",)), None),
        (window(ALONE), 9 * DAY + 1),
        (window(ALONE, ("acme",)), 9 * DAY),
        (window(ALONE, ("acme",)), 9 * DAY),
    ):
        whole.add(said)
        assert collected(whole) == expected


def test_a_scan_may_come_and_be_void_while_windows_move() -> None:
    whole = Whole([CREATED, scan(9 * DAY + 1)])
    assert collected(whole) == 9 * DAY + 1

    whole.add(window(GAP))
    whole.add(scan(9 * DAY))
    whole.add(scan(10 * DAY))
    whole.add(void(("s", f"RT@{9 * DAY}")))
    assert collected(whole) == 10 * DAY
    whole.add(window(ALONE))
    assert collected(whole) == 9 * DAY + 1


def test_a_label_is_unclaimed_where_each_creation_that_names_it_is_void() -> None:
    other = happened("RC", 8 * DAY, attributes=OTHER)
    whole = Whole([CREATED, other, scan(1, label=("generic", "SCANNED"))])
    assert whole.claims() == [(OTHER.label, other), (ACME.label, CREATED)]
    assert whole.unclaimed() == []

    whole.add(void((other.source, other.id)))

    assert whole.claims() == [(ACME.label, CREATED)]
    assert whole.unclaimed() == [(OTHER.label, other)]
