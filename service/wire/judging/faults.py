"""What is wrong with an event, in words that name where it is and what was expected there, never what came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, TypeVar

import pydantic_core

from service.errors import InvalidEvent
from service.wire import models
from service.wire.judging.countries import COUNTRY_PATTERN
from service.wire.reasons import Invalid

_REASONS: Final[dict[str, Invalid]] = {
    "missing": Invalid.MISSING_FIELD,
    "string_type": Invalid.WRONG_TYPE,
    "int_type": Invalid.WRONG_TYPE,
    "dict_type": Invalid.WRONG_TYPE,
    "list_type": Invalid.WRONG_TYPE,
}
_MOST_FAULTS: Final = 50  # that are told of one event
_MOST_CHARACTERS: Final = 4000  # of all of them in one text; the longest that one takes is some hundred
_EXPECTED: Final[dict[str, str]] = {
    models.TIME_PATTERN: "RFC 3339 with an offset is expected",
    models.LOCAL_TIME_PATTERN: "an ISO 8601 date and time without an offset is expected",
    COUNTRY_PATTERN: "an ISO 3166-1 alpha-2 country code is expected",
}
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Faults:
    """What several judgements have against one event. Of each place the first is told."""

    def __init__(self) -> None:
        self._errors: list[InvalidEvent] = []
        self._found: dict[str, str] = {}

    def judge(self, judgement: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """What it finds; None where it raises InvalidEvent, which is kept."""
        try:
            return judgement(*args, **kwargs)
        except InvalidEvent as error:
            # Its frames, and those of what it comes from, refer to this object: nobody would let go of either.
            error.__context__ = None
            self._errors.append(error.with_traceback(None))
            for path, what in error.faults:
                self._found.setdefault(path, what)
            return None

    def are_sound(self, *paths: str) -> bool:
        """Whether nothing was found there, within, or in what holds them."""
        return not any(_holds(path, found) or _holds(found, path) for path in paths for found in self._found)

    def require(self, judged: _T | None) -> _T:
        """What a judgement found, where none found a fault. Raises InvalidEvent with all of them."""
        error = self.error()
        if error is not None:
            # One of its own: what is raised refers to the frames of those who hold this object.
            raise InvalidEvent(error.reason, error.detail, error.faults)
        if judged is None:
            raise ValueError("a judgement without a fault finds something")
        return judged

    def error(self) -> InvalidEvent | None:
        """All of it; the reason is that of the first. None where nothing was found."""
        if len(self._errors) < 2:
            return next(iter(self._errors), None)
        faults = list(self._found.items())
        told = faults[:_MOST_FAULTS]
        return InvalidEvent(self._errors[0].reason, _sentence(told, len(faults)), told)


def _holds(path: str, other: str) -> bool:
    return other == path or other.startswith((f"{path}.", f"{path}["))


def invalid(complaints: Sequence[pydantic_core.ErrorDetails]) -> InvalidEvent:
    """All of the model's complaints; the reason is the first one's."""
    faults = [_fault(complaint) for complaint in complaints[:_MOST_FAULTS]]
    first, (path, _) = complaints[0], faults[0]
    pattern: str = first.get("ctx", {}).get("pattern", "")
    return InvalidEvent(_reason(first["type"], path, pattern), _sentence(faults, len(complaints)), faults)


def _sentence(faults: Sequence[tuple[str, str]], number: int) -> str:
    told: list[str] = []
    room = _MOST_CHARACTERS
    for path, expected in faults:
        told.append(f"{path}: {expected}")
        room -= len(told[-1]) + 2
        if room < 0:
            break
    more = f"; and {number - len(told)} more" if number > len(told) else ""
    return "; ".join(told) + more


def _fault(complaint: pydantic_core.ErrorDetails) -> tuple[str, str]:
    """Where, and what was expected there."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in complaint["loc"]).lstrip(".")
    if complaint["type"] == "missing":
        return path, "missing"
    message = complaint["msg"]
    return path, _EXPECTED.get(complaint.get("ctx", {}).get("pattern", ""), message[:1].lower() + message[1:])


def _reason(complaint: str, path: str, pattern: str) -> Invalid:
    if path == "datacontenttype":
        return Invalid.UNSUPPORTED_CONTENT_TYPE
    if pattern in (models.TIME_PATTERN, models.LOCAL_TIME_PATTERN):
        return Invalid.BAD_TIME
    return _REASONS.get(complaint, Invalid.BAD_VALUE)
