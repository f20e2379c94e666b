"""Reads labels as scanners do."""

from __future__ import annotations

from io import BytesIO

import pypdfium2
import zxingcpp
from PIL import Image

_DPI = 300


def pages(file: bytes) -> list[Image.Image]:
    """The pixels of a PNG, or of each page of a PDF as a printer of 300 dpi has them."""
    if not file.startswith(b"%PDF"):
        return [Image.open(BytesIO(file)).convert("L")]
    with pypdfium2.PdfDocument(file) as document:
        return [page.render(scale=_DPI / 72, grayscale=True).to_pil() for page in document]


def codes(file: bytes) -> dict[str, str]:
    """What stands in the codes of the one page that there is, by the kind of code."""
    (page,) = pages(file)
    return {found.format.name: found.text for found in zxingcpp.read_barcodes(page)}


def text(file: bytes) -> str:
    """The text of a PDF, with single spaces."""
    with pypdfium2.PdfDocument(file) as document:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


def size_mm(file: bytes) -> tuple[int, int]:
    """The size of a PDF's first page."""
    with pypdfium2.PdfDocument(file) as document:
        width, height = document[0].get_size()
    return round(width / 72 * 25.4), round(height / 72 * 25.4)
