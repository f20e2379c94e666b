"""The public pages: a return as its consumer sees it, and its first mile as OmniParcel shows it.

A number that is unknown, malformed or not yet seen gets one and the same answer. It repeats nothing but numbers: those
stay in the field, so that whoever mistyped one mends it and does not type it again. A number that people write in another
way than it is stored leads to the page under its own address (see `service.application.reading.numbers`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse

from service import logs
from service.application.reading.durations import DurationKeeper
from service.application.reading.numbers import Meant, decide, look, numbers_in, numbers_of
from service.application.reading.public import PublicReading, view_first_mile, view_return
from service.application.reading.redaction import Found
from service.errors import Retryable, ServiceError
from service.web.html.assets import Assets
from service.web.html.catalogue import PageLanguage, page_language
from service.web.html.rendering import Renderer
from service.web.http.headers import HTML, PAGE_HEADERS
from service.web.http.limits import Limiter, Rate, client_of
from service.web.public.live import Watch, parse_id
from service.wire.carriers import CarrierTables

_FOR_EVER: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "same-origin",
}
_NO_NUMBER: Final = "-"  # what nonsense is asked for as, so that an address repeats nothing either
_LONGEST_FIELD: Final = 200
_SECONDS_TO_COME_BACK: Final = "5"


@dataclass(frozen=True, slots=True)
class PublicLimits:
    """How much the public may ask of one process."""

    client: Rate
    number: Rate
    streams: int = 1000
    streams_of_a_client: int = 20


@dataclass(frozen=True, slots=True)
class Public:
    """What the public pages are made of."""

    reading: PublicReading
    tables: CarrierTables
    limits: PublicLimits
    stopping: Callable[[], bool] = lambda: False  # ends the streams, which would hold the process up
    monotonic: Callable[[], float] = time.monotonic


class Pages:
    """The routes of the public pages."""

    def __init__(self, public: Public) -> None:
        self._reading = public.reading
        self._tables = public.tables
        limits = public.limits
        self._clients = Limiter(limits.client, public.monotonic)
        self._numbers = Limiter(limits.number, public.monotonic)
        self._watch = Watch(public.reading, public.stopping, limits.streams, limits.streams_of_a_client)
        self._durations = DurationKeeper(public.reading, public.monotonic)
        self._assets = Assets()
        self._renderer = Renderer(self._assets)
        self.router = APIRouter()
        for path, endpoint in (
            ("/static/{name}", self.static),
            ("/track", self.form),
            ("/track/{number}/events", self.events),
            ("/track/{number:anything}", self.track),
            ("/first-mile/{number}/events", self.events),
            ("/first-mile/{number:anything}", self.first_mile),
        ):
            self.router.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)

    def static(self, name: str) -> Response:
        """A file that a page names; any other is not there."""
        asset = self._assets.find(name)
        if asset is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response(asset.body, media_type=asset.media_type, headers=_FOR_EVER)

    def form(self, request: Request) -> Response:
        """Asks for a number; a number that is given leads to its page."""
        given = request.query_params.get("number")
        if given is None:
            return self._answer(request, HTTPStatus.OK, "form.html")
        numbers = numbers_of(given)
        if not numbers and (inside := numbers_in(given)):
            return self._limited(request, (), given) or self._guarded(
                request, lambda: self._search(request, "track", inside)
            )
        return self._redirect(request, "track", numbers[0] if numbers else _NO_NUMBER)

    def track(self, request: Request) -> Response:
        """A return as its consumer sees it."""

        def show(found: Found, chosen: PageLanguage) -> str:
            view = view_return(found, self._tables)
            typical = None if view.complete or view.closed else self._durations.typical(view.route, view.status)
            typed = _typed(request, found.number)
            return self._renderer.return_page(view, typical, chosen.language, explicit=chosen.is_chosen, typed=typed)

        return self._show(request, "track", show)

    def first_mile(self, request: Request) -> Response:
        """The carrier's scans up to the first-mile destination."""

        def show(found: Found, chosen: PageLanguage) -> str:
            view = view_first_mile(found, self._tables)
            typed = _typed(request, found.number)
            return self._renderer.first_mile_page(view, chosen.language, explicit=chosen.is_chosen, typed=typed)

        return self._show(request, "first-mile", show)

    async def events(self, request: Request) -> Response:
        """Server-sent events that say that the page is to be asked for again."""
        client = client_of(request.client.host if request.client else None)
        waiting = self._clients.wait(client)
        if waiting or not self._watch.has_room(client):
            headers = {**PAGE_HEADERS, "retry-after": str(waiting or _SECONDS_TO_COME_BACK)}
            return Response(status_code=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
        seen = parse_id(request.headers.get("last-event-id") or request.query_params.get("after"))
        headers = {**PAGE_HEADERS, "x-accel-buffering": "no"}  # a proxy is not to collect the events
        if request.method == "HEAD":
            return Response(media_type=EventSourceResponse.media_type, headers=headers)
        stream = self._watch.stream(client, numbers_of(request.path_params["number"]), seen)
        return EventSourceResponse(stream, headers=headers)

    def _show(self, request: Request, page: str, show: Callable[[Found, PageLanguage], str]) -> Response:
        typed = request.path_params["number"]
        if not typed:
            return self.form(request)
        numbers = numbers_of(typed)

        def answer() -> Response:
            found = self._reading.find(numbers)
            if found is None:
                return self._search(request, page, numbers_in(typed))
            if len(sharing := self._reading.sharing(found.number)) > 1:
                return self._several(request, page, found.number, sharing)
            chosen = _language_of(request)
            return _html(request, HTTPStatus.OK, show(found, chosen), chosen)

        return self._limited(request, numbers, typed) or self._guarded(request, answer)

    def _several(self, request: Request, page: str, number: str, return_ids: Sequence[str]) -> Response:
        """The list of the returns in one box, which have one tracking number."""
        meant = [Meant(number, return_id) for return_id in return_ids]
        states = self._reading.states_of(return_ids)
        return self._answer(request, HTTPStatus.OK, "several.html", page=page, meant=meant, states=states, typed=number)

    def _search(self, request: Request, page: str, numbers: Sequence[str]) -> Response:
        """The page of what is alike, a list of several numbers, or that there is nothing to show."""
        typed = ", ".join(numbers)[:_LONGEST_FIELD]
        # Whoever asks for many at once asks for each of them.
        for number in numbers[1:]:
            if waiting := self._limited(request, (number,), number):
                return waiting
        meant = decide(numbers, self._reading.alike(numbers))
        if len(meant) > 1:
            states = self._reading.states_of([each.number for each in meant if each.number is not None])
            return self._answer(
                request, HTTPStatus.OK, "several.html", page=page, meant=meant, states=states, typed=typed
            )
        if not meant:
            is_live = "number" in request.path_params  # the address of a number, whose events can be asked for
            return self._answer(request, HTTPStatus.NOT_FOUND, "unknown.html", typed=typed, is_live=is_live)
        (one,) = meant
        if one.number is None:
            return self._answer(request, HTTPStatus.MULTIPLE_CHOICES, "ambiguous.html", typed=typed)
        return self._redirect(request, page, one.number, one.typed if one.is_guess else None)

    def _redirect(self, request: Request, page: str, number: str, typed: str | None = None) -> Response:
        chosen = _language_of(request)
        query = {"lang": chosen.language} if chosen.is_chosen else {}
        if typed is not None:
            query["typed"] = typed
        address = f"/{page}/{number}{f'?{urlencode(query)}' if query else ''}"
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={**PAGE_HEADERS, "location": address})

    def _limited(self, request: Request, numbers: Sequence[str], typed: str) -> Response | None:
        """The answer to whoever asks too much; None: go on."""
        client = client_of(request.client.host if request.client else None)
        waiting = self._clients.wait(client) or self._numbers.wait(tuple(numbers) or typed)
        if waiting:
            return self._trouble(request, HTTPStatus.TOO_MANY_REQUESTS, "limited", str(waiting))
        return None

    def _guarded(self, request: Request, answer: Callable[[], Response]) -> Response:
        try:
            return answer()
        except ServiceError as error:
            log = logs.get("web")
            (log.warning if isinstance(error, Retryable) else log.error)("request_failed", cause=str(error))
            return self._trouble(request, HTTPStatus.SERVICE_UNAVAILABLE, "failed", _SECONDS_TO_COME_BACK)

    def _answer(self, request: Request, status: HTTPStatus, template: str, **values: object) -> Response:
        chosen = _language_of(request)
        page = self._renderer.page(template, chosen.language, explicit=chosen.is_chosen, **values)
        return _html(request, status, page, chosen)

    def _trouble(self, request: Request, status: HTTPStatus, subject: str, retry_after: str) -> Response:
        response = self._answer(request, status, "trouble.html", subject=subject)
        response.headers["retry-after"] = retry_after
        return response


def _language_of(request: Request) -> PageLanguage:
    return page_language(request.query_params.get("lang"), None, request.headers.get("accept-language"))


def _typed(request: Request, number: str) -> str | None:
    """What was typed for the number that is shown; nothing but what looks like it, for anybody may write an address."""
    typed = request.query_params.get("typed")
    return typed if typed is not None and typed != number and look(typed) == look(number) else None


def _html(request: Request, status: HTTPStatus, page: str, chosen: PageLanguage) -> Response:
    body = page.encode()
    headers = {**PAGE_HEADERS, "content-language": chosen.language}
    if status is HTTPStatus.OK:
        etag = headers["etag"] = f'"{sha256(body).hexdigest()[:32]}"'
        known = request.headers.get("if-none-match")
        if known is not None and etag in (part.strip().removeprefix("W/") for part in known.split(",")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, status.value, headers, media_type=HTML)
