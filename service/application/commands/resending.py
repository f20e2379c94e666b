"""What a dead letter is read as when it is sent through again: with the body that Kafka has of a thin one, and corrected
where somebody says how. Both are parsers around the parser, so that a replay is one and the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from msgspec.structs import replace

from service.application.access.audit import Key
from service.application.journal.ingest import Parser
from service.errors import InvalidEvent
from service.wire.cloudevents import STRUCTURED_HEADERS, decode, encode_event
from service.wire.inbound import Inbound
from service.wire.reasons import Invalid
from service.wire.record import Record

MOST_CHANGES: Final = 50
LONGEST_PATH: Final = 200
LONGEST_NAME: Final = 256  # of who corrects
_LONGEST_NOTE: Final = 1000
PATH_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_-]+|\[[0-9]{1,4}\])*$"
_is_path: Final = re.compile(PATH_PATTERN.removeprefix("^").removesuffix("$")).fullmatch
_STEP: Final = re.compile(r"\[([0-9]+)\]|([A-Za-z0-9_-]+)")
_GONE: Final = "; its body was not kept, and Kafka does not have it any more"
_AS_CORRECTED: Final = "as corrected: "

Changes = Mapping[str, Any]  # by path within the event, as in `data.items[0].quantity`: the values that go there


class Correction(NamedTuple):
    """What is set in a dead letter, and who says so."""

    changes: Changes
    by: str

    def noted(self) -> dict[Key, str | int]:
        """For the audit log, which members: the original is kept, and the history has what they became."""
        return {Key.CHANGED: ", ".join(self.changes)[:_LONGEST_NOTE], Key.BY: self.by}


class Bodies(Protocol):
    """What Kafka still has."""

    def fetch(self, record: Record) -> Record | None:
        """The record of these coordinates, whole; None where it is gone. Raises Retryable."""


class Fetching:
    """A parser that fetches the bodies of records that were kept without. May raise Retryable."""

    def __init__(self, parser: Parser, bodies: Bodies) -> None:
        self._parser, self._bodies = parser, bodies

    def parse(self, record: Record) -> Inbound:
        unread = record.unread
        if unread is None:
            return self._parser.parse(record)
        found = self._bodies.fetch(record)
        if found is None:
            raise InvalidEvent(unread.reason, unread.error.removesuffix(_GONE) + _GONE)
        return self._parser.parse(found)


class Correcting:
    """A parser that reads events as they are once these changes are made. Their keys say nothing any more."""

    def __init__(self, parser: Parser, changes: Changes) -> None:
        self._parser, self._changes = parser, changes

    def parse(self, record: Record) -> Inbound:
        event = decode(record)
        try:
            for path, value in self._changes.items():
                put(event, path, value)
            return self._parser.parse(
                replace(record, key=None, value=encode_event(event), headers=STRUCTURED_HEADERS, unread=None)
            )
        except InvalidEvent as error:
            raise InvalidEvent(error.reason, _AS_CORRECTED + error.detail, error.faults) from None


def put(event: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where the path says. Objects on the way that are not there are made. Raises InvalidEvent.

    >>> event = {"data": {"items": [{"sku": "S-1"}]}}
    >>> put(event, "data.items[0].quantity", 2)
    >>> put(event, "data.location.country", "NZ")
    >>> event
    {'data': {'items': [{'sku': 'S-1', 'quantity': 2}], 'location': {'country': 'NZ'}}}
    """
    steps = [int(number) if number else name for number, name in _STEP.findall(path)]
    here: Any = event
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if not _has_room(here, step):
            raise InvalidEvent(Invalid.BAD_VALUE, f"{path}: there is nothing that could have such a member")
        if following is None:
            here[step] = value
            return
        there = here[step] if isinstance(step, int) else here.get(step)
        if isinstance(following, str) and there in (None, ""):  # as good as absent
            there = here[step] = {}
        here = there


def _has_room(here: Any, step: int | str) -> bool:
    return isinstance(here, dict) if isinstance(step, str) else isinstance(here, list) and step < len(here)


def changes_of(assignments: Iterable[str]) -> dict[str, Any]:
    """What is to be set: `PATH=TEXT`, or `PATH:=JSON` for what is no text. Raises ValueError, which says what is wrong.

    >>> changes_of(["data.hub=akl-1", "data.items[0].quantity:=2"])
    {'data.hub': 'akl-1', 'data.items[0].quantity': 2}
    """
    changes = dict[str, Any]()
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        is_json = path.endswith(":")
        path = path.removesuffix(":").strip()
        if not equals or len(path) > LONGEST_PATH or not _is_path(path):
            raise ValueError("PATH=VALUE or PATH:=JSON is expected, with a path like data.items[0].quantity")
        try:
            changes[path] = json.loads(value, parse_constant=_no_json) if is_json else value
        except (ValueError, RecursionError):
            raise ValueError(f"{path}: JSON is expected behind :=") from None
    if len(changes) > MOST_CHANGES:
        raise ValueError(f"{MOST_CHANGES} members at most are set at a time")
    return changes


def _no_json(name: str) -> Any:
    raise ValueError(name)
