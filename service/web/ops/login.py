"""Logging in with a token, and out again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from service.application.access.audit import Action, Key
from service.application.access.callers import NOBODY
from service.web.http import guard
from service.web.http.forms import LONGEST_OF_STRANGERS, form_of
from service.web.http.limits import client_of
from service.web.http.security import Guesses
from service.web.ops.desk import Desk, Visit, redirect

_MOST_CHARACTERS: Final = 256  # no token is longer; a longer one is not worth a look-up
# Our own pages, and nothing that a browser could take for another host or for a way out of the desk.
_OWN_PAGE: Final = re.compile(r"/ops(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*(?:\?[A-Za-z0-9._~%+=&-]*)?")


class Login:
    """The pages at the door."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._guesses = Guesses(desk.parts.failures, desk.parts.token_hashes, desk.parts.monotonic)
        desk.route("/ops/login", self.ask, "GET", "HEAD")
        desk.route("/ops/login", self.enter, "POST")
        desk.act("/ops/logout", self.leave)

    def ask(self, request: Request) -> Response:
        """Asks for a token; who is logged in already goes on."""

        def answer() -> Response:
            session_id = guard.id_of(request)
            if session_id is not None and self._desk.parts.sessions.find(session_id) is not None:
                return redirect(_next(request.query_params.get("next")))
            return self._page(request, HTTPStatus.OK, _next(request.query_params.get("next")))

        return self._desk.guarded(request, answer)

    async def enter(self, request: Request) -> Response:
        """Begins a session, under an id that nobody knew before. A form of who did not see the page is not read."""
        is_known = guard.id_of(request, guard.BEFORE_LOGIN) is not None
        form = await form_of(request, LONGEST_OF_STRANGERS) if is_known else {}
        return await run_in_threadpool(self._desk.guarded, request, lambda: self._enter(request, form))

    def leave(self, visit: Visit) -> Response:
        """Ends the session."""
        visit.note(Action.LOGOUT)
        visit.parts.sessions.end(visit.session_id)
        response = redirect("/ops/login")
        guard.forget_session(visit.request, response)
        return response

    def _enter(self, request: Request, form: Mapping[str, str]) -> Response:
        parts, goal = self._desk.parts, _next(form.get("next"))
        before = guard.id_of(request, guard.BEFORE_LOGIN)
        if not guard.is_own_form(request, before, form.get("form"), parts.public_url):
            return self._page(request, HTTPStatus.FORBIDDEN, goal, "login.again")
        client = client_of(request.client.host if request.client else None)
        token, session_id = form.get("token", "").strip(), guard.new_id()
        known = 0 < len(token) <= _MOST_CHARACTERS
        # Who guesses waits, and nobody else who comes from there.
        if (waiting := self._guesses.wait(client)) and not (known and self._guesses.is_token(token)):
            response = self._page(request, HTTPStatus.TOO_MANY_REQUESTS, goal, "login.limited")
            response.headers["retry-after"] = str(waiting)
            return response
        agent = parts.sessions.open(token, session_id) if known else None
        if agent is None:
            self._guesses.failed(client)
            who = parts.sessions.whose(token) if known else NOBODY
            parts.audit.note(who, Action.LOGIN_FAILED, None, {Key.CLIENT: client})
            return self._page(request, HTTPStatus.FORBIDDEN, goal, "login.wrong")
        parts.audit.note(agent.who, Action.LOGIN, None, {Key.CLIENT: client})
        former = guard.id_of(request)
        if former is not None:
            parts.sessions.end(former)
        response = redirect(goal)
        guard.set_session(request, response, session_id)
        return response

    def _page(self, request: Request, status: HTTPStatus, goal: str, problem: str | None = None) -> Response:
        before = guard.id_of(request, guard.BEFORE_LOGIN) or guard.new_id()
        response = self._desk.answer(
            request,
            "ops/login.html",
            status,
            agent=None,
            section="",
            goal=goal,
            problem=problem,
            form_token=guard.form_token(before),
        )
        guard.set_before_login(request, response, before)
        return response


def _next(query: str | None) -> str:
    """Where to go from here; the first page for anything that is not one of ours."""
    return query if query is not None and _OWN_PAGE.fullmatch(query) and "/login" not in query else guard.PATH
