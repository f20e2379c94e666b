"""What a payload says, member by member: facts are strict, descriptions are cut to size or left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from service.wire.feeds.definition import Feed, is_slug

_LONGEST_TEXT: Final = 256  # of what describes an event and is no fact


def read_carrier(feed: Feed, scope: Mapping[str, Any]) -> str | None:
    """The carrier in our words: the feed's own, or the one that an aggregator names."""
    if feed.carrier is not None or feed.carrier_of is None:
        return feed.carrier
    name = read_text(feed.carrier_of.of(scope)).lower()
    ours = feed.carriers.get(name)
    if ours is not None:
        return ours
    slug = "-".join(name.split())
    return slug if is_slug(slug) else None


def read_fact(found: object) -> str | None:
    """A member that makes the fact: a text without the space around it, or a whole number as digits."""
    if isinstance(found, str):
        return found.strip() or None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def read_text(found: object) -> str:
    """A member that describes: what is not one is left out, and what is too long is cut."""
    if isinstance(found, list):
        return ", ".join(text for text in map(read_text, found) if text)[:_LONGEST_TEXT]
    return (read_fact(found) or "")[:_LONGEST_TEXT]


def read_location(said: Mapping[str, Any]) -> dict[str, str]:
    """The place, as far as one is told."""
    country = read_text(said.get("country")).upper()
    country = {"UK": "GB"}.get(country, country)
    location = {"name": read_text(said.get("place")), "code": read_text(said.get("place_code"))[:64]}
    if len(country) == 2 and country.isascii() and country.isalpha():
        location["country"] = country
    return {member: text for member, text in location.items() if text}


def without(value: Any, members: frozenset[str]) -> Any:
    """The value without these members, at any depth."""
    if not members:
        return value
    if isinstance(value, dict):
        return {name: without(each, members) for name, each in value.items() if name not in members}
    return [without(each, members) for each in value] if isinstance(value, list) else value


def canonical(value: Any) -> bytes:
    """The same bytes for the same JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
