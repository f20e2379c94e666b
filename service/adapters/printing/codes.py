"""Bar codes and QR codes as SVG."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import segno
from barcode.codex import Code128
from barcode.writer import SVGWriter

from service.application.commands.labelling import NotPrintable

DOTS_PER_MM: Final = 300 / 25.4
_WIDEST_MM: Final = 95.0
_QUIET_MODULES: Final = 10  # on either side, as Code 128 wants it
# So many dots of a 300 dpi printer a bar: the widest that fits. Below two of them scanners give up.
_DOTS: Final = (5, 4, 3, 2)


def code128(number: str, height_mm: float) -> tuple[str, float]:
    """The bars of a number, without its text, and how wide they are in mm, quiet zones included.

    Raises NotPrintable where they would be too narrow to be read.
    """
    modules = len(Code128(number).build()[0]) + 2 * _QUIET_MODULES
    for dots in _DOTS:
        module = dots / DOTS_PER_MM
        if modules * module <= _WIDEST_MM:
            out = BytesIO()
            options = {
                "module_width": module,
                "module_height": height_mm,
                "quiet_zone": _QUIET_MODULES * module,
                "write_text": False,
                "margin_top": 0,
                "margin_bottom": 0,
            }
            Code128(number, writer=SVGWriter()).write(out, options)
            return out.getvalue().decode(), modules * module
    raise NotPrintable("tracking_number", "it is too long for bars that scanners read")


def qr(text: str) -> str:
    """A QR code that a quarter of may be dirty, with its quiet zone."""
    out = BytesIO()
    segno.make(text, error="q", micro=False, boost_error=False).save(out, kind="svg", border=4, svgns=True)
    return out.getvalue().decode()
