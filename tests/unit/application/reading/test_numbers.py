"""What people type, paste and scan is understood, and two returns are never taken for each other."""

from __future__ import annotations

import doctest
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.application.reading import numbers
from service.application.reading.numbers import (
    MOST_CHARACTERS,
    MOST_NUMBERS,
    Match,
    Meant,
    decide,
    look,
    numbers_in,
    numbers_of,
    spelling,
)
from service.wire.models import NUMBER_PATTERN, compiled

any_number = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{2,20}", fullmatch=True)
is_number = compiled(NUMBER_PATTERN)


@pytest.mark.parametrize(
    ("typed", "meant"),
    (
        ("R-1001", ("R-1001",)),
        (" r-1001\u00a0", ("r-1001", "R-1001")),
        ("TK 1234 5678 NZ", ("TK12345678NZ",)),
        ("\uff34\uff2b\uff11\uff12\uff13", ("TK123",)),
        ("R-1001\u202e", ("R-1001",)),
        ("\ufeffR\u20111001\u200b", ("R-1001",)),
        ("R\u22121001", ("R-1001",)),
        ("R-\u0661\u0660\u0660\u0661", ("R-1001",)),
        ("", ()),
        ("ab", ()),
        ("R-1001'--", ()),
        ("R-1001\0", ()),
        ("x" * 65, ()),
        (" " * 300 + "R-1001", ()),
    ),
)
def test_a_number_is_understood_as_people_type_it(typed: str, meant: tuple[str, ...]) -> None:
    assert numbers_of(typed) == meant


@pytest.mark.parametrize(
    ("text", "found"),
    (
        ("https://shop.example/track/R-1001?lang=de#x", ["R-1001"]),
        ("https://shop.example/t?number=RET-2026-000123&utm=1", ["RET-2026-000123"]),
        ("My parcel RET-2026-000123 is late!", ["RET-2026-000123"]),
        ("(R-1001).", ["R-1001"]),
        ("R-1001, R-1002; r1003", ["R-1001", "R-1002", "r1003"]),
        ("R-1001\nR-1002", ["R-1001", "R-1002"]),
        ("420 22153 9101026837331000039521", ["9101026837331000039521"]),
        ("4201002334249200190132607600833457", ["9200190132607600833457"]),
        ("1001921334250001000300779017972697", ["779017972697"]),
        ("9622001900000000000000776632517510", ["776632517510"]),
        ("9611020987654312345672", ["987654312345672"]),
        ("nothing to see", []),
        ("x" * (MOST_CHARACTERS + 1), []),
    ),
)
def test_numbers_are_found_inside_of_what_was_pasted_or_scanned(text: str, found: list[str]) -> None:
    assert [number for number in numbers_in(text) if number in found] == found
    assert not found or numbers_in(text)


def test_so_many_numbers_are_looked_for_and_no_more() -> None:
    assert len(numbers_in(", ".join(f"R-{n}" for n in range(1000, 1100)))) == MOST_NUMBERS


def matches(*stored: str) -> list[Match]:
    return [Match(number, n, is_return_id=True) for n, number in enumerate(stored)]


@pytest.mark.parametrize(
    ("typed", "stored", "meant"),
    (
        ("r-1001", ["R-1001"], [Meant("r-1001", "R-1001")]),
        ("R1001", ["R-1001"], [Meant("R1001", "R-1001")]),
        ("R-10-01", ["R-1001"], [Meant("R-10-01", "R-1001")]),
        ("R-IOO1", ["R-1001"], [Meant("R-IOO1", "R-1001", is_guess=True)]),
        # Spelt alike comes before what only looks alike.
        ("RIO-1", ["RIO1", "R101"], [Meant("RIO-1", "RIO1")]),
        ("r-1001", ["R-1001", "R1001"], [Meant("r-1001", None, is_ambiguous=True)]),
        ("R-1O01", ["R-1001", "R-10O1"], [Meant("R-1O01", None, is_guess=True, is_ambiguous=True)]),
        ("R-1001", ["R-1001", "R1001"], [Meant("R-1001", "R-1001")]),
        ("R-9", ["R-1001"], []),
        ("R-1001, r-1002, R-1003", ["R-1001", "R-1002"], [Meant("R-1001", "R-1001"), Meant("r-1002", "R-1002")]),
    ),
)
def test_what_is_meant(typed: str, stored: Sequence[str], meant: list[Meant]) -> None:
    assert decide(numbers_in(typed), matches(*stored)) == meant


def test_a_return_and_its_own_label_are_one() -> None:
    found = [Match("R-1001", 1, is_return_id=True), Match("R1001", 1, is_return_id=False)]

    assert decide(numbers_in("r_1001"), found) == [Meant("r_1001", "R-1001")]


def test_a_tracking_number_of_two_carriers_is_one_number() -> None:
    found = [Match("TK1001", 1, is_return_id=False), Match("TK1001", 2, is_return_id=False)]

    assert decide(numbers_in("tk1001"), found) == [Meant("tk1001", "TK1001")]


@settings(deadline=None)
@given(st.text(max_size=300))
def test_whatever_is_pasted_gives_numbers_or_nothing(text: str) -> None:
    assert all(is_number(number) for number in (*numbers_of(text), *numbers_in(text)))


@settings(deadline=None)
@given(any_number, st.lists(any_number, max_size=4))
def test_a_stored_number_that_is_typed_is_that_one_whatever_looks_alike(number: str, others: list[str]) -> None:
    meant = decide(numbers_in(number), matches(*dict.fromkeys((number, *others))))

    assert all(one.number == number for one in meant if one.typed == number)


@settings(deadline=None)
@given(any_number, any_number)
def test_two_returns_that_look_alike_are_never_taken_for_each_other(typed: str, stored: str) -> None:
    twin = stored.swapcase() if stored.swapcase() != stored else f"{stored}-"
    meant = decide(numbers_in(typed), matches(stored, twin))

    assert all(one.number in (None, typed) for one in meant if one.typed == typed)


@settings(deadline=None)
@given(any_number)
def test_what_is_spelt_alike_looks_alike(number: str) -> None:
    assert spelling(number.lower()) == spelling(number)
    assert look(spelling(number)) == look(number)


def test_the_examples_of_the_module_are_true() -> None:
    assert doctest.testmod(numbers).failed == 0
