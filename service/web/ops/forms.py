"""The filters of a list as a form of the desk: which it offers, what its fields say, and what an address has of them.

The filters themselves are declared in `service.application.reading.filters`; a form adds words to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar, get_args
from urllib.parse import urlencode

from pydantic import ValidationError

from service.application.reading.filters import MOST_CHARACTERS, Filter
from service.application.reading.pages import PageKey
from service.web.http.cursors import decode_cursor, encode_cursor
from service.web.http.problems import Problem
from service.web.ops.desk import Visit, clean

_LONGEST_CURSOR: Final = 2048
_Filter = TypeVar("_Filter", bound=Filter)


class WrongQuery(ValueError):
    """No list has such an address."""


class Field(NamedTuple):
    """A filter in a form.

    `label` is the key of its text. `options` are the values of a closed list, each with the key of its text, or None where
    the value says itself; a filter without is typed. `suggestions` is the id of a list of values that the page has. `any` is
    the key of what no choice is called here, None: what it is called in the form.
    """

    name: str
    label: str
    options: Mapping[str, str | None] | None = None
    suggestions: str | None = None
    any: str | None = None


class Given(NamedTuple):
    """What an address has of a form: the text of each field, None for an empty one.

    `wrong` are those that cannot be meant so; of them, `nonsense` are those that no form of ours sends.
    """

    texts: dict[str, str | None]
    wrong: Sequence[str] = ()
    nonsense: Sequence[str] = ()

    @property
    def typed(self) -> dict[str, str]:
        """Those that are not empty."""
        return {name: text for name, text in self.texts.items() if text is not None}


@dataclass(frozen=True)
class Form(Generic[_Filter]):
    """A form over these filters. `ids` begins the ids of its fields, `any` is the key of what no choice is called.

    >>> form = Form(ExceptionFilter, (Field("carrier", "list.carrier"), Field("code", "list.code")))
    >>> form.read({"carrier": " DHL "}).texts
    {'carrier': 'dhl', 'code': None}
    """

    filters: type[_Filter]
    fields: tuple[Field, ...]
    ids: str = "by"
    any: str = "list.any"
    direction: str = "ltr"

    def read(self, query: Mapping[str, str]) -> Given:
        """What is in the parameters of an address. Slugs are written in small letters, whoever types them."""
        texts = {field.name: clean(query.get(field.name, "")) or None for field in self.fields}
        typed = {field.name for field in self.fields if field.options is None}
        for name in typed.intersection(self._wrong(texts)):
            small = texts | {name: (texts[name] or "").lower()}
            texts = texts if name in self._wrong(small) else small
        wrong = self._wrong(texts)
        nonsense = [name for name in wrong if name not in typed or len(texts[name] or "") > MOST_CHARACTERS]
        return Given(texts, wrong, nonsense)

    def _wrong(self, texts: Mapping[str, str | None]) -> list[str]:
        closed = [field for field in self.fields if field.options is not None]
        wrong = {field.name for field in closed if texts[field.name] not in (None, *(field.options or ()))}
        try:
            self.filters.model_validate({name: text for name, text in texts.items() if text is not None})
        except ValidationError as error:
            wrong |= {str(each["loc"][0]) for each in error.errors(include_input=False, include_url=False)}
        return [name for name in texts if name in wrong]


def values(filters: type[Filter], name: str, words: str) -> dict[str, str | None]:
    """The options of a filter with a closed list: every value, with the key `{words}{value}` of its text."""
    (values_of,) = (
        each
        for each in get_args(filters.model_fields[name].annotation)
        if isinstance(each, type) and issubclass(each, Enum)
    )
    return options((str(member.value) for member in values_of), words)


def options(names: Iterable[str], words: str | None) -> dict[str, str | None]:
    """Values with the keys of their texts; without `words` they say themselves."""
    return {name: None if words is None else f"{words}{name}" for name in names}


def page_key(visit: Visit, name: str) -> PageKey | None:
    """Where the page before ended, by this parameter. Raises WrongQuery."""
    cursor = visit.request.query_params.get(name) or None
    if cursor is not None and len(cursor) > _LONGEST_CURSOR:
        raise WrongQuery(name)
    try:
        return decode_cursor(cursor)
    except Problem:
        raise WrongQuery(name) from None


def address(path: str, filters: Mapping[str, str | None], end: PageKey | None = None, name: str = "after") -> str:
    """The address of a list with these filters, from behind the page that ended there on."""
    parameters = {key: value for key, value in filters.items() if value is not None}
    if end is not None:
        parameters[name] = encode_cursor(end)
    return f"{path}?{urlencode(parameters)}" if parameters else path
