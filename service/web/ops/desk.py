"""What all pages of the desk stand on: a page is shown to whoever is logged in, an action is done for a form of ours.

A subject is a class in a module of its own. Its constructor is given the desk and names its pages:

    desk.page("/ops/returns", self.show, section="returns")      # GET; show(visit) answers with visit.show("ops/….html")
    desk.act("/ops/returns/{return_id}/void", self.do)           # POST; the form is in visit.form, and was checked

`service.web.ops.router` lists the classes; what stands in the navigation is `NAVIGATION`; the words are in the folders
`CATALOGUES` of catalogues/.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from service import logs
from service.application.access.audit import Action, Audit, Key
from service.application.access.bounds import Bounds, Everything
from service.application.access.callers import Caller
from service.application.access.scopes import Scope
from service.application.access.sessions import Sessions
from service.application.journal.ingest import Parser
from service.application.lag import Ends
from service.application.reading.carriers import CarrierReading
from service.application.reading.desk import DeskReading
from service.application.reading.durations import DurationKeeper
from service.application.reading.exceptions.queues import Queues
from service.errors import Retryable, ServiceError
from service.web.html.assets import Assets
from service.web.html.catalogue import Catalogue, PageLanguage, page_language
from service.web.html.desk_values import DeskTemplates
from service.web.http import guard
from service.web.http.bodies import CALLER
from service.web.http.forms import LONGEST_FORM, form_of
from service.web.http.headers import HTML, PAGE_HEADERS
from service.web.http.limits import Rate
from service.web.http.security import counted
from service.web.services import Services
from service.wire.carriers import CarrierTables

# The sections of the desk, in the order of the navigation: the name of its text under `nav.`, and its first page.
NAVIGATION: Final = (
    ("home", "/ops"),
    ("returns", "/ops/returns"),
    ("connotes", "/ops/connotes"),
    ("queues", "/ops/queues"),
    ("letters", "/ops/dead-letters"),
    ("figures", "/ops/figures"),
    ("audit", "/ops/audit"),
)
# Those of what is nobody's in particular.
_WHOLE: Final = frozenset({"letters", "figures", "audit"})
# Folders of catalogues/ whose texts the pages use: those of the public pages have the names of statuses, too.
CATALOGUES: Final = (".", "ops", "ops_work", "ops_carriers")

# A form posted from here says where it comes from, and no other site learns which page was looked at.
_HEADERS: Final = {**PAGE_HEADERS, "vary": "cookie, accept-language", "referrer-policy": "same-origin"}
_SECONDS_TO_COME_BACK: Final = "5"
_Answer = TypeVar("_Answer")
LARGEST_SEQ: Final = 2**31 - 2  # so that the one behind it can be asked for, too


@dataclass(frozen=True, slots=True)
class Parts:
    """What the desk is made of."""

    sessions: Sessions
    audit: Audit
    reading: DeskReading
    services: Services
    tables: CarrierTables
    failures: Rate  # logins that fail, of one client
    queues: Queues
    durations: DurationKeeper
    ends: Ends
    parser: Parser
    topics: Sequence[str]  # the input topics, and prefixes of them
    export_rows: int  # most rows of a file
    public_url: str | None = None
    monotonic: Callable[[], float] = time.monotonic
    carriers: CarrierReading | None = None
    # For how long Kafka keeps what comes on a topic, where known.
    kept: Callable[[str], timedelta | None] = lambda _: None
    token_hashes: Callable[[], frozenset[bytes]] = frozenset  # of all valid tokens


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in."""

    desk: Desk
    request: Request
    agent: Caller
    session_id: str
    section: str
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> Parts:
        return self.desk.parts

    @property
    def due(self) -> dict[str, datetime]:
        """For each status, the time since which a return in it is stuck."""
        return self.parts.services.due()

    @property
    def catalogue(self) -> Catalogue:
        """The words of the reader's language."""
        return self.desk.templates.catalogues[language_of(self.request).language]

    @property
    def bounds(self) -> Bounds:
        """What the agent's token is bound to: an argument of everything that reads."""
        return self.agent.bounds

    def may(self, scope: Scope) -> bool:
        return scope in self.agent.scopes

    def show(self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
        """A page. Every template of a page that extends ops/base.html gets what that needs."""
        base = {"agent": self.agent, "section": self.section, "form_token": guard.form_token(self.session_id)}
        return self.desk.answer(self.request, template, status, **{**base, **values})

    def trouble(self, status: HTTPStatus, subject: str) -> Response:
        """A page that says what is wrong, in the texts `{subject}.title` and `{subject}.text`."""
        return self.show("ops/trouble.html", status, subject=subject)

    def go(self, address: str) -> Response:
        """Lead to another page."""
        return redirect(address)

    def note(self, action: Action, subject: str | None = None, **detail: str | int) -> None:
        """Write to the audit log, before the action."""
        self.parts.audit.note(self.agent.who, action, subject, {Key(key): value for key, value in detail.items()})


def language_of(request: Request) -> PageLanguage:
    """Chosen just now, or before, or what the browser accepts."""
    remembered = request.cookies.get(guard.LANGUAGE)
    return page_language(request.query_params.get("lang"), remembered, request.headers.get("accept-language"))


def clean(text: str) -> str:
    """What was typed or pasted, without what nobody can see: it is in no number, and turns text around."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def number(text: str | None, largest: int = 2**63 - 1) -> int | None:
    """A key of a row in an address; None for anything that is none."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    value = int(text)
    return value if value <= largest else None


def redirect(address: str) -> Response:
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={**_HEADERS, "location": address})


class Desk:
    """Registers pages and actions, and answers."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.templates = DeskTemplates(Assets(), CATALOGUES)
        self.router = APIRouter()

    def page(self, path: str, show: Callable[[Visit], Response], *, section: str = "") -> None:
        """Register a page: whoever is not logged in is led to the login, and from there back to it."""

        def endpoint(request: Request) -> Response:
            return self.guarded(request, lambda: self._shown(request, show, section))

        self.route(path, endpoint, "GET", "HEAD")

    def whole_page(self, path: str, show: Callable[[Visit, Everything], Response], *, section: str = "") -> None:
        """Register a page of what is nobody's in particular. For who is bound it is not there."""

        def answer(visit: Visit) -> Response:
            everything = visit.bounds.everything
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere") if everything is None else show(visit, everything)

        self.page(path, answer, section=section)

    def act(self, path: str, do: Callable[[Visit], Response], *, section: str = "") -> None:
        """Register an action: it is done for a form of one of our pages, of which nothing is read of who has no session."""

        async def endpoint(request: Request) -> Response:
            visit = await run_in_threadpool(
                self.guarded, request, lambda: self._entered(request, section, f"{guard.PATH}/login")
            )
            if isinstance(visit, Response):
                return visit
            request.scope[CALLER] = visit.agent
            sent = replace(visit, form=await form_of(request, LONGEST_FORM))
            return await run_in_threadpool(self.guarded, request, lambda: self._done(sent, do))

        self.route(path, endpoint, "POST")

    def route(self, path: str, endpoint: Callable[..., Response | Awaitable[Response]], *methods: str) -> None:
        """Register what is there without a session."""
        self.router.add_api_route(path, endpoint, methods=list(methods), include_in_schema=False)

    def guarded(self, request: Request, answer: Callable[[], _Answer]) -> _Answer | Response:
        """The answer, or an apology where a server is away."""
        try:
            return answer()
        except ServiceError as error:
            log = logs.get("web")
            (log.warning if isinstance(error, Retryable) else log.error)("request_failed", cause=str(error))
            response = self.answer(
                request, "ops/alone.html", HTTPStatus.SERVICE_UNAVAILABLE, subject="away", agent=None, section=""
            )
            response.headers["retry-after"] = _SECONDS_TO_COME_BACK
            return response

    def answer(self, request: Request, template: str, status: HTTPStatus, **values: Any) -> Response:
        """A page in the reader's language."""
        chosen = language_of(request)
        query = urlencode([(k, v) for k, v in request.query_params.multi_items() if k != "lang"])
        now = self.parts.services.now()
        body = self.templates.page(
            template,
            chosen.language,
            explicit=False,
            navigation=_navigation(values.get("agent")),
            query=query,
            now=now,
            **values,
        )
        headers = {**_HEADERS, "content-language": chosen.language}
        response = Response(body, status.value, headers, media_type=HTML)
        if chosen.is_chosen:
            guard.set_language(request, response, chosen.language)
        return response

    def _shown(self, request: Request, show: Callable[[Visit], Response], section: str) -> Response:
        visit = self._entered(request, section, login_address(request))
        return visit if isinstance(visit, Response) else show(visit)

    def _done(self, visit: Visit, do: Callable[[Visit], Response]) -> Response:
        if not guard.is_own_form(visit.request, visit.session_id, visit.form.get("form"), self.parts.public_url):
            return visit.trouble(HTTPStatus.FORBIDDEN, "foreign")
        return do(visit)

    def _entered(self, request: Request, section: str, login: str) -> Visit | Response:
        """Whoever is logged in; else the way to the login. What was asked for by a form is lost there."""
        session_id = guard.id_of(request)
        agent = None if session_id is None else self.parts.sessions.find(session_id)
        if session_id is None or agent is None:
            return redirect(login)
        allowance = counted(request, agent)
        if allowance.wait:
            return self.answer(
                request, "ops/alone.html", HTTPStatus.TOO_MANY_REQUESTS, subject="limited", agent=None, section=""
            )
        return Visit(self, request, agent, session_id, section)


def _navigation(agent: Caller | None) -> Sequence[tuple[str, str]]:
    """The sections that the agent may open."""
    is_bound = agent is not None and agent.bounds.everything is None
    return [each for each in NAVIGATION if not is_bound or each[0] not in _WHOLE]


def login_address(request: Request) -> str:
    """The login that leads back to the page that was asked for."""
    page = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{guard.PATH}/login?next={quote(page, safe='/')}"
