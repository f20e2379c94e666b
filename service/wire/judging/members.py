"""What members of input events are: patterns and types, of which the models of the events are made."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict  # below Python 3.12 pydantic cannot use the one of `typing`

from service.wire.judging.countries import Country
from service.wire.judging.strictness import data

NUMBER_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{2,63}$"
SLUG_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
_DATE_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
TIME_PATTERN: Final = rf"^{_DATE_TIME}([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
LOCAL_TIME_PATTERN: Final = rf"^{_DATE_TIME}$"
JSON_MEDIA_TYPE_PATTERN: Final = (  # application/json in any letter case, with any parameters
    r"^[ \t]*" + "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in "application/json") + r"[ \t]*(;.*)?$"
)


def compiled(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches one of the patterns above, for callers without a model.

    Python's `$` would let a trailing newline pass.
    """
    match = re.compile(pattern.removeprefix("^").removesuffix("$")).fullmatch
    return lambda text: match(text) is not None


def _integral(value: object) -> object:
    """JSON knows one kind of number, so 2.0 is an integer to JSON Schema and here."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text(max_length: int, description: str | None = None, min_length: int = 1) -> Any:
    return Field(min_length=min_length, max_length=max_length, description=description)


Number = Annotated[str, Field(pattern=NUMBER_PATTERN)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
# Bounded, because they are kept with every event and repeated in the messages that the event causes.
EventId = Annotated[str, text(512)]
Quantity = Annotated[int, Field(ge=0, le=2_147_483_647), BeforeValidator(_integral)]
Time = Annotated[
    str,
    Field(
        pattern=TIME_PATTERN,
        max_length=64,
        description="When it happened: RFC 3339 with an offset; digits beyond microseconds are cut.",
        json_schema_extra={"format": "date-time"},
    ),
]
LocalTime = Annotated[
    str,
    Field(
        pattern=LOCAL_TIME_PATTERN,
        max_length=64,
        description="Takes the place of `time` where the carrier's feed has no offset: ISO 8601 date and time in the "
        "zone that the carrier's table names. An hour that a clock change repeats is taken as the first of the two, "
        "one that it skips as if the clock had not been changed yet.",
    ),
]


@data
class Location(TypedDict):
    """Where it happened, as far as the publisher knows."""

    name: NotRequired[Annotated[str, text(256, min_length=0)] | None]
    code: NotRequired[Annotated[str, text(64, min_length=0)] | None]
    country: NotRequired[Country | None]


@data
class ReturnedItem(TypedDict):
    """An item that the consumer sends back."""

    sku: Annotated[str, text(256)]
    quantity: Quantity
    description: NotRequired[str | None]
    reason: NotRequired[str | None]


@data
class ProcessedItem(TypedDict):
    """An item that the hub confirmed."""

    sku: Annotated[str, text(256)]
    quantity: Quantity
    condition: NotRequired[str | None]
    outcome: NotRequired[Literal["accepted", "rejected"] | None]
    reason: NotRequired[str | None]
