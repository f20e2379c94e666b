"""Files in TOML that people write: carrier tables, feeds, portals, ranges of numbers, publishers. What is wrong names the file."""

from __future__ import annotations

import tomllib
from importlib.resources.abc import Traversable
from typing import Any, Final

from service.errors import SettingsError
from service.wire.models import SLUG_PATTERN, compiled

_is_slug: Final = compiled(SLUG_PATTERN)


def read_file(file: Traversable) -> str:
    """The text of the file. Raises SettingsError."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{file}: cannot be read as UTF-8 text") from None


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """The document. Raises SettingsError that starts with `origin` and names the line, and so finds what stands twice."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{origin}: {error}") from None


def entries_of(text: str, origin: str, members: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The tables of the TOML `text`, which are named as slugs are and have these members. Raises SettingsError."""
    document = parse_toml(text, origin)
    for name, entry in document.items():
        if not _is_slug(name) or not isinstance(entry, dict):
            raise SettingsError(f"{origin}: {name}: a table is expected, named in lower case")
        if unknown := entry.keys() - members:
            raise SettingsError(f"{origin}: {name}: unknown key {min(unknown)!r}")
    return document
