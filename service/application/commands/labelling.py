"""What stands on a return's label: its numbers, and two addresses that are printed and kept nowhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum, unique
from typing import Any, Final, NamedTuple, Protocol

from service.errors import ServiceError
from service.wire.documents import tracking_url

MOST_LINES: Final = 6  # of an address
LONGEST_LINE: Final = 80  # characters
# What keeps letters together or apart in some scripts, and marks of direction that end with their text.
_JOINERS: Final = frozenset("\u200c\u200d\u200e\u200f\u061c")


@unique
class LabelFormat(StrEnum):
    """What a label is given as."""

    PDF = "pdf"
    PNG = "png"


@unique
class LabelSize(StrEnum):
    """What it is printed on; A4 has the label of A6 in a corner to cut out."""

    A6 = "a6"
    A4 = "a4"


class NotPrintable(ServiceError):
    """A text cannot be printed. `where` says which, `what` is wrong with it without repeating it."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


class Party(NamedTuple):
    """Who sends, or who receives: a name, the lines of the address, and a country's name."""

    name: str
    lines: Sequence[str]
    country: str | None = None

    @property
    def text(self) -> list[str]:
        """Line by line."""
        return [self.name, *self.lines, *([self.country] if self.country else [])]


class Label(NamedTuple):
    """What is printed. `carrier` is its name for people; without `tracking_url` there is no QR code."""

    return_id: str
    retailer: str
    carrier: str
    tracking_number: str
    tracking_url: str | None
    sender: Party | None
    destination: Party | None


class Parties(NamedTuple):
    """From whom, and where to. None: there is room to write it by hand."""

    sender: Party | None = None
    destination: Party | None = None


class Words(NamedTuple):
    """The words between, in the language of whoever prints."""

    language: str
    sender: str
    destination: str
    follow: str
    number: str
    cut: str


class Printing(Protocol):
    """Prints labels. Raises NotPrintable; the same label gives the same bytes."""

    def label(self, label: Label, words: Words, form: LabelFormat, size: LabelSize) -> bytes:
        """The label as a file."""

    def code(self, text: str) -> str:
        """A QR code of the text, as SVG."""


class Labelling:
    """The use case: a return's label. `name_of` says what people call a carrier; `public_url` is where the pages are."""

    def __init__(self, printing: Printing, name_of: Callable[[str], str], public_url: str | None) -> None:
        self._printing, self._name_of, self._public_url = printing, name_of, public_url

    def printed(
        self, document: Mapping[str, Any], parties: Parties, words: Words, form: LabelFormat, size: LabelSize
    ) -> bytes:
        """The label of a return, of which `document` is what the API says of it. Raises NotPrintable."""
        return_id = document["return_id"]
        label = Label(
            return_id,
            document["retailer"],
            self._name_of(document["carrier"]),
            document["tracking_number"],
            tracking_url(self._public_url, return_id),
            parties.sender,
            parties.destination,
        )
        return self._printing.label(label, words, form, size)

    def code(self, text: str) -> str:
        """A QR code of the text, as SVG."""
        return self._printing.code(text)


def printable(where: str, text: str) -> str:
    """The text as it is printed: composed, with single spaces. Raises NotPrintable for what has no place on paper."""
    shown = " ".join(unicodedata.normalize("NFC", text).split())
    if len(shown) > LONGEST_LINE:
        raise NotPrintable(where, f"at most {LONGEST_LINE} characters are expected")
    if any(unicodedata.category(each).startswith("C") and each not in _JOINERS for each in shown):
        raise NotPrintable(where, "a text without control characters is expected")
    return shown


def party(where: str, given: Mapping[str, Any] | None, country: str | None) -> Party | None:
    """Who is meant by the name and lines that were given; empty lines are left out. Raises NotPrintable."""
    if given is None:
        return None
    name = printable(f"{where}.name", given["name"])
    lines = [printable(f"{where}.lines.{number}", line) for number, line in enumerate(given["lines"])]
    if not name:
        raise NotPrintable(f"{where}.name", "a name is expected")
    if len(lines) > MOST_LINES:
        raise NotPrintable(f"{where}.lines", f"at most {MOST_LINES} lines are expected")
    return Party(name, [line for line in lines if line], country)
