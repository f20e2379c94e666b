"""The operations desk as a browser sees it: a session, and forms that are filled in."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from httpx import Client, Response

from service.config import Settings
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wiring import serving
from tests.support.api import token
from tests.support.web import served

# What people and machines have tried on other sites; `MARK` tells a reflection from a word of ours.
MARK = "zqx"
ATTACKS = (
    f"<script>{MARK}(1)</script>",
    f'"><img src=x onerror={MARK}>',
    f"'><svg/onload={MARK}()>",
    f"{{{{7*7}}}}{{% print({MARK}) %}}",
    f"' OR 1=1 -- {MARK}",
    f"R-1001'; DROP TABLE returns; --{MARK}",
    f"../../../../etc/passwd{MARK}",
    f"..%2f..%2f{MARK}",
    f"R-1001\r\nset-cookie: {MARK}=1",
    f"R-1001\0{MARK}",
    f"\u202e{MARK}\u2066",
    f"{MARK}\ufeff\u200d\U0001f4a9",
    f"{MARK}" * 1500,
    f"//evil.example/{MARK}",
    f"javascript:{MARK}",
    f"%s%n{MARK}%00",
    "-1",
    "99999999999999999999999999",
    "1e400",
    "NaN",
)


@contextmanager
def desk(settings: Settings, *scopes: str, **headers: str) -> Iterator[Client]:
    """A browser that is logged in with a new token of these scopes; of none, it is not."""
    with serving.web(settings, Metrics(), Stop()) as app, served(app) as client:
        client.timeout = 30
        client.headers.update(headers)
        if scopes:
            answer = log_in(client, token(settings, *scopes))
            assert answer.status_code == 303, answer.text
        yield client


def log_in(client: Client, secret: str, goal: str = "/ops", **headers: str) -> Response:
    """Fill in the form of the login."""
    page = client.get("/ops/login", params={"next": goal})
    return client.post("/ops/login", data={**fields(page), "token": secret}, headers=headers)


def fields(page: Response, action: str | None = None) -> dict[str, str]:
    """The hidden fields of a form of the page: of the only one in its main part, or of the one with this action."""
    inside = page.text if action else page.text.partition("<main")[2]
    for form in re.findall(r"<form[^>]*>.*?</form>", inside, re.DOTALL):
        if action is None or f'action="{action}"' in form:
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
            return {name: html.unescape(value) for name, value in hidden}
    raise AssertionError(f"no form {action} on {page.request.url}")


def texts(answer: Response) -> str:
    """What a reader reads of the main part, without the marks that keep directions apart."""
    body = re.sub(r"</?bdi[^>]*>|\s+<span class=\"unseen\".*?</span>", "", answer.text.partition("<main")[2])
    plain = html.unescape(re.sub(r"<[^>]*>", " ", f"<main{body}".partition("</main>")[0]))
    return " ".join(plain.replace("\u2068", "").replace("\u2069", "").split()).replace(" ,", ",")


def assert_escaped(answer: Response) -> None:
    """What an attack brought along may be shown as text, and is nowhere a part of the page or its head."""
    assert answer.status_code < 500, answer.text
    assert not re.search(rf"<(script|img|svg)[^>]*{MARK}|<b>{MARK}", answer.text)
    for tag in re.findall(r"<[a-z][^<>]*>", answer.text):
        names = re.sub(r'"[^"]*"', "", tag)
        assert not re.search(r"\son[a-z]+=|\sstyle[=\s>]", names), tag
    assert f"49{MARK}" not in answer.text
    assert not [c for c in "\0\u202e\u2066" if c in answer.text]
    assert not [name for name, value in answer.headers.items() if name == "set-cookie" and f"{MARK}=1" in value]


def audit(database: str) -> list[tuple[Any, ...]]:
    """The audit log without what became of tokens: action, subject, label, and the detail's keys, the oldest first."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT action, subject, label, detail FROM audit WHERE action NOT LIKE 'token%' ORDER BY audit_no"
        ).fetchall()
    return [(action, subject, label, sorted(detail)) for action, subject, label, detail in rows]
