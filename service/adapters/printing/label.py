"""Labels by Typst: it sets text of any script, and makes PDF and PNG of the same page. The template is label.typ.

Whatever a caller gave is data to the template, never a part of it; it opens no file and no address.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Final

import typst

from service.adapters.printing import codes
from service.adapters.printing.fonts import families, fonts, missing_script
from service.application.commands.labelling import Label, LabelFormat, LabelSize, NotPrintable, Party, Words

_BARS_MM: Final = 20.0
_DPI: Final = 300


class TypstPrinting:
    """`service.application.commands.labelling.Printing`. Safe to use from many threads."""

    def __init__(self) -> None:
        self._template = (resources.files("service.adapters.printing") / "label.typ").read_bytes()

    def label(self, label: Label, words: Words, form: LabelFormat, size: LabelSize) -> bytes:
        """The label as a file."""
        for where, party in (("sender", label.sender), ("destination", label.destination)):
            _check(where, party)
        bars, bars_mm = codes.code128(label.tracking_number, _BARS_MM)
        content = {
            **label._asdict(),
            "sender": None if label.sender is None else label.sender.text,
            "destination": None if label.destination is None else label.destination.text,
            "words": words._asdict(),
            "size": size,
            "bars": bars,
            "bars_mm": bars_mm,
            "qr": None if label.tracking_url is None else codes.qr(label.tracking_url),
            "fonts": families(),
        }
        compiler = typst.Compiler(
            self._template,
            font_paths=fonts(),
            ignore_system_fonts=True,
            sys_inputs={"label": json.dumps(content, ensure_ascii=False)},
        )
        made = compiler.compile(format=form.value, ppi=_DPI, timestamp=0)
        if not isinstance(made, bytes):
            raise TypeError("a label is one page")
        return made

    def code(self, text: str) -> str:
        """A QR code of the text, as SVG."""
        return codes.qr(text)


def _check(where: str, party: Party | None) -> None:
    """Raises NotPrintable where a character would be an empty box: nobody delivers to those."""
    if party is None:
        return
    named = [(f"{where}.name", party.name), *((f"{where}.lines.{n}", line) for n, line in enumerate(party.lines))]
    for place, text in named:
        if (script := missing_script(text)) is not None:
            raise NotPrintable(
                place, f"no font of ours has {script} letters: write it in Latin ones, or those of the country"
            )
