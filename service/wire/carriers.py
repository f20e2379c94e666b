"""Carrier tables: what a carrier's own scan code asserts, and what its local times mean.

A table is a TOML file named after its carrier, data only:

    name = "Some Carrier"                 # shown to people
    sources = ["https://..."]             # optional: the public documents that the codes are from
    zone = "Europe/London"                # optional: the zone of local times in a feed without offsets
    elsewhere = ["N"]                     # optional: delivered codes that say "not at the door": a neighbour, a counter
    [collected]                           # asserts RT: collected from the consumer
    "0100" = "Picked up"                  # the carrier's code, as its feed writes it = what it means
    [movement]                            # asserts RT too: any physical scan proves it
    [delivered]                           # asserts RDTPF: marked delivered at the first-mile destination
    "D/*" = "Delivered"                   # a family: each code that begins with D/ and stands nowhere by itself
    [returning]                           # asserts nothing: on its way back to the sender
    [informational]                       # asserts nothing: pre-advice, failed attempts, lockers, traps

A code that no list has is unmapped, and so is every code of a carrier without a table: never guessed.

A table with `aggregator = true` is that of a service which brings many carriers' scans with statuses of its own. No
return has it for a carrier. Its statuses are read in the scans of any carrier as `NAME:STATUS`, so that they share no
name with the carrier's own codes: `aftership:Delivered_001`, where `aftership.toml` has `Delivered_001`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from service.domain.events import WHITE_SPACE, Effect, Sense
from service.domain.milestones import Milestone, Reason
from service.errors import SettingsError
from service.wire.models import SLUG_PATTERN, compiled
from service.wire.toml_files import parse_toml, read_file


@unique
class CodeList(StrEnum):
    """The lists of a table; a code stands in one of them."""

    COLLECTED = "collected"
    MOVEMENT = "movement"
    DELIVERED = "delivered"
    RETURNING = "returning"
    INFORMATIONAL = "informational"


_FAMILY: Final = "/*"
_MEMBERS: Final = frozenset({"name", "sources", "zone", "elsewhere", "aggregator", *CodeList})
ASSERTS: Final[dict[CodeList, Milestone | None]] = {
    CodeList.COLLECTED: Milestone.RT,
    CodeList.MOVEMENT: Milestone.RT,
    CodeList.DELIVERED: Milestone.RDTPF,
    CodeList.RETURNING: None,
    CodeList.INFORMATIONAL: None,
}


@dataclass(frozen=True, slots=True)
class CarrierCode:
    """One code of a carrier's table, understood. `elsewhere` tells of a delivery that it was not at the door."""

    code: str
    sense: Sense
    milestone: Milestone | None
    description: str
    listed: CodeList
    elsewhere: bool = False

    @property
    def returning(self) -> bool:
        """Whether the carrier is taking the parcel back to its sender."""
        return self.listed is CodeList.RETURNING


@dataclass(frozen=True, slots=True)
class CarrierTable:
    """One carrier's codes by code, the zone of its local times, and the documents that the codes are from."""

    carrier: str
    name: str
    zone: ZoneInfo | None
    codes: Mapping[str, CarrierCode]
    sources: tuple[str, ...] = ()
    aggregator: bool = False

    def find(self, code: str) -> CarrierCode | None:
        """What the code means: by itself, or as one of the longest family that it belongs to."""
        found = self.codes.get(code)
        end = len(code)
        while found is None and (end := code.rfind("/", 0, end)) >= 0:
            found = self.codes.get(code[:end] + _FAMILY)
        return found


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a scan says to the domain: as much of an event as its code decides."""

    sense: Sense
    milestone: Milestone | None = None
    unmapped_because: Reason | None = None
    effect: Effect | None = None


_UNKNOWN_CODE: Final = Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE)
_UNKNOWN_CARRIER: Final = Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CARRIER)
_EFFECTS: Final = {CodeList.COLLECTED: Effect.COLLECTED, CodeList.RETURNING: Effect.RETURNING}
_MAPPED: Final[dict[CodeList, Meaning]] = {
    listed: Meaning(Sense.INFORMS if says is None else Sense.ASSERTS, says, effect=_EFFECTS.get(listed))
    for listed, says in ASSERTS.items()
}


class CarrierTables:
    """The tables of all carriers; immutable once built."""

    def __init__(self, tables: Iterable[CarrierTable]) -> None:
        self._tables = {table.carrier: table for table in tables}
        # Most scans are read from here, without a look at families and aggregators.
        self._meanings = {
            (table.carrier, code): _MAPPED[entry.listed]
            for table in self._tables.values()
            if not table.aggregator
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
        return tuple(sorted(name for name, table in self._tables.items() if not table.aggregator))

    @property
    def aggregators(self) -> tuple[str, ...]:
        """The aggregators that have a table, sorted."""
        return tuple(sorted(name for name, table in self._tables.items() if table.aggregator))

    def name_of(self, carrier: str) -> str:
        """What people call a carrier; one without a table as it is called here."""
        table = self._tables.get(carrier)
        return carrier if table is None else table.name

    def table(self, carrier: str) -> CarrierTable | None:
        """The table of that name, an aggregator's too."""
        return self._tables.get(carrier)

    def knows(self, carrier: str) -> bool:
        """Whether the carrier has a table of its own."""
        table = self._tables.get(carrier)
        return table is not None and not table.aggregator

    def zone(self, carrier: str) -> ZoneInfo | None:
        """The zone of the carrier's local times; None where its table names none or it has no table."""
        table = self._tables.get(carrier)
        return table.zone if table else None

    def lookup(self, carrier: str, code: str) -> CarrierCode | None:
        """What the code says in this carrier's scans; None where no table knows."""
        table = self._tables.get(carrier)
        found = table.find(code) if table is not None and not table.aggregator else None
        if found is None:
            name, colon, status = code.partition(":")
            aggregator = self._tables.get(name) if colon else None
            found = aggregator.find(status) if aggregator is not None and aggregator.aggregator else None
        return found

    def understand(self, carrier: str, code: str) -> Meaning:
        """What the scan says: for a new scan, and for an unmapped one once the tables changed."""
        meaning = self._meanings.get((carrier, code))
        if meaning is not None:
            return meaning
        if code != (said := code.strip(WHITE_SPACE)):
            return self.understand(carrier, said)
        found = self.lookup(carrier, code)
        if found is not None:
            return _MAPPED[found.listed]
        return _UNKNOWN_CODE if self.knows(carrier) else _UNKNOWN_CARRIER


def read_named(text: str, origin: str, members: frozenset[str]) -> dict[str, Any]:
    """The TOML `text`, which has a `name` and no other members than these. Raises SettingsError that starts with `origin`."""
    document = parse_toml(text, origin)
    unknown = document.keys() - members
    if unknown:
        raise SettingsError(f"{_at(origin, text, min(unknown))}: unknown key {min(unknown)!r}")
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise SettingsError(f"{origin}: name: a text is expected")
    return document


def parse_table(carrier: str, text: str, origin: str) -> CarrierTable:
    """The table that the TOML `text` describes. Raises SettingsError that starts with `origin`."""
    document = read_named(text, origin, _MEMBERS)
    name: str = document["name"]
    aggregator = document.get("aggregator", False)
    if not isinstance(aggregator, bool):
        raise SettingsError(f"{_at(origin, text, 'aggregator')}: aggregator: true or false is expected")
    sources = _texts(origin, text, document, "sources")
    elsewhere = _texts(origin, text, document, "elsewhere")
    codes: dict[str, CarrierCode] = {}
    for code_list in CodeList:
        entries = document.get(code_list, {})
        if not isinstance(entries, dict):
            raise SettingsError(f"{_at(origin, text, code_list)}: {code_list}: a table of codes is expected")
        for code, description in entries.items():
            if wrong := _wrong_with(code, description, codes):
                raise SettingsError(f"{_at(origin, text, code)}: {code_list}.{code}: {wrong}")
            milestone = ASSERTS[code_list]
            sense = Sense.INFORMS if milestone is None else Sense.ASSERTS
            codes[code] = CarrierCode(code, sense, milestone, description, code_list, code in elsewhere)
    if not codes and "zone" not in document:  # a zone alone is enough where an aggregator reads the codes
        raise SettingsError(f"{origin}: the table has no code")
    for code in elsewhere:
        if code not in codes or codes[code].listed is not CodeList.DELIVERED:
            raise SettingsError(f"{_at(origin, text, 'elsewhere')}: elsewhere: {code!r} is no code of [delivered]")
    return CarrierTable(carrier, name, _zone(origin, text, document.get("zone")), codes, sources, aggregator)


def _texts(origin: str, text: str, document: Mapping[str, Any], member: str) -> tuple[str, ...]:
    found = document.get(member, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise SettingsError(f"{_at(origin, text, member)}: {member}: a list of texts is expected")
    return tuple(found)


def _wrong_with(code: str, description: object, seen: Mapping[str, CarrierCode]) -> str | None:
    """What is wrong with a line of a table, if anything is; where it stands is looked for only then."""
    if not code or code != code.strip() or len(code) > 128:
        return "a code has 1 to 128 characters and no space around it"
    if not isinstance(description, str) or not description:
        return "a text that says what the code means is expected"
    if code in seen:
        return "the code stands in two lists"
    if "*" in code and not (code.endswith(_FAMILY) and code.count("*") == 1 and len(code) > len(_FAMILY)):
        return "a star stands at the end of a family only, behind a slash: D/*"
    return None


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
        tables.append(parse_table(carrier, read_file(file), str(file)))
    return tables
