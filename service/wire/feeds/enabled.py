"""Which feeds are open, and the secrets that their senders know: the file that RETURNS_FEEDS_FILE names.

[omniparcel]                      # open at /v1/feeds/omniparcel
secret = "user:password"          # or secrets = ["new", "old"], two while one is rotated

[omniparcel-gb]                   # the same feed from another region, with a table of its own
feed = "omniparcel"
carrier = "omniparcel-gb"
secret = "..."

[omniparcel-final-mile]           # the same feed for the connotes that leave the hubs
feed = "omniparcel"
numbers = "connotes"
secret = "..."

[aftership]
secret = "..."
carriers = { "royal-mail" = "royalmail" }    # what it calls carriers, and what we call them

[royalmail]
secret = "..."
signature = { scheme = "token", header = "X-Feed-Token" }   # in place of the feed's own
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from service.errors import SettingsError
from service.wire.feeds.definition import Feed, are_connotes, is_slug
from service.wire.feeds.entries import entries_of
from service.wire.feeds.reading import Source
from service.wire.feeds.signatures import Scheme, parse_signature

SHORTEST_SECRET: Final = 8
_MEMBERS: Final = frozenset({"feed", "carrier", "carriers", "secret", "secrets", "signature", "numbers"})


@dataclass(frozen=True, slots=True)
class Enabled:
    """An open feed. The secrets are in no text that is made of it."""

    source: Source
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Enabled({self.source.name})"


def load_enabled(path: Path, feeds: Mapping[str, Feed]) -> dict[str, Enabled]:
    """The open feeds of the file. Raises SettingsError, which names the place and repeats no value."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{path}: cannot be read as UTF-8 text") from None
    return parse_enabled(text, feeds, str(path))


def parse_enabled(text: str, feeds: Mapping[str, Feed], origin: str) -> dict[str, Enabled]:
    """The open feeds that the TOML `text` names. Raises SettingsError that starts with `origin`."""
    entries = entries_of(text, origin, _MEMBERS)
    return {name: _enabled(f"{origin}: {name}", name, entry, feeds) for name, entry in entries.items()}


def _enabled(where: str, name: str, entry: Mapping[str, Any], feeds: Mapping[str, Feed]) -> Enabled:
    feed = feeds.get(entry.get("feed", name))
    if feed is None:
        raise SettingsError(f"{where}.feed: there is no such feed; there are {', '.join(sorted(feeds))}")
    if "signature" in entry:
        feed = replace(feed, signature=parse_signature(f"{where}.signature", entry["signature"]))
    if "numbers" in entry:
        feed = replace(feed, of_connotes=are_connotes(f"{where}.numbers", entry["numbers"]))
    carrier, carriers = entry.get("carrier"), entry.get("carriers", {})
    if carrier is not None and (not isinstance(carrier, str) or not is_slug(carrier) or feed.carrier is None):
        raise SettingsError(f"{where}.carrier: the name of a carrier is expected, of a feed with one carrier")
    if not isinstance(carriers, dict):
        raise SettingsError(f"{where}.carriers: a table is expected")
    return Enabled(Source(name, feed).under(carrier, carriers), _secrets(where, feed, entry))


def _secrets(where: str, feed: Feed, entry: Mapping[str, Any]) -> tuple[str, ...]:
    found = secrets_of(where, entry, SHORTEST_SECRET)
    if feed.signature.scheme in (Scheme.BASIC, Scheme.HEADERS) and not all(":" in each for each in found):
        raise SettingsError(f"{where}: this feed sends user and password: user:password is expected")
    return found


def secrets_of(where: str, entry: Mapping[str, Any], shortest: int) -> tuple[str, ...]:
    """What an entry has as `secret` or `secrets`. Raises SettingsError, which repeats none."""
    if ("secret" in entry) == ("secrets" in entry):
        raise SettingsError(f"{where}: either `secret` or `secrets` is expected")
    found = entry["secrets"] if "secrets" in entry else [entry["secret"]]
    if not isinstance(found, list) or not 1 <= len(found) <= 2 or not all(isinstance(each, str) for each in found):
        raise SettingsError(f"{where}: secret: a text is expected; secrets: one or two of them")
    if any(len(each) < shortest for each in found):
        raise SettingsError(f"{where}: a secret has at least {shortest} characters")
    return tuple(found)
