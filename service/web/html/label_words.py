"""The few words of a label, in the language of whoever prints it."""

from __future__ import annotations

from service.application.commands.labelling import Words
from service.web.html.catalogue import load


def country_name(code: str | None, language: str) -> str | None:
    """What a country is called in a language; one that no list has by its code."""
    return None if code is None else str(load("returns")[language].locale.territories.get(code, code))


def words(language: str) -> Words:
    """The words of a label."""
    texts = load("returns")[language]
    return Words(language, *(texts(f"label.{name}") for name in Words._fields[1:]))
