from __future__ import annotations

import pytest

from service.application.commands.labelling import LONGEST_LINE, NotPrintable, Party, party, printable
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
    with pytest.raises(NotPrintable, match=f"at most {LONGEST_LINE} characters"):
        printable("x", "x" * (LONGEST_LINE + 1))
