"""Check digits, against examples that others have published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wire.numbering.check_digits import mod10, s10

SERIALS = st.text("0123456789", min_size=8, max_size=8)


@pytest.mark.parametrize(
    ("number", "check"),
    (
        ("47312482", "9"),  # the worked example of UPU S10, as Wikipedia retells it
        ("12345678", "5"),  # RB123456785GB, Royal Mail's specimen
        ("00000000", "5"),  # 11 is written 5
        ("00000006", "2"),
        ("00000008", "0"),  # 10 is written 0
    ),
)
def test_s10_is_that_of_the_standard(number: str, check: str) -> None:
    assert s10(number) == check


@pytest.mark.parametrize(
    ("number", "check"),
    (
        ("629104150021", "3"),  # GS1's own example of a GTIN-13
        ("37610425002123456", "9"),  # GS1's own example of an SSCC
        ("910102683733100003952", "1"),  # specimens of USPS, Publication 91 and Track & Confirm
        ("940011189922381821840", "7"),
        ("0", "0"),
    ),
)
def test_mod10_is_that_of_gs1(number: str, check: str) -> None:
    assert mod10(number) == check


@given(SERIALS, st.integers(0, 7), st.integers(1, 9))
def test_one_mistyped_digit_is_another_s10_check_digit_but_for_the_two_that_are_folded(
    digits: str, place: int, by: int
) -> None:
    mistyped = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]

    # 10 is written 0 and 11 is written 5, the digits of 0 that does not come up and of 5: only those can be confused.
    assert s10(mistyped) != s10(digits) or s10(digits) == "5"


@given(st.text("0123456789", min_size=1, max_size=30), st.data())
def test_one_mistyped_digit_is_another_mod10_check_digit(digits: str, data: st.DataObject) -> None:
    place, by = data.draw(st.integers(0, len(digits) - 1)), data.draw(st.integers(1, 9))
    mistyped = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]

    assert mod10(mistyped) != mod10(digits)


@given(st.text("0123456789", min_size=1, max_size=30))
def test_a_number_with_its_mod10_digit_has_a_sum_that_ten_divides(digits: str) -> None:
    whole = digits + mod10(digits)

    assert sum((1, 3)[place % 2] * int(digit) for place, digit in enumerate(reversed(whole))) % 10 == 0
