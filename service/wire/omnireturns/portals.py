"""The retailers whose consumers make returns on our page: the file that RETURNS_PORTAL_FILE names.

[fjord-outdoor]
name = "Fjord Outdoor"                 # as consumers know it
secret = "..."                         # or secrets = ["new", "old"], two while one is rotated; 16 characters at least
route = "omnirps"
carrier = "nzpost"                     # of the first mile; it needs a range of numbers
origin_country = "NZ"                  # optional, both
destination_country = "NO"

[fjord-outdoor.destination]            # optional: printed on the label
name = "Fjord Outdoor Returns, c/o hub"
lines = ["12 Queen Street", "Auckland 1010"]
country = "NZ"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.domain.milestones import Route
from service.errors import SettingsError
from service.wire.feeds.enabled import secrets_of
from service.wire.judging.countries import is_country
from service.wire.numbering.ranges import NumberRanges
from service.wire.toml_files import entries_of, read_file

SHORTEST_SECRET: Final = 16
_MEMBERS: Final = frozenset(
    {"name", "secret", "secrets", "route", "carrier", "origin_country", "destination_country", "destination"}
)


@dataclass(frozen=True, slots=True)
class Portal:
    """What returns of a retailer's consumers have in common. The secrets are in no text that is made of it."""

    retailer: str
    name: str
    secrets: tuple[str, ...]
    route: Route
    carrier: str
    origin_country: str | None = None
    destination_country: str | None = None
    destination: Mapping[str, Any] | None = None  # `name`, `lines` and perhaps `country`

    def __repr__(self) -> str:
        return f"Portal({self.retailer})"


def load_portals(path: Path | None, ranges: NumberRanges) -> dict[str, Portal]:
    """The portals of the file, by retailer; none without one. Raises SettingsError, which repeats no value."""
    if path is None:
        return {}
    return parse_portals(read_file(path), str(path), ranges)


def parse_portals(text: str, origin: str, ranges: NumberRanges) -> dict[str, Portal]:
    """The portals that the TOML `text` names. Raises SettingsError that starts with `origin`."""
    entries = entries_of(text, origin, _MEMBERS)
    return {retailer: _portal(f"{origin}: {retailer}", retailer, entry, ranges) for retailer, entry in entries.items()}


def _portal(where: str, retailer: str, entry: Mapping[str, Any], ranges: NumberRanges) -> Portal:
    name, carrier = _text(where, entry, "name"), _text(where, entry, "carrier")
    try:
        route = Route(_text(where, entry, "route"))
    except ValueError:
        raise SettingsError(f"{where}.route: one of {', '.join(Route)} is expected") from None
    if not ranges.of(carrier):
        raise SettingsError(f"{where}.carrier: RETURNS_NUMBERS_FILE has no range of numbers of this carrier")
    return Portal(
        retailer,
        name,
        secrets_of(where, entry, SHORTEST_SECRET),
        route,
        carrier,
        _country(where, entry, "origin_country"),
        _country(where, entry, "destination_country"),
        _destination(where, entry),
    )


def _destination(where: str, entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = entry.get("destination")
    if found is None:
        return None
    where = f"{where}.destination"
    if not isinstance(found, dict) or found.keys() - {"name", "lines", "country"}:
        raise SettingsError(f"{where}: a table of name, lines and country is expected")
    lines = found.get("lines", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise SettingsError(f"{where}.lines: a list of texts is expected")
    return {"name": _text(where, found, "name"), "lines": lines, "country": _country(where, found, "country")}


def _country(where: str, entry: Mapping[str, Any], member: str) -> str | None:
    found = entry.get(member)
    if found is not None and not (isinstance(found, str) and is_country(found)):
        raise SettingsError(f"{where}.{member}: an ISO 3166-1 alpha-2 country code is expected")
    return found


def _text(where: str, entry: Mapping[str, Any], member: str) -> str:
    found = entry.get(member)
    if not isinstance(found, str) or not found.strip():
        raise SettingsError(f"{where}.{member}: a text is expected")
    return found
