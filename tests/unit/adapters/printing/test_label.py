"""Labels are read back: the codes by a scanner's software, the text out of the PDF, the rest as pixels."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from service.adapters.printing.fonts import missing_script
from service.adapters.printing.label import TypstPrinting
from service.application.commands.labelling import (
    Label,
    LabelFormat,
    LabelSize,
    NotPrintable,
    Party,
    Words,
)
from service.web.html.label_words import words
from tests.support.codes import codes, pages, size_mm, text

pytestmark = pytest.mark.slow  # labels are set, drawn and read

PRINTING = TypstPrinting()
ENGLISH = words("en")
URL = "https://returns.example/track/OR7Z3K9Q2M5D1X"
LABEL = Label(
    "OR7Z3K9Q2M5D1X",
    "fjord-outdoor",
    "NZ Post",
    "RR123456785NZ",
    URL,
    Party("Jürgen Müller", ["Lindenstraße 12", "10115 Berlin"], "Germany"),
    Party("Returns hub", ["2 Dock Road"], None),
)


def printed(label: Label = LABEL, form: LabelFormat = LabelFormat.PDF, size: LabelSize = LabelSize.A6) -> bytes:
    return PRINTING.label(label, ENGLISH, form, size)


@pytest.mark.parametrize(("form", "size"), tuple(itertools.product(LabelFormat, LabelSize)))
def test_both_codes_are_read_from_every_format_and_size(form: LabelFormat, size: LabelSize) -> None:
    assert codes(printed(form=form, size=size)) == {"Code128": "RR123456785NZ", "QRCode": URL}


def test_the_paper_has_its_size_and_one_page() -> None:
    assert size_mm(printed()) == (105, 148)
    assert size_mm(printed(size=LabelSize.A4)) == (210, 297)
    assert pages(printed(form=LabelFormat.PNG))[0].size == (1240, 1748)


def test_what_is_printed_is_what_was_given_and_always_the_same_bytes() -> None:
    told = text(printed())

    for each in (
        "Jürgen Müller",
        "Lindenstraße 12",
        "Germany",
        "2 Dock Road",
        "NZ Post",
        "RR123456785NZ",
        "From",
        "To",
    ):
        assert each in told
    assert printed() == printed()


def test_without_a_public_address_there_is_no_qr_code_and_without_parties_room_to_write() -> None:
    blank = LABEL._replace(tracking_url=None, sender=None, destination=None)

    assert codes(printed(blank, LabelFormat.PNG)) == {"Code128": "RR123456785NZ"}
    assert "Follow" not in text(printed(blank))


@pytest.mark.parametrize("number", ("GX1", "9400111899223818218407", "OP-1.2_3", "A" * 24, "1" * 64))
def test_numbers_of_every_form_are_read(number: str) -> None:
    assert codes(printed(LABEL._replace(tracking_number=number), LabelFormat.PNG))["Code128"] == number


def test_a_number_whose_bars_nobody_could_read_is_refused() -> None:
    with pytest.raises(NotPrintable, match="tracking_number: it is too long"):
        printed(LABEL._replace(tracking_number="A1b" * 21))


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=38))
@settings(max_examples=8)
def test_whatever_a_tracking_number_is_made_of_its_bars_say_it(end: str) -> None:
    number = "A1" + end

    assert codes(printed(LABEL._replace(tracking_number=number), LabelFormat.PNG))["Code128"] == number


SCRIPTS = {
    "GREEK": "Ερμού 12, Αθήνα",
    "CYRILLIC": "ул. Тверская 7, Москва",
    "HEBREW": "רחוב הרצל 12",
    "ARABIC": "شارع الملك فهد 12، الرياض",
    "HAN": "東京都港区 北京市 臺北市",
    "HANGUL": "서울특별시 중구",
    "KANA": "さくらマンション",
    "THAI": "ถนนสุขุมวิท กรุงเทพ",
    "DEVANAGARI": "नई दिल्ली",
    "BENGALI": "ঢাকা",
    "TAMIL": "சென்னை",
    "GEORGIAN": "თბილისი",
    "ARMENIAN": "Երևան",
    "ETHIOPIC": "አዲስ አበባ",
    "VIETNAMESE": "Đường Nguyễn Huệ",
}


def test_any_script_that_a_font_has_prints() -> None:
    lines = list(SCRIPTS.values())

    assert [missing_script(line) for line in lines] == [None] * len(lines)
    for some in (lines[:5], lines[5:10], lines[10:]):
        label = LABEL._replace(sender=Party(some[0], some[1:]))
        assert codes(printed(label, LabelFormat.PNG)) == {"Code128": "RR123456785NZ", "QRCode": URL}


def test_arabic_is_joined_and_runs_from_right_to_left() -> None:
    """Joined letters are other glyphs than single ones; the text starts at the right."""

    def name(line: str) -> Image.Image:
        label = LABEL._replace(sender=Party(line, []))
        page = PRINTING.label(label, words("ar"), LabelFormat.PNG, LabelSize.A6)
        return ImageOps.invert(pages(page)[0].crop((55, 215, 1185, 255)))

    joined, apart = name("محمد"), name("م\u200cح\u200cم\u200cد")

    left, _, right, _ = joined.getbbox() or (0, 0, 0, 0)
    assert right == pytest.approx(joined.width, abs=5)
    assert left > joined.width / 2
    assert joined.tobytes() != apart.tobytes()


def test_a_script_that_no_font_has_is_refused_by_its_name_and_not_printed_as_boxes() -> None:
    with pytest.raises(NotPrintable, match=r"sender.lines.1: no font of ours has TIBETAN letters") as refused:
        printed(LABEL._replace(sender=Party("Jo", ["x", "བོད་"])))

    assert "བ" not in str(refused.value)


def test_what_looks_like_markup_is_text() -> None:
    given = '#panic() $x$ *b* \\ #image("/etc/passwd") <tag> @ref ```'

    assert "#panic() $x$ *b*" in text(printed(LABEL._replace(sender=Party(given, [given]))))


@pytest.mark.parametrize("line", ("W" * 80, "w " * 40, "漢" * 80, "ش" * 80), ids=("word", "words", "han", "arabic"))
def test_the_longest_address_leaves_the_codes_readable_and_the_page_one(line: str) -> None:
    party = Party(line, [line] * 6, "United Kingdom")

    assert codes(printed(LABEL._replace(sender=party, destination=party))) == {
        "Code128": "RR123456785NZ",
        "QRCode": URL,
    }


@pytest.mark.parametrize("language", ("en", "de", "fr", "es", "ar"))
def test_every_language_has_the_words_of_a_label(language: str) -> None:
    found: Words = words(language)

    assert all(found)
    assert all(missing_script(word) is None for word in found)
    assert codes(PRINTING.label(LABEL, found, LabelFormat.PDF, LabelSize.A6))["QRCode"] == URL
