"""The words of the pages: a TOML file a language, data only, and which of them a reader wants.

A catalogue is a table of texts, in tables by subject; `{name}` is a slot for a value. All languages have the same
keys with the same slots: one that lacks a text stops the process at its start, not a reader.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache, cached_property
from importlib import resources
from string import Formatter
from typing import Any, Final, NamedTuple

from babel import Locale

from service.errors import SettingsError

LANGUAGES: Final = ("en", "de", "fr", "es", "ar")
_RANGE: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")
_MOST_RANGES: Final = 20
_LONGEST_HEADER: Final = 500


class Catalogue:
    """The texts of one language, and its locale for dates."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self.texts = texts

    @cached_property
    def locale(self) -> Locale:
        return Locale(self.language)

    @property
    def direction(self) -> str:
        return "rtl" if self.locale.text_direction == "rtl" else "ltr"

    @property
    def own_name(self) -> str:
        """What its speakers call the language."""
        return self.texts["language"]

    def __call__(self, key: str, **values: str) -> str:
        """The text with its values. A key that no catalogue has is a mistake in the code: KeyError."""
        return self.texts[key].format(**values) if values else self.texts[key]


@cache
def load(*folders: str) -> dict[str, Catalogue]:
    """All languages: the texts of the public pages, or those of these folders together.

    Raises SettingsError where one lacks a text, or a slot in it, that English has.
    """
    catalogues = resources.files("service.web.html") / "catalogues"
    loaded: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for folder in folders or (".",):
        for language, texts in loaded.items():
            file = catalogues.joinpath(folder, f"{language}.toml")
            more = dict(_flat("", tomllib.loads(file.read_text(encoding="utf-8"))))
            if taken := more.keys() & texts.keys() - {"language"}:
                raise SettingsError(f"catalogues/{folder}/{language}.toml: text {min(taken)!r} is another folder's")
            texts.update(more)
    return checked(loaded)


def checked(loaded: Mapping[str, Mapping[str, str]]) -> dict[str, Catalogue]:
    """The catalogues, if they agree."""
    meant = loaded[LANGUAGES[0]]
    for language, texts in loaded.items():
        if texts.keys() != meant.keys():
            key = min(texts.keys() ^ meant.keys())
            raise SettingsError(f"catalogues/{language}.toml: {'unknown' if key in texts else 'missing'} text {key!r}")
        for key, text in texts.items():
            if not text.strip() or _slots(text) != _slots(meant[key]):
                raise SettingsError(f"catalogues/{language}.toml: {key!r} has to have the places of the English text")
    return {language: Catalogue(language, texts) for language, texts in loaded.items()}


def choose(query: str | None, accepted: str | None) -> str:
    """The language that was asked for by name, else the first that the browser accepts, else English."""
    if query in LANGUAGES:
        return query
    best, weight = LANGUAGES[0], 0.0
    for part in (accepted or "")[:_LONGEST_HEADER].split(",")[:_MOST_RANGES]:
        match = _RANGE.fullmatch(part)
        if match is None:
            continue
        language, quality = match[1].lower(), min(float(match[2] or 1), 1.0)
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


class PageLanguage(NamedTuple):
    """The language of a page; `is_chosen`: by name, on the page itself, and not by the browser or a cookie."""

    language: str
    is_chosen: bool


def page_language(query: str | None, remembered: str | None, accepted: str | None) -> PageLanguage:
    """What `query` (the parameter `lang`) names, else what was chosen before, else what the browser accepts."""
    return PageLanguage(choose(query if query in LANGUAGES else remembered, accepted), query in LANGUAGES)


def _flat(prefix: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            texts += _flat(f"{prefix}{key}.", value)
        else:
            texts.append((prefix + key, str(value)))
    return texts


def _slots(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
