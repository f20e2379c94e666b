from __future__ import annotations

import pytest

from service.application.commands.labelling import (
    LONGEST_LINE,
    Label,
    LabelFormat,
    Labelling,
    LabelSize,
    NotPrintable,
    Parties,
    Party,
    Words,
    party,
    printable,
)
from service.wire.documents import tracking_url


def test_the_tracking_page_is_below_the_public_address_or_nowhere() -> None:
    assert tracking_url("https://returns.example", "R-1") == "https://returns.example/track/R-1"
    assert tracking_url("https://returns.example/shop/", "R-1") == "https://returns.example/shop/track/R-1"
    assert tracking_url(None, "R-1") is None


def test_a_text_is_composed_and_has_single_spaces() -> None:
    assert printable("x", "  Ju\u0308rgen \t\n Mu\u0308ller ") == "Jürgen Müller"
    assert printable("x", "مح\u200cمد") == "مح\u200cمد"


@pytest.mark.parametrize("text", ("a\0b", "a\u202eb", "a\x1bb", "a\ue000b", "a\ufffeb", "a\u2066b"))
def test_what_has_no_place_on_paper_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(NotPrintable, match=r"^sender.name: a text without control characters is expected$"):
        party("sender", {"name": text, "lines": []}, None)


def test_an_address_is_bounded_and_has_no_empty_lines() -> None:
    assert party("sender", {"name": "Jo", "lines": ["1 High St", " ", "Leeds"]}, "GB") == Party(
        "Jo", ["1 High St", "Leeds"], "GB"
    )
    assert party("sender", None, "GB") is None
    for wrong in ({"name": " ", "lines": []}, {"name": "Jo", "lines": ["x"] * 7}):
        with pytest.raises(NotPrintable):
            party("sender", wrong, None)
    with pytest.raises(NotPrintable) as refused:
        party("sender", {"name": "Jo", "lines": ["1 High St", "\x1b"]}, None)
    assert (refused.value.where, refused.value.what) == (
        "sender.lines.1",
        "a text without control characters is expected",
    )
    with pytest.raises(NotPrintable, match=f"at most {LONGEST_LINE} characters"):
        printable("x", "x" * (LONGEST_LINE + 1))


class Printing:
    """`Printing` that shows what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[Label, Words, LabelFormat, LabelSize]] = []

    def label(self, label: Label, words: Words, form: LabelFormat, size: LabelSize) -> bytes:
        self.given.append((label, words, form, size))
        return b"printed"

    def code(self, text: str) -> str:
        return f"<svg>{text}</svg>"


WORDS = Words("de", "Absender", "An", "Verfolgen", "Nummer", "Schneiden")
DOCUMENT = {"return_id": "R-1", "retailer": "acme", "carrier": "generic", "tracking_number": "GX-1"}


@pytest.mark.parametrize("public_url", ("https://returns.example", None))
def test_a_label_says_what_the_return_is_known_by_and_who_sends_it_to_whom(public_url: str | None) -> None:
    printing, sender, destination = Printing(), Party("Jo", ["1 High St"], "GB"), Party("Acme", ["2 Low St"])
    labelling = Labelling(printing, str.upper, public_url)

    printed = labelling.printed(DOCUMENT, Parties(sender, destination), WORDS, LabelFormat.PNG, LabelSize.A4)

    assert printed == b"printed"
    follow = None if public_url is None else "https://returns.example/track/R-1"
    label = Label("R-1", "acme", "GENERIC", "GX-1", follow, sender, destination)
    assert printing.given == [(label, WORDS, LabelFormat.PNG, LabelSize.A4)]
    assert labelling.code("text") == "<svg>text</svg>"


def test_a_line_is_as_long_as_paper_has_room_for() -> None:
    assert printable("x", "x" * LONGEST_LINE) == "x" * LONGEST_LINE
    assert party("sender", {"name": "Jo", "lines": ["x"] * 6}, None) == Party("Jo", ["x"] * 6)
    assert Party("Jo", ["1 High St"], "GB").text == ["Jo", "1 High St", "GB"]
    assert Party("Jo", ["1 High St"]).text == ["Jo", "1 High St"]
