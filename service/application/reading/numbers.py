"""Numbers as people have them: typed by hand, copied with what stands around them, scanned from a label.

What is understood is tried in steps, and only the first step that finds something counts:

1. the number as it was typed, or in capital letters;
2. the numbers inside of it: of a pasted address or sentence, of several at once, of a carrier's longer barcode;
3. a number that differs from those in nothing but letter case, dashes, dots and underscores;
4. one that has `0` for `O` or `1` for `I`, or the other way round.

A step that could mean two different returns finds nothing and says so: nobody is shown another's parcel for a typing error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from service.wire.models import NUMBER_PATTERN, compiled

MOST_CHARACTERS: Final = 2_000  # of a text that somebody pasted; what is longer is no number
MOST_NUMBERS: Final = 10  # that are looked for in one text
_LONGEST_NUMBER: Final = 64
_MOST_TYPED: Final = 200  # of a number as people type it, spaces and all

_is_number: Final = compiled(NUMBER_PATTERN)
# Everything that carriers, keyboards and word processors use for a dash and Unicode does not call one.
_MORE_DASHES: Final = "\u2212\u00ad\u2043\u02d7"
_PIECES: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Between pieces of one number people leave a space or write a dash; anything else begins another one.
_CHUNKS: Final = re.compile(r"[^A-Za-z0-9._\- ]+")
_FOLD: Final = str.maketrans("OI", "01", "._-")
_DROP: Final = str.maketrans("", "", "._-")
# The bar code of the United States Postal Service: 420, the ZIP code it goes to (five or nine digits), then the number
# that is printed below it (Intelligent Mail package barcode, USPS Publication 199).
_USPS: Final = re.compile(r"420\d{5}(?:\d{4})?(9[1-5]\d{20}(?:\d{4})?)")
# The bar codes of FedEx end in the number that is printed: 34 digits in its last twelve, a Ground "96" in its last 15.
_FEDEX: Final = (re.compile(r"(?:10[01]|96\d)\d{19}(\d{12})"), re.compile(r"96\d{5}(\d{15})"))
# A word of a sentence is taken for a number from so many characters on: with letters and digits in it, or digits alone.
_MIXED, _DIGITS = 4, 8


class Match(NamedTuple):
    """A number that is stored, and the return that it leads to now."""

    number: str
    return_no: int
    is_return_id: bool


class Meant(NamedTuple):
    """One number that somebody asked for: what was typed, and the stored one that it leads to; None: to none.

    `is_guess`: digits and letters that look alike were taken for each other. `is_ambiguous`: several returns could be meant.
    """

    typed: str
    number: str | None
    is_guess: bool = False
    is_ambiguous: bool = False


def numbers_of(text: str) -> tuple[str, ...]:
    """The text as one number, as it was typed and in capital letters; none where it is more, or less, than that.

    >>> numbers_of(" tk 1234 5678 nz")
    ('tk12345678nz', 'TK12345678NZ')
    """
    if len(text) > _MOST_TYPED:
        return ()
    typed = "".join(_cleaned(text).split())
    return tuple(number for number in dict.fromkeys((typed, typed.upper())) if _is_number(number))


def numbers_in(text: str) -> tuple[str, ...]:
    """Every number that the text may hold, in the order in which they stand, the likeliest reading of each first.

    >>> numbers_in("https://shop.example/track?id=R-1001")
    ('R-1001',)
    """
    if len(text) > MOST_CHARACTERS:
        return ()
    found = dict.fromkeys(numbers_of(text)[:1])
    for chunk in _CHUNKS.split(_cleaned(text)):
        found.update(dict.fromkeys(_of_chunk(chunk)))
    return tuple(number for number in found if _is_number(number))[:MOST_NUMBERS]


def spelling(number: str) -> str:
    """What numbers have in common that differ in letter case, dashes, dots and underscores only."""
    return number.upper().translate(_DROP)


def look(number: str) -> str:
    """What numbers have in common that look alike: `spelling`, with `0` for `O` and `1` for `I`. So the index has it."""
    return number.upper().translate(_FOLD)


def decide(numbers: Sequence[str], found: Sequence[Match]) -> list[Meant]:
    """What these mean (see `numbers_in`), given every stored number that looks like one of them.

    Empty where none leads anywhere. One: it is meant. Several: somebody named several.
    """
    meant: list[Meant] = []
    for typed in numbers:
        one = _meant(typed, [match for match in found if look(match.number) == look(typed)])
        if one is not None and all(one.number != other.number or one.number is None for other in meant):
            meant.append(one)
    return meant


def _meant(typed: str, alike: Sequence[Match]) -> Meant | None:
    if not alike:
        return None
    for is_guess, same in ((False, [m for m in alike if spelling(m.number) == spelling(typed)]), (True, alike)):
        exact = [match for match in same if match.number == typed] or same
        if not exact:
            continue
        if len({match.number for match in exact}) > 1 and len({match.return_no for match in exact}) > 1:
            return Meant(typed, None, is_guess, is_ambiguous=True)
        best = min(exact, key=lambda match: (not match.is_return_id, match.number))
        return Meant(typed, best.number, is_guess)
    return None


def _cleaned(text: str) -> str:
    """Without what cannot be seen, with one kind of dash and of digits."""
    normal = unicodedata.normalize("NFKC", text[: MOST_CHARACTERS + 1])
    return "".join(_character(each) for each in normal)


def _character(each: str) -> str:
    if each in _MORE_DASHES or unicodedata.category(each) == "Pd":
        return "-"
    if each.isdecimal():
        return str(unicodedata.decimal(each))
    return "" if unicodedata.category(each) == "Cf" else each


def _of_chunk(chunk: str) -> Iterator[str]:
    """The numbers of a text without other separators than spaces: all of it as one, then its words."""
    whole = "".join(chunk.split())
    yield from _of_barcode(whole)
    words = [word.rstrip("._-") for word in _PIECES.findall(chunk)]
    if len(words) > 1 and len(whole) <= _LONGEST_NUMBER and all(any(map(str.isdigit, word)) for word in words):
        yield whole
    for word in words:
        if _is_telling(word, alone=len(words) == 1):
            yield from _of_barcode(word)
            yield word


def _is_telling(word: str, *, alone: bool) -> bool:
    """Whether a word may be a number; among others rather that than a date or a house."""
    if not any(map(str.isdigit, word)):
        return False
    return alone or len(word) >= (_MIXED if any(map(str.isalpha, word)) else _DIGITS)


def _of_barcode(digits: str) -> Iterator[str]:
    """The printed numbers inside of a longer bar code."""
    for code in (_USPS, *_FEDEX):
        if found := code.fullmatch(digits):
            yield found[1]
