"""A wrong description never costs a fact: what an event says beside its fact is read as far as it can be understood.

The envelope and the required members of `data` are the fact, with the time it happened. Optional members describe it:
`""` and null mean absent, a country is read in any letter case, and what is still wrong is left out of what is understood.
The event is kept as it came, so that nothing of it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, NotRequired, get_origin, get_type_hints

import pydantic_core
from pydantic import TypeAdapter

from service.errors import InvalidEvent
from service.wire import models
from service.wire.judging.countries import is_country
from service.wire.judging.faults import invalid

# It decides when a scan happened.
_NO_DESCRIPTION: Final = frozenset({"local_time"})
_OF_WHAT: Final = frozenset({"return_id", "connote"})  # one of them is what a void is of
_DATA: Final[dict[str, Any]] = {
    event_type: get_type_hints(model)["data"] for event_type, model in models.MODELS.items()
}
_DESCRIPTIVE: Final[dict[str, frozenset[str]]] = {
    event_type: frozenset(
        member
        for member, hint in get_type_hints(data, include_extras=True).items()
        if get_origin(hint) is NotRequired and member not in _NO_DESCRIPTION | _OF_WHAT
    )
    for event_type, data in _DATA.items()
}
_FACTS: Final = {
    event_type: frozenset(get_type_hints(data)) - _DESCRIPTIVE[event_type] for event_type, data in _DATA.items()
}
_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "data")
_ILLEGIBLE: Final = "holds U+0000, half of a character, or a number beyond any double, which nobody can read"
_LONGEST_NAME: Final = 256
_LONGEST_CODE: Final = 64
_LONGEST_ORDER_NUMBER: Final = 128
_COUNTRIES: Final = {"UK": "GB"}  # said so often that everybody knows which one is meant
_WITH_LOCATION: Final = frozenset({models.CARRIER_SCANNED, models.HUB_DEPOT_SCANNED, models.CONNOTE_DELIVERED})


def forgiven(event_type: str, data: object, error: pydantic_core.ValidationError) -> tuple[str, ...]:
    """What of the data is not understood, where all that is wrong are descriptions. Else raises InvalidEvent, which tells
    what is wrong with the fact.

    Members are named by their path within `data`, without the places in lists: `items.quantity`.
    """
    complaints = error.errors(include_url=False, include_input=False)
    costly = [each for each in complaints if not _describes(event_type, data, each["loc"])]
    if costly:
        raise invalid(costly)
    return _not_understood(data, (each["loc"][1:] for each in complaints))


def illegible(event_type: object, paths: Sequence[Sequence[int | str]], error: InvalidEvent) -> tuple[str, ...]:
    """The members of `data` that describe, of the places in an event that nobody can read; members that are not known are
    ignored. Raises InvalidEvent with the error's reason where some of them are in the envelope, or in parts of the fact, and
    says which.
    """
    descriptive = _DESCRIPTIVE.get(str(event_type), frozenset())
    facts = _FACTS.get(str(event_type), frozenset())
    costly = [path for path in paths if len(path) < 2 or path[0] != "data" or path[1] in facts]
    if costly:
        named = dict.fromkeys(_named(path) for path in costly)
        faults = [(where, _ILLEGIBLE) for where in named]
        raise InvalidEvent(error.reason, "; ".join(f"{where}: {what}" for where, what in faults), faults)
    # No further than that: what stands within may be the publisher's own word.
    return tuple(dict.fromkeys(str(path[1]) for path in paths if path[1] in descriptive))


def _named(path: Sequence[int | str]) -> str:
    """Where in an event it is; an attribute that CloudEvents does not define is the publisher's own word."""
    if len(path) > 1 and path[0] == "data":
        return f"data.{path[1]}"
    return str(path[0]) if path and path[0] in _ATTRIBUTES else "the event"


def not_understood(event_type: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """The same for an event that was taken in."""
    if event_type not in _DATA:
        return ()
    try:
        _validator(event_type)(data)
    except pydantic_core.ValidationError as error:
        return _not_understood(data, (each["loc"] for each in error.errors(include_url=False, include_input=False)))
    return ()


def require_understood(event_type: str, data: Mapping[str, Any]) -> None:
    """For data that nobody has sent yet: raises InvalidEvent where anything of it is wrong, a description too."""
    try:
        _validator(event_type)(data)
    except pydantic_core.ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False)
        raise invalid([{**each, "loc": ("data", *each["loc"])} for each in complaints]) from None


@cache
def _validator(event_type: str) -> Callable[[object], object]:
    """Of data alone; made when it is asked for, which a worker never does."""
    return TypeAdapter(_DATA[event_type]).validator.validate_python


def text(value: object, longest: int) -> str | None:
    """The value if it is a text that says something and is no longer than that many characters; else None."""
    return value if isinstance(value, str) and 0 < len(value) <= longest else None


def country(value: object) -> str | None:
    """The ISO 3166-1 alpha-2 code that is meant; None where none is.

    >>> country("nz"), country("UK"), country("New Zealand")
    ('NZ', 'GB', None)
    """
    if not isinstance(value, str):
        return None
    said = value.strip().upper()
    meant = _COUNTRIES.get(said, said)
    return meant if is_country(meant) else None


def order_number(data: Mapping[str, Any]) -> str | None:
    """The retailer's own number of the order, in a valid creation's data."""
    return text(data.get("order_number"), _LONGEST_ORDER_NUMBER)


def location_of(event_type: str, data: Mapping[str, Any]) -> Mapping[str, str] | None:
    """The location in a valid event's data: its known members that say something; None where there are none.

    Only of types that have one: elsewhere a member of that name is unknown, so ignored.
    """
    location = data.get("location") if event_type in _WITH_LOCATION else None
    if not location or not isinstance(location, dict):
        return None
    try:
        return _location(location.get("name"), location.get("code"), location.get("country"))
    except TypeError:  # one of them is an object or a list
        return _location(*(value if isinstance(value, str) else None for value in map(location.get, _MEMBERS)))


_MEMBERS: Final = ("name", "code", "country")


@lru_cache(4096)
def _location(name: object, code: object, of_country: object) -> Mapping[str, str] | None:
    """One object for all events at a place: a worker remembers some hundred thousand of them."""
    members = {"name": text(name, _LONGEST_NAME), "code": text(code, _LONGEST_CODE), "country": country(of_country)}
    return {member: said for member, said in members.items() if said} or None


def _describes(event_type: str, data: object, path: Sequence[int | str]) -> bool:
    if len(path) < 2 or path[0] != "data" or not isinstance(data, dict):
        return False
    if path[1] in _NO_DESCRIPTION:
        return bool(data[path[1]] == "")  # as good as absent
    return path[1] in _DESCRIPTIVE[event_type]


def _not_understood(data: object, paths: Iterable[Sequence[int | str]]) -> tuple[str, ...]:
    wrong = (path for path in paths if not _is_understood(path[-1], _at(data, path)))
    return tuple(dict.fromkeys(".".join(step for step in path if isinstance(step, str)) for path in wrong))


def _is_understood(member: int | str, value: object) -> bool:
    return value == "" or (isinstance(member, str) and member.endswith("country") and country(value) is not None)


def _at(data: Any, path: Sequence[int | str]) -> object:
    """What stands there; None where nothing does."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data
