"""What keeps a session and its forms to the browser that logged in (ADR 9): the cookies, and the checks of a POST.

A form is taken from our own pages only: it has to carry a token that is made from the session's id, which other sites
cannot read, and the browser has to say that one of our pages sent it, where it says where a form came from at all.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final, TypedDict
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

PATH: Final = "/ops"
SESSION: Final = "ops_session"
BEFORE_LOGIN: Final = "ops_login"  # stands for a session in the form that has none yet
LANGUAGE: Final = "ops_language"
_RANDOM_BYTES: Final = 32
_LONGEST_ID: Final = 128
_YEAR_SECONDS: Final = 365 * 24 * 3600
_LOGIN_SECONDS: Final = 3600


class _Kept(TypedDict):
    path: str
    httponly: bool
    secure: bool


def new_id() -> str:
    """A name that nobody guesses."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def id_of(request: Request, name: str = SESSION) -> str | None:
    """The id in a cookie; where people come over https, in no other than one that only this host can have set there."""
    value = request.cookies.get(_cookie(request, name))
    return value if value and len(value) <= _LONGEST_ID else None


def form_token(session_id: str) -> str:
    """What every form of a session carries. It tells nothing of the id that it is made from."""
    return hmac.new(session_id.encode(), b"form", sha256).hexdigest()


def is_own_form(request: Request, session_id: str | None, token: str | None, public_url: str | None) -> bool:
    """Whether one of our pages, made for this session, sent the form."""
    if session_id is None or token is None or not _is_own_site(request, public_url):
        return False
    return hmac.compare_digest(form_token(session_id).encode(), token.encode())


def _is_own_site(request: Request, public_url: str | None) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True  # an old browser, or none; the token decides
    own = {request.headers.get("host", ""), urlsplit(public_url or "").netloc}
    try:
        return urlsplit(origin).netloc in own - {""}
    except ValueError:
        return False


def set_session(request: Request, response: Response, session_id: str) -> None:
    """For as long as the browser runs; how long the session lives is the server's business.

    Lax, not Strict: who follows a link from a ticket or a mail is to find the return, not a login. What changes
    anything is a POST, with which Lax sends no cookie from another site either.
    """
    response.set_cookie(_cookie(request, SESSION), session_id, samesite="lax", **_kept(request, PATH))
    response.delete_cookie(_cookie(request, BEFORE_LOGIN), samesite="strict", **_kept(request, f"{PATH}/login"))


def forget_session(request: Request, response: Response) -> None:
    response.delete_cookie(_cookie(request, SESSION), samesite="lax", **_kept(request, PATH))


def set_before_login(request: Request, response: Response, id_: str) -> None:
    name, kept = _cookie(request, BEFORE_LOGIN), _kept(request, f"{PATH}/login")
    response.set_cookie(name, id_, max_age=_LOGIN_SECONDS, samesite="strict", **kept)


def set_language(request: Request, response: Response, language: str) -> None:
    """The language that was chosen on a page; it holds for the login too, so it is not the session's."""
    secure = is_secure(request)
    response.set_cookie(
        LANGUAGE, language, max_age=_YEAR_SECONDS, path=PATH, httponly=True, samesite="lax", secure=secure
    )


def is_secure(request: Request) -> bool:
    """Whether people come over https: a proxy that is believed says so, or the address that they come under."""
    app = request.scope.get("app")
    return request.url.scheme == "https" or is_https(getattr(getattr(app, "state", None), "public_url", None))


def is_https(public_url: str | None) -> bool:
    """Whether the address is one of https."""
    return public_url is not None and urlsplit(public_url).scheme == "https"


def _cookie(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name


def _kept(request: Request, path: str) -> _Kept:
    """To the host, and to the pages that need it: with the prefix, browsers take a cookie for nothing less than all."""
    secure = is_secure(request)
    return {"path": "/" if secure else path, "httponly": True, "secure": secure}
