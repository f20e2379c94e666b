"""/returns/new: a consumer makes a return, by the link that the retailer signed; prints its label, cancels it, follows it.

Whoever has the link is the consumer: it is in every address of the page, those of its forms too, so that nothing is read of
who has none, and in no log. What is typed for the label goes onto the label alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from service import logs
from service.application.commands.creation import NumbersExhausted
from service.application.commands.labelling import (
    LabelFormat,
    Labelling,
    LabelSize,
    NotPrintable,
    Parties,
    Party,
    party,
)
from service.application.commands.portal import Made, NotChosen, Portals, ReturnReason, UnderWay
from service.errors import Retryable, ServiceError
from service.web.html.assets import Assets
from service.web.html.catalogue import PageLanguage, load, page_language
from service.web.html.label_words import country_name, words
from service.web.html.rendering import Templates
from service.web.http.forms import LONGEST_OF_STRANGERS, form_of
from service.web.http.headers import HTML, PAGE_HEADERS
from service.web.http.limits import Limiter, Rate, client_of
from service.wire.omnireturns.links import ExpiredLink, Invitation, WrongLink

PATH: Final = "/returns/new"
_SECONDS_TO_COME_BACK: Final = "5"
_MEDIA_TYPES: Final = {LabelFormat.PDF: "application/pdf", LabelFormat.PNG: "image/png"}
_AT_A_TIME: Final = 2  # labels that are drawn: each takes a tenth of a second of a core
_LONGEST_ADDRESS: Final = 1000
_Form = Mapping[str, str]


class Returning:
    """The routes of the page."""

    def __init__(
        self, portals: Portals, labelling: Labelling, rate: Rate, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._portals, self._labelling = portals, labelling
        self._clients = Limiter(rate, monotonic)
        self._drawing = threading.BoundedSemaphore(_AT_A_TIME)
        self._templates = Templates(Assets(), load(".", "returns"))
        self.router = APIRouter()
        for path, endpoint, methods in (
            (PATH, self.show, ["GET", "HEAD"]),
            (PATH, self.make, ["POST"]),
            (f"{PATH}/cancel", self.cancel, ["POST"]),
            (f"{PATH}/label", self.label, ["POST"]),
            (f"{PATH}/code.svg", self.code, ["GET", "HEAD"]),
        ):
            self.router.add_api_route(path, endpoint, methods=methods, include_in_schema=False)

    def show(self, request: Request) -> Response:
        """The form of a link, or the return that was made with it."""
        return self._with(request, lambda visit: visit.shown())

    async def make(self, request: Request) -> Response:
        """Make the return that was chosen, and show it under an address that can be loaded again."""

        def answer(visit: _Visit, form: _Form) -> Response:
            try:
                self._portals.make(visit.invitation, form)
            except NotChosen as error:
                return visit.page("new", HTTPStatus.UNPROCESSABLE_ENTITY, chosen=form, wrong=error.where)
            except NumbersExhausted:
                return visit.page("refused", HTTPStatus.SERVICE_UNAVAILABLE, subject="exhausted")
            return visit.redirect()

        return await self._posted(request, answer)

    async def cancel(self, request: Request) -> Response:
        """Take the return back, as long as no carrier has it."""

        def answer(visit: _Visit, _: _Form) -> Response:
            try:
                self._portals.cancel(visit.invitation)
            except UnderWay:
                return visit.shown("under_way", HTTPStatus.CONFLICT)
            return visit.redirect()

        return await self._posted(request, answer)

    async def label(self, request: Request) -> Response:
        """The label, with the sender that was typed, or with lines to write on."""

        def answer(visit: _Visit, form: _Form) -> Response:
            made = self._portals.made(visit.invitation)
            form_, size = _printed_as(form.get("as", ""))
            if made is None or made.cancelled:
                return visit.redirect()
            try:
                body = self._draw(visit, made, _sender(form), form_, size)
            except NotPrintable as error:
                problem = "name" if error.where.endswith("name") else "address"
                return visit.shown(problem, HTTPStatus.UNPROCESSABLE_ENTITY, form)
            name = f'inline; filename="{made.return_id}.{form_}"'
            # A browser shows a picture on a page of its own making, with styles in it.
            policy = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
            headers = {**PAGE_HEADERS, "content-disposition": name, "content-security-policy": policy}
            return Response(body, media_type=_MEDIA_TYPES[form_], headers=headers)

        return await self._posted(request, answer)

    def code(self, request: Request) -> Response:
        """The tracking number as a QR code, for a counter that prints."""

        def answer(visit: _Visit) -> Response:
            made = self._portals.made(visit.invitation)
            if made is None or made.cancelled:
                return Response(status_code=HTTPStatus.NOT_FOUND, headers=PAGE_HEADERS)
            picture = self._labelling.code(made.document["tracking_number"])
            return Response(picture, media_type="image/svg+xml", headers=PAGE_HEADERS)

        return self._with(request, answer)

    def _draw(self, visit: _Visit, made: Made, sender: Party | None, form: LabelFormat, size: LabelSize) -> bytes:
        language, to = visit.language, visit.invitation.portal.destination
        destination = None if to is None else party("destination", to, country_name(to.get("country"), language))
        parties = Parties(sender, destination)
        with self._drawing:
            return self._labelling.printed(made.document, parties, words(language), form, size)

    async def _posted(self, request: Request, answer: Callable[[_Visit, _Form], Response]) -> Response:
        """The answer to a form, of which nothing is read of who has no link that holds."""
        visit = await run_in_threadpool(self._enter, request)
        if isinstance(visit, Response):
            return visit
        form = await form_of(request, LONGEST_OF_STRANGERS)
        return await run_in_threadpool(_answered, visit, lambda: answer(visit, form))

    def _with(self, request: Request, answer: Callable[[_Visit], Response]) -> Response:
        """The answer to whoever has a link that holds; else why there is none."""
        visit = self._enter(request)
        return visit if isinstance(visit, Response) else _answered(visit, lambda: answer(visit))

    def _enter(self, request: Request) -> _Visit | Response:
        link = request.query_params.get("link", "")
        visit = _Visit(request, link, self._portals, self._templates)
        if waiting := self._clients.wait(client_of(request.client.host if request.client else None)):
            return visit.trouble(HTTPStatus.TOO_MANY_REQUESTS, "limited", str(waiting))
        try:
            visit.invitation = self._portals.invitation(link)
        except WrongLink:
            return visit.page("refused", HTTPStatus.FORBIDDEN, subject="wrong")
        except ExpiredLink:
            return visit.page("refused", HTTPStatus.GONE, subject="expired")
        return visit


def _answered(visit: _Visit, answer: Callable[[], Response]) -> Response:
    try:
        return answer()
    except ServiceError as error:
        log = logs.get("web")
        (log.warning if isinstance(error, Retryable) else log.error)("request_failed", cause=str(error))
        return visit.trouble(HTTPStatus.SERVICE_UNAVAILABLE, "failed", _SECONDS_TO_COME_BACK)


class _Visit:
    """One request: the link that it came with, and how it is answered."""

    invitation: Invitation

    def __init__(self, request: Request, link: str, portals: Portals, templates: Templates) -> None:
        self._portals, self._templates, self._link = portals, templates, link
        chosen: PageLanguage = page_language(
            request.query_params.get("lang"), None, request.headers.get("accept-language")
        )
        self.language, self._is_chosen = chosen.language, chosen.is_chosen

    def shown(
        self, problem: str | None = None, status: HTTPStatus = HTTPStatus.OK, typed: Mapping[str, str] | None = None
    ) -> Response:
        """The page of the link as it is now."""
        made = self._portals.made(self.invitation)
        if made is None:
            return self.page("new", status, chosen={}, wrong=())
        return self.page(
            "cancelled" if made.cancelled else "made", status, made=made, problem=problem, typed=typed or {}
        )

    def page(self, template: str, status: HTTPStatus, **values: Any) -> Response:
        """A page in the reader's language."""
        known = {"invitation": self.invitation} if hasattr(self, "invitation") else {}
        body = self._templates.page(
            f"returns/{template}.html",
            self.language,
            explicit=self._is_chosen,
            here=f"{urlencode({'link': self._link})}&",
            reasons=list(ReturnReason),
            **known,
            **values,
        )
        headers = {**PAGE_HEADERS, "content-language": self.language}
        return Response(body, status.value, headers, media_type=HTML)

    def trouble(self, status: HTTPStatus, subject: str, retry_after: str) -> Response:
        """Not now."""
        response = self.page("refused", status, subject=subject)
        response.headers["retry-after"] = retry_after
        return response

    def redirect(self) -> Response:
        """To the page of the link, so that loading it again sends no form."""
        query = {"link": self._link, **({"lang": self.language} if self._is_chosen else {})}
        headers = {**PAGE_HEADERS, "location": f"{PATH}?{urlencode(query)}"}
        return Response(status_code=HTTPStatus.SEE_OTHER, headers=headers)


def _printed_as(text: str) -> tuple[LabelFormat, LabelSize]:
    form, _, size = text.partition(".")
    try:
        return LabelFormat(form), LabelSize(size)
    except ValueError:
        return LabelFormat.PDF, LabelSize.A6


def _sender(form: Mapping[str, str]) -> Party | None:
    """Who was typed; None where nobody was. Raises NotPrintable."""
    name, address = form.get("name", "").strip(), form.get("address", "").strip()[:_LONGEST_ADDRESS]
    if not name and not address:
        return None
    return party("sender", {"name": name, "lines": address.splitlines()}, None)
