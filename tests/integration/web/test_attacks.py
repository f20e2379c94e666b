"""Every address of the application, with every input it has and some it has not, is given what attackers send.

Nothing fails, and nothing that came is in an answer, except that the desk's login knows where somebody wanted to go. What
the desk shows to who is logged in, it escapes: see its tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from httpx import Client, Request, Response
from starlette.routing import Route

from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wiring import serving
from tests.support.api import settings_for, token
from tests.support.journals import creation, ingest
from tests.support.ops import ATTACKS, MARK, assert_escaped
from tests.support.thorough import share
from tests.support.web import served

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

# Those of a line go together; what has to be right for the others to be read has a line of its own.
HEADERS = (
    ("authorization",),
    ("cookie",),
    ("content-type", "accept", "idempotency-key"),
    ("origin", "sec-fetch-site", "referer"),
    (
        "accept-language", "if-none-match", "last-event-id", "user-agent", "x-forwarded-for", "x-forwarded-host",
        "x-request-id",
    ),
)  # fmt: skip
PARAMETERS = ("after", "before", "cursor", "lang", "limit", "next", "number", "open", "q", "return_id", "stuck")

_NUMBER = "[A-Za-z0-9._-]+"


@pytest.fixture
def app(database: str) -> Iterator[FastAPI]:
    ingest(database, [creation()])
    settings = settings_for(database, public_client_rate=10**5, public_number_rate=10**5, public_burst=10**5)
    with serving.web(settings, Metrics(), Stop()) as app:
        yield app


def addresses(app: FastAPI) -> list[tuple[str, str]]:
    """Method and template of every call, but the streams, which do not end."""
    return sorted(
        (method, re.sub(r"\{(\w+):\w+\}", r"{\1}", path))
        for method, path in _routes(app.routes)
        if not path.endswith("/events")
    )


def _routes(routes: Any) -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or ())
        else:
            yield from _routes(route.original_router.routes)  # FastAPI keeps what was included apart


@pytest.mark.timeout(600)
@pytest.mark.shared_out
@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_no_input_breaks_anything_or_comes_back(app: FastAPI, database: str, number: int) -> None:
    known, attack = addresses(app), ATTACKS[number]
    assert {"/v1/returns/{return_id}", "/track/{number}", "/static/{name}", "/docs", "/ops/login"} <= {
        p for _, p in known
    }
    with served(app, token(settings_for(database), "read", "create", "hub", "ops")) as client:
        client.timeout = 30

        for method, template in share(known, 4, number):
            for request in requests(client, method, template, attack):
                check(client.send(request))


def requests(client: Client, method: str, template: str, attack: str) -> Iterator[Request]:
    """With the attack in one kind of input after another."""
    plain = re.sub(r"\{\w+\}", "R-1001", template)
    hostile = re.sub(r"\{\w+\}", lambda _: quote(attack, safe=""), template)
    header = attack.encode("latin-1", "ignore").translate(None, b"\r\n\0")[:8000].strip()
    if hostile != template:
        yield build(client, method, hostile)
    yield build(client, method, plain, params={**dict.fromkeys(PARAMETERS, attack), attack: attack})
    for names in HEADERS:
        headers = {name: header if name != "cookie" else b"ops=" + header for name in names}
        yield build(client, method, plain, headers=headers)
    if method == "POST":
        yield build(client, method, plain, json={"retailer": attack, "return_id": attack, attack: [attack]})
        yield build(client, method, plain, data={"token": attack, "form": attack, "next": attack, attack: attack})
        yield build(client, method, plain, content=attack.encode())


def build(client: Client, method: str, path: str, **parts: Any) -> Request:
    headers: Mapping[str, Any] = parts.pop("headers", {})
    return client.build_request(method, client.base_url.copy_with(raw_path=path.encode()), headers=headers, **parts)


def check(answer: Response) -> None:
    asked = f"{answer.request.method} {answer.request.url} {dict(answer.request.headers)}"[:600]
    assert answer.status_code < 500, asked
    if answer.request.url.path.startswith("/ops"):
        assert_escaped(answer)
        return
    text, headers = answer.text, dict(answer.headers)
    if answer.request.url.path.startswith(("/track", "/first-mile")):  # what looks like a number stays, and leads there
        text = re.sub(rf' value="{_NUMBER}(, {_NUMBER})*"', "", text)
        assert re.fullmatch(rf"/[a-z-]+/{_NUMBER}(\?lang=[a-z]+)?", headers.pop("location", "/track/none"))
    assert MARK.lower() not in text.lower(), f"{asked}\n{text[:2000]}"
    assert MARK.lower() not in str(headers).lower(), f"{asked}\n{headers}"
