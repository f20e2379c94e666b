"""Whose a scan of a label is that several returns claim: the windows of their claims, beside the contract's words of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.labels import (
    ALONE,
    BEGINNING,
    FOREVER,
    MAX_GAPS,
    Claim,
    Window,
    bound_of,
    concerned,
    first_in_turn,
    window_for,
    windows,
)
from service.domain.rules import DEFAULT
from tests.support import oracle
from tests.unit.domain.histories import DAY

# A day or a month apart, and a little more or less: windows that touch, overlap and end.
_TIMES = st.builds(
    lambda days, micros: days * DAY + micros, st.sampled_from((10, 11, 12, 39, 40, 41, 70)), st.integers(-1, 1)
)
_CLAIMS = st.lists(
    st.tuples(_TIMES, st.sampled_from(("acme", "zenith")), st.none() | _TIMES), min_size=1, max_size=6
).map(lambda told: sorted(Claim(at, number, who, closed) for number, (at, who, closed) in enumerate(told)))


@settings(deadline=None)
@given(_CLAIMS)
def test_a_scan_is_of_the_returns_in_whose_windows_it_falls_and_before_all_of_them_of_the_next(
    claims: list[Claim],
) -> None:
    found = windows(claims, DEFAULT)
    as_told = [oracle.Claim(*claim) for claim in claims]
    edges = {0, *(claim.at - DAY for claim in claims), *(window.end for window in found)} - {FOREVER}

    for at in sorted({edge + more for edge in edges for more in (-1, 0, 1)}):
        theirs, is_before = oracle.concerns(at, as_told)
        assert {claim.return_no for claim in concerned(claims, found, at, DEFAULT)} == theirs
        assert is_before == (at < claims[0].at - DAY)


@settings(deadline=None)
@given(_CLAIMS)
def test_a_window_ends_where_a_later_claim_begins_the_label_anew_and_says_what_it_shares(claims: list[Claim]) -> None:
    as_told = [oracle.Claim(*claim) for claim in claims]

    for number, (claim, window) in enumerate(zip(as_told, windows(claims, DEFAULT), strict=True)):
        anew = [later.at - DAY for later in as_told if oracle.begins_anew(claim, later)]
        assert window.end == min(anew, default=FOREVER)
        assert window.is_shared == oracle.overlaps(claim, as_told)
        assert window.is_first == (number == 0)


def test_a_label_that_one_return_claims_is_its_own_for_ever() -> None:
    assert windows([Claim(10 * DAY, 1, "acme", 11 * DAY)], DEFAULT) == [ALONE]
    assert ALONE.takes(-DAY)
    assert ALONE.takes(1000 * DAY)


def test_a_window_takes_what_is_before_its_end_and_in_no_gap() -> None:
    window = Window(10, gaps=((3, 5), (7, 8)))

    assert [at for at in range(12) if window.takes(at)] == [0, 1, 2, 5, 6, 8, 9]


def test_in_the_window_of_two_returns_of_one_retailer_both_have_the_scan() -> None:
    assert windows([Claim(0, 1, "acme"), Claim(5 * DAY, 2, "acme")], DEFAULT) == [
        Window(is_shared=True),
        Window(is_shared=True, is_first=False),
    ]


def test_where_retailers_share_a_label_the_scans_are_the_earlier_one_s_until_its_window_ends() -> None:
    one, other, later = Claim(0, 1, "acme"), Claim(5 * DAY, 2, "zenith"), Claim(33 * DAY, 3, "acme")

    assert windows([one, other, later], DEFAULT) == [
        Window(32 * DAY, is_shared=True),
        Window(gaps=((4 * DAY, 32 * DAY),), is_shared=True, is_first=False),
        Window(gaps=((32 * DAY, FOREVER),), is_shared=True, is_first=False),
    ]


def test_stretches_of_another_retailer_s_that_follow_upon_each_other_are_one() -> None:
    # The first zenith return is closed, and its number begun anew by the second.
    first, second, last = Claim(0, 1, "zenith", 2 * DAY), Claim(3 * DAY, 2, "zenith"), Claim(4 * DAY, 3, "acme")

    window = windows([first, second, last], DEFAULT)[2]

    assert window == Window(gaps=((3 * DAY, FOREVER),), is_shared=True, is_first=False)
    early = Claim(0, 4, "acme")
    both = windows([first, early, second], DEFAULT)[1]
    assert both == Window(gaps=((-DAY, 2 * DAY),), is_shared=True, is_first=False)
    others = [Claim(0, 1, "bravo", DAY), Claim(0, 2, "zenith", 3 * DAY + 1)]
    later = [Claim(3 * DAY, 5, "zenith"), Claim(5 * DAY, 6, "zenith")]
    found = windows([*others, early, *later], DEFAULT)
    assert found[2] == Window(gaps=((-DAY, 4 * DAY),), is_shared=True, is_first=False)


def test_another_retailer_s_window_that_ends_where_one_begins_is_no_gap_in_it() -> None:
    one, other = Claim(0, 1, "zenith"), Claim(40 * DAY, 2, "acme")

    assert windows([one, other], DEFAULT) == [Window(39 * DAY), Window(is_first=False)]


def test_a_scan_from_where_the_first_windows_begin_is_in_all_of_these() -> None:
    claims = [Claim(5 * DAY, 1, "acme"), Claim(5 * DAY, 2, "acme"), Claim(6 * DAY, 3, "acme")]
    found = windows(claims, DEFAULT)

    assert concerned(claims, found, 4 * DAY - 1, DEFAULT) == claims[:1]
    assert concerned(claims, found, 4 * DAY, DEFAULT) == claims[:2]


def test_the_window_of_a_scan_is_that_for_the_retailers_for_whose_claims_it_counts() -> None:
    label, other = ("omniparcel", "OP1"), ("omniparcel", "OP2")
    for_all, for_acme = Window(5), Window(6)
    told = {(label, ""): for_all, (label, bound_of(("acme",))): for_acme}

    assert window_for(told, label, (), "acme") == for_all
    assert window_for(told, label, (), None) == for_all
    assert window_for(told, label, ("acme",), "acme") == for_acme
    assert window_for(told, label, ("acme", "bravo"), "acme") == ALONE
    assert window_for(told, label, ("acme",), "zenith") is None
    assert window_for(told, label, ("acme",), None) is None
    assert window_for(told, other, (), "acme") == ALONE


def _taking_turns(times: int) -> tuple[list[Claim], Claim]:
    """Returns of two retailers that claim a label at once, each closed a little later than the one before; the last is not.

    What is closed is begun anew by further claims, so that it is ever another retailer's turn.
    """
    last = Claim(0, times, "acme")
    turns = [Claim(0, n, ("zenith", "acme")[n % 2], (n + 2) * 1000) for n in range(times)]
    anew = [Claim((n + 2) * 1000 + 1, times + 1 + n, "acme") for n in range(times)]
    return sorted([*turns, last, *anew]), last


@pytest.mark.parametrize("gaps", (1, 2, MAX_GAPS - 1, MAX_GAPS, MAX_GAPS + 1))
def test_after_many_stretches_that_are_another_retailer_s_the_rest_is_too(gaps: int) -> None:
    claims, last = _taking_turns(2 * gaps)

    window = windows(claims, DEFAULT)[claims.index(last)]

    turns = [(-DAY if n == 0 else (n + 1) * 1000 + 1 - DAY, (n + 2) * 1000 + 1 - DAY) for n in range(0, 2 * gaps, 2)]
    told = turns if gaps < MAX_GAPS else [*turns[: MAX_GAPS - 1], (turns[MAX_GAPS - 1][0], FOREVER)]
    assert window.gaps == tuple(told)


def test_of_windows_the_earliest_has_its_turn_until_it_ends_and_then_the_next_that_goes_on() -> None:
    assert list(first_in_turn([5, 3, FOREVER])) == [(BEGINNING, 5, 0), (5, FOREVER, 2)]
    assert list(first_in_turn([5, 5, 6, FOREVER])) == [(BEGINNING, 5, 0), (5, 6, 2), (6, FOREVER, 3)]
