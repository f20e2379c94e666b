"""Ranges of tracking numbers: what the file says, and what is wrong with one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import SettingsError
from service.wire.models import NUMBER_PATTERN, compiled
from service.wire.numbering.check_digits import Check
from service.wire.numbering.ranges import NumberRange, load_ranges, parse_ranges

S10 = {"carrier": "nzpost", "check": "s10", "prefix": "RR", "suffix": "NZ", "first": "10000000", "last": "10999999"}


PLAIN = {"carrier": "evri", "check": "none", "first": "0001", "last": "0002"}


def toml(*ranges: Mapping[str, object]) -> str:
    return "\n".join("[[range]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in each.items()) for each in ranges)


def test_a_range_gives_numbers_with_their_check_digits() -> None:
    mod10 = {"carrier": "usps", "check": "mod10", "prefix": "92055", "first": "000000000000", "last": "999999999999"}

    ranges = parse_ranges(toml(S10, mod10, {**PLAIN, "prefix": "H-"}), "x.toml")

    assert ranges.carriers == ("evri", "nzpost", "usps")
    assert [ranges.of(carrier)[0].number(7) for carrier in ranges.carriers] == [
        "H-0007",
        "RR000000076NZ",
        "920550000000000070",
    ]
    assert ranges.of("dhl") == ()


def test_without_a_file_and_with_an_empty_one_no_carrier_has_a_range() -> None:
    assert load_ranges(None).carriers == ()
    assert parse_ranges("", "x.toml").carriers == ()


def test_a_range_has_all_that_its_table_says_and_nothing_around_its_numbers_where_that_says_nothing() -> None:
    longest = {"first": "0" * 18, "last": "9" * 18}
    one = {"prefix": "A", "suffix": "Z", "first": "07", "last": "07"}

    ranges = parse_ranges(toml(PLAIN, {**PLAIN, **longest}, {**PLAIN, **one}), "x.toml")

    assert ranges.of("evri") == [
        NumberRange("evri", Check.NONE, "", "", 1, 2, 4),
        NumberRange("evri", Check.NONE, "", "", 0, 10**18 - 1, 18),
        NumberRange("evri", Check.NONE, "A", "Z", 7, 7, 2),
    ]


def test_a_sample_is_the_first_number_of_the_first_range() -> None:
    following = {**PLAIN, "first": "0003", "last": "0004"}

    assert parse_ranges(toml(S10, PLAIN, following), "x.toml").sample("evri") == "0001"


@pytest.mark.parametrize(
    ("changed", "said"),
    (
        *(({member: 1}, f"range 1.{member}: a text is expected") for member in S10),
        ({"check": "mod11"}, "range 1.check: one of s10, mod10, none is expected"),
        ({"prefix": "R"}, "two capital letters"),
        ({"suffix": "nz"}, "two capital letters"),
        ({"first": "1", "last": "2"}, "two capital letters"),
        ({"carrier": "NZ Post"}, "range 1.carrier"),
        ({"last": "999"}, "both the same"),
        ({"first": "20000000"}, "first before last"),
        ({"check": "none", "first": "0" * 19, "last": "1" * 19}, "at most 18 digits"),
        ({"first": "١٠٠٠٠٠٠٠"}, "as many digits"),
        ({"check": "none", "prefix": "-"}, "would not be one"),
        ({"unknown": "x"}, "unknown key 'unknown'"),
    ),
)
def test_what_is_wrong_with_a_range_is_named(changed: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=f"^x.toml: .*{said}"):
        parse_ranges(toml({**S10, **changed}), "x.toml")


@pytest.mark.parametrize("text", ("x", "[range]", "other = 1", "range = [1]", "[[range]]\ncarrier = 1"))
def test_a_file_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "numbers.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=f"^{re.escape(str(file))}: "):
        load_ranges(file)
    with pytest.raises(SettingsError, match=r"/none\.toml: "):
        load_ranges(tmp_path / "none.toml")


def test_ranges_that_could_give_one_number_twice_are_refused() -> None:
    following = {**S10, "first": "20000000", "last": "29999999"}
    plain = {"carrier": "evri", "check": "none", "prefix": "A1", "first": "000", "last": "999"}
    longer = {**plain, "prefix": "A", "first": "0000", "last": "0999"}

    assert len(parse_ranges(toml(S10, following, {**S10, "carrier": "other"}), "x").of("nzpost")) == 2
    for before in (following, {**S10, "first": "00000000", "last": S10["first"]}):
        with pytest.raises(SettingsError, match="range 2: ranges of one form"):
            parse_ranges(toml(before, S10), "x")
    with pytest.raises(SettingsError, match="range 2: could give a number"):
        parse_ranges(toml(plain, longer), "x")


def whole(prefix: str, suffix: str, digits: int) -> dict[str, str]:
    return {**PLAIN, "prefix": prefix, "suffix": suffix, "first": "0" * digits, "last": "9" * digits}


def numbers(of: dict[str, str]) -> set[str]:
    return {f"{of['prefix']}{serial:0{len(of['first'])}}{of['suffix']}" for serial in range(int(of["last"]) + 1)}


WHOLE = [whole(*form) for form in product(("", "1", "A", "A1", "AB"), ("", "1", "B"), (2, 3)) if form != ("", "", 2)]


@pytest.mark.parametrize("before", WHOLE, ids=lambda each: f"{each['prefix']}{each['last']}{each['suffix']}")
def test_of_two_ranges_with_all_their_digits_the_second_is_refused_where_they_share_a_number(
    before: dict[str, str],
) -> None:
    for after in WHOLE:
        if numbers(before).isdisjoint(numbers(after)):
            assert len(parse_ranges(toml(before, after), "x").of("evri")) == 2
        else:
            with pytest.raises(SettingsError, match=r"^x: range 2: "):
                parse_ranges(toml(before, after), "x")


@given(st.sampled_from(Check), st.integers(0, 10**8 - 2))
def test_the_numbers_of_a_range_differ_and_are_tracking_numbers(check: Check, serial: int) -> None:
    each = NumberRange("x", check, "RR", "NZ", 0, 10**8 - 1, 8)

    assert each.number(serial) != each.number(serial + 1)
    assert compiled(NUMBER_PATTERN)(each.number(serial))
