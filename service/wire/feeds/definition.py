"""What a feed is: a TOML file named after it, data only. Expressions are JMESPath (jmespath.org).

    name = "Some carrier's webhook"
    sources = ["https://..."]            # the public documents that its form is from
    carrier = "somecarrier"              # whose scans these are, and whose table reads the codes
    [signature]                          # see `signatures`
    scheme = "token"
    header = "X-Api-Key"
    [read]                               # of the JSON body:
    only = "type == 'tracking'"          # optional: another body is none of our business, and answered as received
    parcels = "shipments"                # the parcels in it; the body itself by default
    events = "scans"                     # the events of a parcel; the parcel itself by default
    number = "parcel.number"             # each of these is asked of {event, parcel, body}
    code = "event.code"
    time = "event.at"
    key = ["event.piece"]                # optional: what else tells two events of one code and time apart
    place = "[event.city, event.state]"  # optional: one text, or several to be joined; so are description, place_code,
                                         # country (ISO 3166-1 alpha-2), signed_by and carrier_code (an aggregator's: what
                                         # the carrier itself called it)
    [time]                               # optional
    format = "%Y%m%d%H%M%S"              # where it is not ISO 8601
    naive = "table"                      # a time without offset is that of the carrier table's zone; or utc
    offset = "ignore"                    # optional: an offset that is known to be wrong
    [withheld]                           # optional: members, at any depth of an event, that are not kept with it
    members = ["signature"]

An aggregator's has, in place of `carrier`:

    aggregator = "someaggregator"        # whose table reads the statuses, under its own name
    [carriers]
    from = "parcel.carrier"              # what it calls the carrier
    "royal-mail" = "royalmail"           # and what we call that; a name that is not here is taken in lower case

A final-mile carrier's has, besides, `numbers = "connotes"`: its numbers are those of connotes, see `deliveries`.

A file that the same carrier writes has its columns under [csv], with the members of [read], asked of {event}: one row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import jmespath
import jmespath.exceptions
import jmespath.parser

from service.errors import SettingsError
from service.wire.carriers import read_named
from service.wire.feeds.signatures import Signature, parse_signature
from service.wire.models import SLUG_PATTERN, compiled

_TOP: Final = frozenset(
    {"name", "sources", "carrier", "aggregator", "signature", "read", "time", "withheld", "carriers", "csv", "numbers"}
)
_REQUIRED: Final = ("number", "code", "time")
_OPTIONAL: Final = ("description", "place", "place_code", "country", "signed_by", "carrier_code")
_ROW: Final = frozenset({*_REQUIRED, *_OPTIONAL, "key"})
_BODY: Final = frozenset({"only", "parcels", "events"})
_LONGEST_EXPRESSION: Final = 500
_NAIVE: Final = ("table", "utc")
_NUMBERS: Final = ("labels", "connotes")
is_slug: Final = compiled(SLUG_PATTERN)


class Expression:
    """A JMESPath expression. What it cannot find, or cannot make sense of, is None."""

    __slots__ = ("_parsed", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        if len(text) > _LONGEST_EXPRESSION:
            raise ValueError(f"longer than {_LONGEST_EXPRESSION} characters")
        self.text = text
        try:
            self._parsed: jmespath.parser.ParsedResult = jmespath.compile(text)
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(str(error).splitlines()[0]) from None

    def of(self, document: object) -> Any:
        try:
            return self._parsed.search(document)
        except jmespath.exceptions.JMESPathError:  # say a join of what is not there
            return None


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the members of a scan stand, by their names; `key` is what else tells events apart."""

    members: Mapping[str, Expression]
    key: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written. `naive_utc`: one without an offset is UTC; else the carrier's table says."""

    format: str | None = None
    naive_utc: bool = False
    ignore_offset: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed's definition. `carrier` is None where each event names its own, by `carrier_of` and `carriers`."""

    feed: str
    name: str
    sources: tuple[str, ...]
    carrier: str | None
    aggregator: str | None
    carrier_of: Expression | None
    carriers: Mapping[str, str]
    signature: Signature
    only: Expression | None
    parcels: Expression | None
    events: Expression | None
    columns: Columns
    csv: Columns | None
    times: Times
    withheld: frozenset[str]
    of_connotes: bool = False


def load_feeds(*directories: Path) -> dict[str, Feed]:
    """The feeds that ship with the service; those of `directories` add to them or replace them, the last wins.

    Raises SettingsError that names the file and what is wrong.
    """
    feeds: dict[str, Feed] = {}
    for directory in (resources.files("service.wire.feeds"), *directories):
        feeds |= _load_directory(directory)
    return feeds


def _load_directory(directory: Traversable) -> dict[str, Feed]:
    try:
        files = sorted((f for f in directory.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    except OSError as error:
        raise SettingsError(f"feeds: {directory}: {error.strerror}") from None
    feeds = {}
    for file in files:
        name = file.name.removesuffix(".toml")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{file}: cannot be read as UTF-8 text") from None
        feeds[name] = parse_feed(name, text, str(file))
    return feeds


def parse_feed(feed: str, text: str, origin: str) -> Feed:
    """The feed that the TOML `text` describes. Raises SettingsError that starts with `origin`."""
    if not is_slug(feed):
        raise SettingsError(f"{origin}: the file is named after its feed: {SLUG_PATTERN}")
    document = read_named(text, origin, _TOP)
    name: str = document["name"]
    sources = document.get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(each, str) for each in sources):
        raise SettingsError(f"{origin}: sources: a list of texts is expected")
    carrier, aggregator, carrier_of, carriers = _whose(origin, document)
    read = _table(origin, document, "read", _ROW | _BODY)
    body = {member: _expression(f"{origin}: read.{member}", read.get(member)) for member in _BODY}
    columns = _columns(f"{origin}: read", read)
    csv = _columns(f"{origin}: csv", _table(origin, document, "csv", _ROW)) if "csv" in document else None
    return Feed(
        feed,
        name,
        tuple(sources),
        carrier,
        aggregator,
        carrier_of,
        carriers,
        parse_signature(f"{origin}: signature", document.get("signature")),
        body["only"],
        body["parcels"],
        body["events"],
        columns,
        csv,
        _times(origin, _table(origin, document, "time", frozenset({"format", "naive", "offset"}))),
        _withheld(origin, _table(origin, document, "withheld", frozenset({"members"}))),
        are_connotes(f"{origin}: numbers", document.get("numbers")),
    )


def are_connotes(where: str, numbers: object) -> bool:
    """What the numbers of a feed are: those of labels, or of connotes. Raises SettingsError that begins with `where`."""
    if numbers not in (None, *_NUMBERS):
        raise SettingsError(f"{where}: one of {', '.join(_NUMBERS)} is expected")
    return numbers == "connotes"


def _whose(
    origin: str, document: Mapping[str, Any]
) -> tuple[str | None, str | None, Expression | None, Mapping[str, str]]:
    carrier, aggregator = document.get("carrier"), document.get("aggregator")
    if (carrier is None) == (aggregator is None):
        raise SettingsError(f"{origin}: either `carrier` or `aggregator` is expected")
    whose = carrier if aggregator is None else aggregator
    if not isinstance(whose, str) or not is_slug(whose):
        raise SettingsError(f"{origin}: carrier, aggregator: the name of a carrier table is expected")
    if aggregator is None:
        if "carriers" in document:
            raise SettingsError(f"{origin}: carriers: only of an aggregator")
        return carrier, None, None, {}
    names = dict(_table(origin, document, "carriers", None))
    named_by = _expression(f"{origin}: carriers.from", names.pop("from", None))
    if named_by is None:
        raise SettingsError(f"{origin}: carriers.from: an expression is expected")
    return None, aggregator, named_by, names_of_carriers(f"{origin}: carriers", names)


def names_of_carriers(where: str, names: Mapping[str, Any]) -> Mapping[str, str]:
    """What others call carriers, in lower case, and what we call them. Raises SettingsError."""
    for name, ours in names.items():
        if not isinstance(ours, str) or not is_slug(ours):
            raise SettingsError(f"{where}.{name}: the name of a carrier is expected: {SLUG_PATTERN}")
    return {name.lower(): ours for name, ours in names.items()}


def _columns(where: str, document: Mapping[str, Any]) -> Columns:
    members = {member: _expression(f"{where}.{member}", document.get(member)) for member in (*_REQUIRED, *_OPTIONAL)}
    for member in _REQUIRED:
        if members[member] is None:
            raise SettingsError(f"{where}.{member}: an expression is expected")
    keys = document.get("key", [])
    if not isinstance(keys, list):
        raise SettingsError(f"{where}.key: a list of expressions is expected")
    found = [_expression(f"{where}.key", key) for key in keys]
    return Columns(
        {member: expression for member, expression in members.items() if expression is not None},
        tuple(expression for expression in found if expression is not None),
    )


def _times(origin: str, document: Mapping[str, Any]) -> Times:
    written, naive, offset = document.get("format"), document.get("naive", "table"), document.get("offset")
    if written is not None and (not isinstance(written, str) or not re.search(r"%[YmdHMSyjf]", written)):
        raise SettingsError(f"{origin}: time.format: a format like %Y-%m-%d %H:%M:%S is expected")
    if naive not in _NAIVE:
        raise SettingsError(f"{origin}: time.naive: one of {', '.join(_NAIVE)} is expected")
    if offset not in (None, "ignore"):
        raise SettingsError(f"{origin}: time.offset: only `ignore` is known")
    return Times(written, naive == "utc", offset == "ignore")


def _withheld(origin: str, document: Mapping[str, Any]) -> frozenset[str]:
    members = document.get("members", [])
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise SettingsError(f"{origin}: withheld.members: a list of texts is expected")
    return frozenset(members)


def _table(origin: str, document: Mapping[str, Any], name: str, known: frozenset[str] | None) -> Mapping[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise SettingsError(f"{origin}: {name}: a table is expected")
    unknown = found.keys() - known if known is not None else set()
    if unknown:
        raise SettingsError(f"{origin}: {name}: unknown key {min(unknown)!r}")
    return found


def _expression(where: str, text: object) -> Expression | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise SettingsError(f"{where}: an expression is expected, as a text")
    try:
        return Expression(text)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None
