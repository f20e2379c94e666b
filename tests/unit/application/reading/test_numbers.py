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


@pytest.mark.parametrize(
    ("text", "found"),
    (
        # A text that may be one number is that first, and then what its words may be.
        ("R-1001 R-1002", ("R-1001R-1002", "R-1001", "R-1002")),
        ("see: R-1001 R-1002", ("R-1001R-1002", "R-1001", "R-1002")),
        ("AB1 abc1 1234567 12345678 word", ("AB1abc1123456712345678word", "abc1", "12345678")),
        # Words without a digit are no part of a number, and separators other than a space begin another one.
        ("my parcel 12345678, thanks", ("12345678",)),
        ("tel/123456789012", ("123456789012",)),
        ("order: 12 345 678", ("12345678",)),
        ("tk 1234 5678 nz; next", ()),
        ("see: " + "x" * 63 + "1 2", ("x" * 63 + "1",)),
        ("see: " + "x" * 62 + "1 2", ("x" * 62 + "12", "x" * 62 + "1")),
        ("see: TK12X, tk34_", ("TK12X", "tk34")),
        # Among others a word is telling from four characters on, or eight if it has no letter.
        ("see: AB1, abc1", ("AB1", "abc1")),
        ("for: AB1 word, abc1 word", ("abc1",)),
        ("for: 1234567 word, 12345678 word", ("12345678",)),
        ("Parcel no. R-1001, sent 2026-11-25 from 7 Hill", ("R-1001", "2026-11-25")),
        ("for: a1b-, a1b. word", ("a1b",)),
        # A bar code's own number goes before it.
        ("for: 420123459101026837331000039521", ("9101026837331000039521", "420123459101026837331000039521")),
        ("for: 420123459101026837331000039521 word", ("9101026837331000039521", "420123459101026837331000039521")),
        ("\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", ("12345678",)),
        ("\u0661\u0662\u0663\u0664", ("1234",)),
        ("TK\u20131234\u20145678", ("TK-1234-5678",)),
        ("TK\u200b1001\u00ad2", ("TK1001-2",)),
    ),
)
def test_nothing_else_is_taken_for_a_number(text: str, found: tuple[str, ...]) -> None:
    assert numbers_in(text) == found


def test_a_number_is_typed_with_so_many_spaces_and_a_text_is_pasted_up_to_a_length() -> None:
    spaced = "R" + " " * 196 + "123"
    pasted = "R-1001," + " " * (MOST_CHARACTERS - 7)

    assert (numbers_of(spaced), numbers_of(spaced + " ")) == (("R123",), ())
    assert (numbers_in(pasted), numbers_in(pasted + " ")) == (("R-1001",), ())
    assert numbers_in("," * (MOST_CHARACTERS - 6) + "R-1001") == ("R-1001",)


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
        # Typed twice it is one; of what is ambiguous each is asked again.
        ("R-1001, r1001", ["R-1001"], [Meant("R-1001", "R-1001")]),
        (
            "r-1001, r_1001",
            ["R-1001", "R1001"],
            [Meant("r-1001", None, is_ambiguous=True), Meant("r_1001", None, is_ambiguous=True)],
        ),
        ("R-1001, r-1002, R-1003", ["R-1001", "R-1002"], [Meant("R-1001", "R-1001"), Meant("r-1002", "R-1002")]),
    ),
)
def test_what_is_meant(typed: str, stored: Sequence[str], meant: list[Meant]) -> None:
    assert decide(numbers_in(typed), matches(*stored)) == meant


def test_a_return_and_its_own_label_are_one() -> None:
    found = [Match("R-1001", 1, is_return_id=True), Match("R1001", 1, is_return_id=False)]

    assert decide(numbers_in("r_1001"), found) == [Meant("r_1001", "R-1001")]
    # Whichever stands first among numbers, it is the return that is meant.
    turned = [Match("R-1001", 1, is_return_id=False), Match("R1001", 1, is_return_id=True)]
    assert decide(numbers_in("r_1001"), turned) == [Meant("r_1001", "R1001")]
    labels = [Match(number, 1, is_return_id=False) for number in ("R1001", "R-1001")]
    assert decide(numbers_in("r_1001"), labels) == [Meant("r_1001", "R-1001")]


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
