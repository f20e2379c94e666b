"""Carrier tables: what a carrier's own scan code asserts, and what its local times mean.

A table is a TOML file named after its carrier, data only:

    name = "Some Carrier"                 # shown to people
    zone = "Europe/London"                # optional: the zone of local times in a feed without offsets
    [collected]                           # asserts RT: collected from the consumer
    "0100" = "Picked up"                  # the carrier's code, as its feed writes it = what it means
    [movement]                            # asserts RT too: any physical scan proves it
    [delivered]                           # asserts RDTPF: marked delivered at the first-mile destination
    [informational]                       # asserts nothing: pre-advice, failed attempts, traps

A code that no list has is unmapped, and so is every code of a carrier without a table: never guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from service.domain.events import Sense
from service.domain.milestones import Milestone, Reason
from service.errors import SettingsError
from service.wire.models import SLUG_PATTERN, compiled


@unique
class CodeList(StrEnum):
    """The lists of a table; a code stands in one of them."""

    COLLECTED = "collected"
    MOVEMENT = "movement"
    DELIVERED = "delivered"
    INFORMATIONAL = "informational"


ASSERTS: Final[dict[CodeList, Milestone | None]] = {
    CodeList.COLLECTED: Milestone.RT,
    CodeList.MOVEMENT: Milestone.RT,
    CodeList.DELIVERED: Milestone.RDTPF,
    CodeList.INFORMATIONAL: None,
}


@dataclass(frozen=True, slots=True)
class CarrierCode:
    """One code of a carrier's table, understood."""

    code: str
    sense: Sense
    milestone: Milestone | None
    description: str


@dataclass(frozen=True, slots=True)
class CarrierTable:
    """One carrier's codes by code, and the zone of its local times."""

    carrier: str
    name: str
    zone: ZoneInfo | None
    codes: Mapping[str, CarrierCode]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a scan says to the domain: as much of an event as its code decides."""

    sense: Sense
    milestone: Milestone | None = None
    unmapped_because: Reason | None = None


_UNKNOWN_CODE: Final = Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE)
_UNKNOWN_CARRIER: Final = Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CARRIER)
_MAPPED: Final[dict[tuple[Sense, Milestone | None], Meaning]] = {
    (sense, milestone): Meaning(sense, milestone)
    for sense, milestone in (
        (Sense.ASSERTS, Milestone.RT),
        (Sense.ASSERTS, Milestone.RDTPF),
        (Sense.INFORMS, None),
    )
}


class CarrierTables:
    """The tables of all carriers; immutable once built."""

    def __init__(self, tables: Iterable[CarrierTable]) -> None:
        self._tables = {table.carrier: table for table in tables}
        self._meanings = {
            (table.carrier, code): _MAPPED[entry.sense, entry.milestone]
            for table in self._tables.values()
            for code, entry in table.codes.items()
        }

    @classmethod
    def load(cls, *directories: Path) -> CarrierTables:
        """The tables that ship with the service; those of `directories` add to them or replace them, the last wins.

        Raises SettingsError that names the file and the place of the first mistake.
        """
        tables: dict[str, CarrierTable] = {}
        for directory in (resources.files("service.wire") / "carriers", *directories):
            tables |= {table.carrier: table for table in _load_directory(directory)}
        return cls(tables.values())

    @property
    def carriers(self) -> tuple[str, ...]:
        """The carriers that have a table, sorted."""
        return tuple(sorted(self._tables))

    def table(self, carrier: str) -> CarrierTable | None:
        return self._tables.get(carrier)

    def knows(self, carrier: str) -> bool:
        return carrier in self._tables

    def zone(self, carrier: str) -> ZoneInfo | None:
        """The zone of the carrier's local times; None where its table names none or it has no table."""
        table = self._tables.get(carrier)
        return table.zone if table else None

    def lookup(self, carrier: str, code: str) -> CarrierCode | None:
        table = self._tables.get(carrier)
        return table.codes.get(code) if table else None

    def understand(self, carrier: str, code: str) -> Meaning:
        """What the scan says: for a new scan, and for an unmapped one once the tables changed."""
        meaning = self._meanings.get((carrier, code))
        if meaning is not None:
            return meaning
        return _UNKNOWN_CODE if carrier in self._tables else _UNKNOWN_CARRIER


def parse_table(carrier: str, text: str, origin: str) -> CarrierTable:
    """The table that the TOML `text` describes. Raises SettingsError that starts with `origin`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Names the line, and so finds a code that stands twice in one list.
        raise SettingsError(f"{origin}: {error}") from None
    unknown = document.keys() - {"name", "zone", *CodeList}
    if unknown:
        raise SettingsError(f"{_at(origin, text, min(unknown))}: unknown key {min(unknown)!r}")
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise SettingsError(f"{origin}: name: a text is expected")
    codes: dict[str, CarrierCode] = {}
    for code_list in CodeList:
        entries = document.get(code_list, {})
        if not isinstance(entries, dict):
            raise SettingsError(f"{_at(origin, text, code_list)}: {code_list}: a table of codes is expected")
        for code, description in entries.items():
            _check_code(f"{_at(origin, text, code)}: {code_list}.{code}", code, description, codes)
            milestone = ASSERTS[code_list]
            sense = Sense.INFORMS if milestone is None else Sense.ASSERTS
            codes[code] = CarrierCode(code, sense, milestone, description)
    if not codes:
        raise SettingsError(f"{origin}: the table has no code")
    return CarrierTable(carrier, name, _zone(origin, text, document.get("zone")), codes)


def _check_code(where: str, code: str, description: object, seen: Mapping[str, CarrierCode]) -> None:
    if not code or code != code.strip() or len(code) > 128:
        raise SettingsError(f"{where}: a code has 1 to 128 characters and no space around it")
    if not isinstance(description, str) or not description:
        raise SettingsError(f"{where}: a text that says what the code means is expected")
    if code in seen:
        raise SettingsError(f"{where}: the code stands in two lists")


def _zone(origin: str, text: str, name: Any) -> ZoneInfo | None:
    if name is None:
        return None
    where = _at(origin, text, "zone")
    if not isinstance(name, str):
        raise SettingsError(f"{where}: zone: the name of a time zone is expected")
    try:
        return ZoneInfo(name)
    # ZoneInfoNotFoundError is a KeyError; a name like a path is a ValueError, the name of a directory an OSError.
    except (KeyError, ValueError, OSError):
        raise SettingsError(f"{where}: zone: {name!r} is not a known time zone") from None


def _at(origin: str, text: str, key: str) -> str:
    """`origin` with the line on which `key` was last written, where that can be told."""
    quoted = re.escape(key)
    line_of_key = re.compile(rf"""^\s*(?:\[\s*)?(?:{quoted}|"{quoted}"|'{quoted}')\s*[\]=]""")
    lines = [n for n, line in enumerate(text.splitlines(), start=1) if line_of_key.match(line)]
    return f"{origin}:{lines[-1]}" if lines else origin


def _load_directory(directory: Traversable) -> list[CarrierTable]:
    is_slug = compiled(SLUG_PATTERN)
    tables = []
    try:
        files = sorted((f for f in directory.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    except OSError as error:
        raise SettingsError(f"carrier tables: {directory}: {error.strerror}") from None
    for file in files:
        carrier = file.name.removesuffix(".toml")
        if not is_slug(carrier):
            raise SettingsError(f"{file}: the file is named after its carrier: {SLUG_PATTERN}")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{file}: cannot be read as UTF-8 text") from None
        tables.append(parse_table(carrier, text, str(file)))
    return tables
