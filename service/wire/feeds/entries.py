"""Files in TOML with a table for each of what they name: feeds, portals, publishers."""

from __future__ import annotations

import tomllib
from typing import Any, Final

from service.errors import SettingsError
from service.wire.models import SLUG_PATTERN, compiled

_is_slug: Final = compiled(SLUG_PATTERN)


def entries_of(text: str, origin: str, members: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The tables of the TOML `text`, which are named as slugs are and have these members. Raises SettingsError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{origin}: {error}") from None
    for name, entry in document.items():
        if not _is_slug(name) or not isinstance(entry, dict):
            raise SettingsError(f"{origin}: {name}: a table is expected, named in lower case")
        if unknown := entry.keys() - members:
            raise SettingsError(f"{origin}: {name}: unknown key {min(unknown)!r}")
    return document
