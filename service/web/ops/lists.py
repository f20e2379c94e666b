"""The lists of the desk: what a list is, for its page and for its file alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import Response, StreamingResponse

from service.application.access.audit import Action
from service.application.reading.export import csv_chunks
from service.application.reading.pages import Page, PageKey, read_on
from service.web.http.headers import PAGE_HEADERS
from service.web.ops import query
from service.web.ops.desk import Desk, Visit

PAGE_ROWS: Final = 50
_HEADERS: Final = {**PAGE_HEADERS, "vary": "cookie", "referrer-policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class List:
    """A list as somebody asked for it: how to read its pages, and which filters were given."""

    read: Callable[[PageKey | None, int], Page]
    filters: dict[str, str | None]
    values: Mapping[str, Any] = field(default_factory=dict)  # for the template


def register(
    desk: Desk,
    path: str,
    template: str,
    columns: Sequence[str],
    ask: Callable[[Visit], List],
    *,
    section: str,
    export_only: bool = False,
) -> None:
    """A list under this path, and its file under the path with .csv. `ask` may raise WrongQuestion."""
    name = path.removeprefix("/ops/").replace("/", "-")

    def show(visit: Visit) -> Response:
        wanted = ask(visit)
        place = query.place(visit)
        page = read_on(lambda after: wanted.read(after, PAGE_ROWS), place)
        return visit.show(
            template,
            items=page.items,
            filters=wanted.filters,
            first=query.address(path, wanted.filters) if place is not None else None,
            next=query.address(path, wanted.filters, page.end) if page.end is not None else None,
            file=query.address(f"{path}.csv", wanted.filters),
            most=visit.parts.export_rows,
            path=path,
            **wanted.values,
        )

    def export(visit: Visit) -> Response:
        wanted = ask(visit)
        headers = {**_HEADERS, "content-disposition": f'attachment; filename="{name}.csv"'}
        if visit.request.method == "HEAD":
            return Response(status_code=HTTPStatus.OK, headers=headers, media_type="text/csv")
        visit.note(Action.EXPORT, None, list=name)
        chunks: Iterator[str] = csv_chunks(columns, wanted.read, visit.parts.export_rows)
        return StreamingResponse(chunks, headers=headers, media_type="text/csv")

    if not export_only:
        desk.page(path, query.checked(show), section=section)
    desk.page(f"{path}.csv", query.checked(export), section=section)
