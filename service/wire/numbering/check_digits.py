"""Check digits of tracking numbers: one digit that tells a mistyped number from a right one."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum, unique
from typing import Final

S10_DIGITS: Final = 8
_S10_WEIGHTS: Final = (8, 6, 4, 2, 3, 5, 9, 7)


@unique
class Check(StrEnum):
    """How a carrier makes its check digit."""

    S10 = "s10"
    MOD10 = "mod10"
    NONE = "none"


def s10(digits: str) -> str:
    """That of UPU S10-12 for the eight digits of a serial number.

    >>> s10("47312482")
    '9'
    """
    if len(digits) != S10_DIGITS:
        raise ValueError("S10 has eight digits")
    rest = 11 - sum(weight * int(digit) for weight, digit in zip(_S10_WEIGHTS, digits, strict=True)) % 11
    return {10: "0", 11: "5"}.get(rest, str(rest))


def mod10(digits: str) -> str:
    """That of GS1's numbers, with weights 3 and 1 from the right, as most carriers with "mod 10" have it.

    >>> mod10("3761042500212345" "6")  # an SSCC
    '9'
    """
    total = sum((3, 1)[place % 2] * int(digit) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


CHECK_DIGITS: Final[dict[Check, Callable[[str], str]]] = {Check.S10: s10, Check.MOD10: mod10, Check.NONE: lambda _: ""}
