"""The lists of the desk: what a list is, for its page and for its file alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

from fastapi.responses import Response, StreamingResponse

from service.application.access.audit import Action
from service.application.reading.export import csv_chunks
from service.application.reading.filters import Filter
from service.application.reading.pages import Page, PageKey, WrongPageKey, read_on
from service.web.http.headers import PAGE_HEADERS
from service.web.ops import forms
from service.web.ops.desk import Desk, Visit
from service.web.ops.forms import Form, WrongQuery

PAGE_ROWS: Final = 50
_HEADERS: Final = {**PAGE_HEADERS, "vary": "cookie", "referrer-policy": "same-origin"}
_Filter = TypeVar("_Filter", bound=Filter)
Read = Callable[[PageKey | None, int], Page]


@dataclass(frozen=True, slots=True)
class List:
    """A list as an address has it: how to read its pages, and which filters were given.

    `read` answers with the page from behind a key on, of so many rows at most. `wrong` are filters that cannot be meant
    so: the page says it at their fields, and shows no rows. `values` are what its template needs besides.
    """

    read: Read
    filters: Mapping[str, str | None] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    wrong: Sequence[str] = ()


def narrowed(
    visit: Visit,
    form: Form[_Filter],
    read: Callable[[_Filter, PageKey | None, int], Page],
    values: Mapping[str, Any] | None = None,
    **fixed: Any,
) -> List:
    """The list that a form narrows; `fixed` are filters that it does not offer. Raises WrongQuery for nonsense.

    What no return or event can have, say a retailer of two words, finds nothing.
    """
    given = form.read(visit.request.query_params)
    if given.nonsense:
        raise WrongQuery(given.nonsense[0])
    shown = {"form": form, **(values or {})}
    if given.wrong:
        return List(lambda *_: Page([], None), given.texts, shown)
    wanted = form.filters(**given.typed, **fixed)
    return List(lambda after, limit: read(wanted, after, limit), given.texts, shown)


def register(
    desk: Desk,
    path: str,
    template: str,
    columns: Sequence[str],
    ask: Callable[[Visit], List],
    *,
    section: str,
    cursor: str = "after",
) -> None:
    """A list under this path, and its file under the path with .csv.

    `ask` answers with the list of a visit, and may raise WrongQuery: then nothing is there. `columns` are those of the
    file. `cursor` is the parameter that says where the page before ended.
    """
    name = path.removeprefix("/ops/").replace("/", "-")

    def show(visit: Visit) -> Response:
        return _page(visit, ask(visit), path, template, cursor)

    def export(visit: Visit) -> Response:
        return _file(visit, ask(visit), name, columns)

    desk.page(path, _checked(show), section=section)
    desk.page(f"{path}.csv", _checked(export), section=section)


def _page(visit: Visit, wanted: List, path: str, template: str, cursor: str) -> Response:
    given = {
        "filters": wanted.filters,
        "wrong": wanted.wrong,
        "file": forms.address(f"{path}.csv", wanted.filters),
        "most": visit.parts.export_rows,
        "path": path,
        **wanted.values,
    }
    if wanted.wrong:
        return visit.show(template, HTTPStatus.UNPROCESSABLE_ENTITY, items=[], first=None, next=None, **given)
    key = forms.page_key(visit, cursor)
    page = read_on(lambda after: wanted.read(after, PAGE_ROWS), key)
    first = forms.address(path, wanted.filters) if key is not None else None
    following = forms.address(path, wanted.filters, page.end, cursor) if page.end is not None else None
    return visit.show(template, items=page.items, first=first, next=following, **given)


def _file(visit: Visit, wanted: List, name: str, columns: Sequence[str]) -> Response:
    if wanted.wrong:
        raise WrongQuery(wanted.wrong[0])
    headers = {**_HEADERS, "content-disposition": f'attachment; filename="{name}.csv"'}
    if visit.request.method == "HEAD":
        return Response(status_code=HTTPStatus.OK, headers=headers, media_type="text/csv")
    visit.note(Action.EXPORT, None, list=name)
    chunks: Iterator[str] = csv_chunks(columns, wanted.read, visit.parts.export_rows)
    return StreamingResponse(chunks, headers=headers, media_type="text/csv")


def _checked(show: Callable[[Visit], Response]) -> Callable[[Visit], Response]:
    """The page, or one that says that there is nothing, for an address that is nonsense."""

    def answer(visit: Visit) -> Response:
        try:
            return show(visit)
        except (WrongQuery, WrongPageKey):
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")

    return answer
