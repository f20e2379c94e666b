"""The fonts of labels, which ship with packages: which they are, and which characters they have."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import typst
from fontTools.ttLib import TTCollection, TTFont

_PACKAGES: Final = ("manimgx_fonts", "manimgx_fonts_cjk")
# What needs no glyph: it joins letters or says which way they go.
_INVISIBLE: Final = frozenset(map(ord, "\u200c\u200d\u200e\u200f\u061c"))


def _folders() -> list[Path]:
    return [Path(str(resources.files(package))) for package in _PACKAGES]


@cache
def fonts() -> typst.Fonts:
    """Those of the packages, and none of the machine's: a label looks the same wherever it is made."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=list(_folders()))


@cache
def families() -> tuple[str, ...]:
    """In the order in which they are asked for a character: the plain one, then the scripts, then Han as Japan writes it."""
    found = fonts().families()
    scripts = sorted(name for name in found if name.startswith("Noto Sans ") and "CJK" not in name)
    return ("Noto Sans", *scripts, "Noto Sans CJK JP", "Noto Emoji")


@cache
def characters() -> frozenset[int]:
    """Every character that some font has a glyph for. Takes a second, once in a process."""
    known: set[int] = set(_INVISIBLE)
    for folder in _folders():
        for file in sorted(folder.iterdir()):
            if file.suffix == ".ttf":
                with TTFont(file, lazy=True) as font:
                    known |= font.getBestCmap().keys()
            elif file.suffix == ".ttc":  # its faces have the same characters in other shapes
                with TTCollection(file, lazy=True) as collection:
                    known |= collection.fonts[0].getBestCmap().keys()
    return frozenset(known)


def missing_script(text: str) -> str | None:
    """The script of the first character that no font has, as Unicode names it; None where all print.

    >>> missing_script("བོད་")
    'TIBETAN'
    """
    for character in text:
        if ord(character) not in characters():
            return unicodedata.name(character, "UNKNOWN").split()[0]
    return None
