"""The numbers that carriers have allotted to us: the file that RETURNS_NUMBERS_FILE names.

    [[range]]
    carrier = "nzpost"
    check = "s10"          # of UPU S10; or "mod10" (GS1's, over all digits of prefix and serial number), or "none"
    prefix = "RR"          # stands before the serial number
    suffix = "NZ"          # stands behind the check digit
    first = "10000000"     # the serial numbers that are ours, with as many digits as are printed
    last = "10999999"

A carrier may have several; they are used in their order. What was given stays given, whatever becomes of the file: the
database knows it. A range can be made longer, and a new one put behind it, while the service runs elsewhere with the old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.errors import SettingsError
from service.wire.models import NUMBER_PATTERN, SLUG_PATTERN, compiled
from service.wire.numbering.check_digits import CHECK_DIGITS, S10_DIGITS, Check
from service.wire.toml_files import parse_toml, read_file

_MEMBERS: Final = frozenset({"carrier", "check", "prefix", "suffix", "first", "last"})
_MOST_DIGITS: Final = 18  # a bigint holds them
_IS_NUMBER: Final = compiled(NUMBER_PATTERN)
_IS_SLUG: Final = compiled(SLUG_PATTERN)
_SERIAL: Final = re.compile(r"[0-9]+")
_S10_LETTERS: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Serial numbers from `first` to `last`, printed with so many `digits`."""

    carrier: str
    check: Check
    prefix: str
    suffix: str
    first: int
    last: int
    digits: int

    @property
    def form(self) -> str:
        """What all numbers of the range have in common; ranges of one form continue each other."""
        return f"{self.prefix}{'#' * self.digits}{'' if self.check is Check.NONE else '+'}{self.suffix}"

    def number(self, serial: int) -> str:
        """The tracking number of a serial number, check digit included."""
        text = f"{serial:0{self.digits}}"
        checked = text if self.check is Check.S10 else "".join(filter(str.isdecimal, self.prefix)) + text
        return f"{self.prefix}{text}{CHECK_DIGITS[self.check](checked)}{self.suffix}"


class NumberRanges:
    """The ranges of all carriers; immutable."""

    def __init__(self, ranges: Iterable[NumberRange] = ()) -> None:
        self._ranges: dict[str, list[NumberRange]] = {}
        for each in ranges:
            self._ranges.setdefault(each.carrier, []).append(each)

    def of(self, carrier: str) -> Sequence[NumberRange]:
        """A carrier's, in the order in which they are used."""
        return self._ranges.get(carrier, ())

    def sample(self, carrier: str) -> str:
        """A number as the carrier's are; it is nobody's."""
        first = self._ranges[carrier][0]
        return first.number(first.first)

    @property
    def carriers(self) -> tuple[str, ...]:
        """The carriers that have a range, sorted."""
        return tuple(sorted(self._ranges))


def load_ranges(path: Path | None) -> NumberRanges:
    """The ranges of the file; none without one. Raises SettingsError, which names the place."""
    if path is None:
        return NumberRanges()
    return parse_ranges(read_file(path), str(path))


def parse_ranges(text: str, origin: str) -> NumberRanges:
    """The ranges that the TOML `text` names. Raises SettingsError that starts with `origin`."""
    document = parse_toml(text, origin)
    unknown = document.keys() - {"range"}
    entries = document.get("range", [])
    if unknown or not isinstance(entries, list):
        raise SettingsError(f"{origin}: nothing but [[range]] is expected")
    ranges: list[NumberRange] = []
    for number, entry in enumerate(entries, start=1):
        where = f"{origin}: range {number}"
        one = _range(where, entry)
        for other in ranges:
            _check_pair(where, other, one)
        ranges.append(one)
    return NumberRanges(ranges)


def _range(where: str, entry: object) -> NumberRange:
    if not isinstance(entry, dict):
        raise SettingsError(f"{where}: a table is expected")
    unknown = entry.keys() - _MEMBERS
    if unknown:
        raise SettingsError(f"{where}: unknown key {min(unknown)!r}")
    carrier = _text(where, entry, "carrier")
    if not _IS_SLUG(carrier):
        raise SettingsError(f"{where}.carrier: {SLUG_PATTERN} is expected")
    try:
        check = Check(_text(where, entry, "check"))
    except ValueError:
        raise SettingsError(f"{where}.check: one of {', '.join(Check)} is expected") from None
    prefix, suffix = _text(where, entry, "prefix", ""), _text(where, entry, "suffix", "")
    first, last = _text(where, entry, "first"), _text(where, entry, "last")
    if not _SERIAL.fullmatch(first) or not _SERIAL.fullmatch(last) or len(first) != len(last):
        raise SettingsError(f"{where}: first, last: texts of as many digits as are printed are expected, both the same")
    if len(first) > _MOST_DIGITS or int(first) > int(last):
        raise SettingsError(f"{where}: first, last: at most {_MOST_DIGITS} digits, first before last")
    found = NumberRange(carrier, check, prefix, suffix, int(first), int(last), len(first))
    _check_form(where, found)
    return found


def _check_form(where: str, found: NumberRange) -> None:
    if found.check is Check.S10 and not (
        found.digits == S10_DIGITS and _S10_LETTERS.fullmatch(found.prefix) and _S10_LETTERS.fullmatch(found.suffix)
    ):
        raise SettingsError(
            f"{where}: s10 has two capital letters, eight digits, a check digit and a country's letters"
        )
    if not _IS_NUMBER(found.number(found.first)):
        raise SettingsError(f"{where}: a tracking number of it would not be one: {NUMBER_PATTERN}")


def _check_pair(where: str, before: NumberRange, after: NumberRange) -> None:
    """Ranges whose numbers could be the same text are one after the other, so that one count goes through both."""
    if before.carrier != after.carrier:
        return
    if before.form == after.form:
        if before.check is not after.check or after.first <= before.last:
            raise SettingsError(f"{where}: ranges of one form {after.form} follow each other, and share no number")
        return
    one, other = (_kinds(each) for each in (before, after))
    if len(one) == len(other) and all(map(_can_be_same, one, other)):
        raise SettingsError(f"{where}: could give a number that {before.form} gives: {after.form}")


def _kinds(of: NumberRange) -> list[str]:
    """A number of the range, character by character; "" stands for any digit."""
    return [*of.prefix, *[""] * len(of.number(of.first)[len(of.prefix) :].removesuffix(of.suffix)), *of.suffix]


def _can_be_same(one: str, other: str) -> bool:
    return one == other or (not one and (not other or other.isdecimal())) or (not other and one.isdecimal())


def _text(where: str, entry: Mapping[str, Any], member: str, default: str | None = None) -> str:
    found = entry.get(member, default)
    if not isinstance(found, str):
        raise SettingsError(f"{where}.{member}: a text is expected")
    return found
