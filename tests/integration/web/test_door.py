"""What is asked at the door: the token first, then how long the body is, and only then what it says."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from service.adapters.postgres.database import connect
from service.web.http.bodies import MOST_BYTES, MOST_HELD_OF_A_CLIENT
from service.web.http.problems import MOST_BYTES as LONGEST_PROBLEM
from service.wire.omnireturns.links import sign
from tests.support.api import api, settings_for, token
from tests.support.ops import log_in
from tests.support.topics import Topics
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.postgres

_STRUCTURED = {"content-type": "application/cloudevents+json"}
# Every call that takes a body and needs a token.
WITH_BODY = (
    "/v1/returns", "/v1/returns/bulk", "/v1/events", "/v1/events/check", "/v1/returns/R-1/label.pdf",
    "/v1/returns/R-1/label.png", "/v1/dead-letters/1/replay", "/v1/exceptions/R-1/acknowledge",
)  # fmt: skip
FORM = "content-type: application/x-www-form-urlencoded"
# Feeds by what shows who sends: a header, the address, the body's digest.
OPEN_FEEDS = ("evri", "nzpost", "aftership")
# Every form of a person, but those of consumers, whose link stands in the address.
FORMS = (
    "/ops/logout", "/ops/dead-letters/1/replay", "/ops/returns/R-1/events/0/void", "/ops/login",
    "/ops/returns/R-1/exceptions/id_reused/acknowledge", "/ops/waiting/label/generic/T-1/parked/acknowledge",
)  # fmt: skip
PORTAL = """
[acme]
name = "Acme"
secret = "a secret of sixteen"
route = "omnirps"
carrier = "generic"
"""
RANGES = """
[[range]]
carrier = "generic"
check = "none"
prefix = "GX"
first = "0000"
last = "9999"
"""


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database, token_failures=20), "read", "create", "scan", "hub", "ops") as client:
        yield client


@pytest.fixture
def open_client(database: str, topics: Topics, tmp_path: Path) -> Iterator[Client]:
    """With what strangers may send to: feeds of three schemes, and the consumers' page."""
    files = {"feeds": "", "portal": PORTAL, "numbers": RANGES}
    files["feeds"] = "".join(f'[{feed}]\nsecret = "user:a secret of sixteen"\n' for feed in OPEN_FEEDS)
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    given = {f"{name}_file": str(tmp_path / f"{name}.toml") for name in files}
    settings = settings_for(database, topics.bootstrap_servers, **given)
    with api(settings, "scan") as client:
        yield client


def begun(client: Client, path: str, secret: str | None, *fields: str) -> bytes:
    """What is answered to a request of whose body nothing comes, until the server hangs up or is silent."""
    head = [f"POST {path} HTTP/1.1", "host: here", *fields]
    head += [f"authorization: Bearer {secret}"] if secret else []
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10 * PATIENCE) as stranger:
        stranger.sendall("\r\n".join([*head, "", ""]).encode())
        return stranger.recv(65536)


@pytest.mark.parametrize("path", (*WITH_BODY, "/v1/feeds/omniparcel"))
def test_who_has_no_token_is_sent_away_before_anything_of_a_body_is_read(client: Client, path: str) -> None:
    # FastAPI reads and parses a body before it looks at anything else.
    for secret in (None, "rts_wrong"):
        for length in (100, 100_000_000):
            answer = begun(client, path, secret, f"content-length: {length}")

            assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 404 "))
            assert (b"connection: close" in answer) is (length > 65536)
    assert begun(client, path, None, "transfer-encoding: chunked").startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 404 "))


def test_a_form_of_somebody_who_is_not_logged_in_is_not_read(client: Client) -> None:
    # A form was read and taken apart before anybody looked for the session.
    for path in FORMS:
        for cookie in ((), ("cookie: ops_session=nobody",)):
            answer = begun(client, path, None, FORM, "content-length: 10000", *cookie)

            assert answer.startswith((b"HTTP/1.1 303 ", b"HTTP/1.1 403 ")), path


def test_a_form_of_somebody_who_is_logged_in_is_no_longer_than_a_form(client: Client) -> None:
    secret = client.headers.pop("authorization").partition(" ")[2]
    assert log_in(client, secret).status_code == 303
    cookie = f"cookie: ops_session={client.cookies['ops_session']}"

    for path, length in (("/ops/dead-letters/1/replay", 200_000), ("/ops/login", 50_000)):
        before = client.get("/ops/login")
        own = cookie if path != "/ops/login" else f"cookie: ops_login={before.cookies.get('ops_login', 'x' * 43)}"
        answer = begun(client, path, None, FORM, f"content-length: {length}", own, "expect: 100-continue")

        assert answer.startswith(b"HTTP/1.1 413 "), path


def test_nothing_is_read_of_who_has_no_link_and_no_secret(open_client: Client) -> None:
    order = {"retailer": "acme", "order_number": "A-1", "items": [{"sku": "S", "quantity": 1}], "expires": 2**31}
    link = sign(order, "a secret of sixteen")

    for path in ("/returns/new", "/returns/new/cancel", "/returns/new/label"):
        for query in ("", "?link=nobody"):
            assert begun(open_client, f"{path}{query}", None, FORM, "content-length: 900").startswith(b"HTTP/1.1 403 ")
        long = begun(open_client, f"{path}?link={link}", None, FORM, "content-length: 70000", "expect: 100-continue")
        assert long.startswith(b"HTTP/1.1 413 ")
    for feed in ("evri", "nzpost/wrong", "aftership"):
        answer = begun(open_client, f"/v1/feeds/{feed}", None, "content-length: 10000")

        assert answer.startswith(b"HTTP/1.1 401 "), feed
    # The body is what shows that it is wrong.
    signed = begun(
        open_client, "/v1/feeds/aftership", None, "content-length: 1", "aftership-hmac-sha256: eA==", "", "x"
    )
    assert signed.startswith(b"HTTP/1.1 401 ")


def test_every_route_that_takes_a_body_is_asked_here(open_client: Client) -> None:
    document = open_client.get("/openapi.json").json()
    asked = {re.sub(r"/R-1|/1(?=/)", "/{}", path) for path in WITH_BODY}
    takers = {re.sub(r"\{\w+\}", "{}", path) for path, calls in document["paths"].items() if "post" in calls}

    assert takers - {"/v1/feeds/{}", "/v1/feeds/{}/{}"} == asked


@pytest.mark.parametrize("path", WITH_BODY)
def test_a_body_that_says_that_it_is_too_long_is_refused_before_it_is_read(client: Client, path: str) -> None:
    secret = client.headers["authorization"].partition(" ")[2]

    kind = "content-type: application/json" if not path.endswith("bulk") else "content-type: text/csv"

    answer = begun(client, path, secret, f"content-length: {MOST_BYTES + 1}", "expect: 100-continue", kind)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert f"longer than {MOST_BYTES} bytes".encode() in answer


def test_a_body_that_turns_out_too_long_is_refused(client: Client) -> None:
    answer = client.post("/v1/events", content=iter([b"x" * 65536] * 20), headers={"content-type": "application/json"})

    assert answer.status_code == 413


def test_the_rate_of_a_token_counts_a_request_once(client: Client, database: str) -> None:
    secret = token(settings_for(database), "create", rate=10)

    answer = client.post("/v1/returns", json={}, headers={"authorization": f"Bearer {secret}"})

    assert answer.status_code == 422
    assert answer.headers["ratelimit"].startswith('"token";r=9;')


def test_strangers_hold_no_more_than_so_much_of_bodies(open_client: Client) -> None:
    # A thousand of them, each with half a megabyte that never ends, would hold half a gigabyte.
    # What is signed by its body is all that is read of them.
    size, signature = MOST_BYTES - 1000, {"aftership-hmac-sha256": "eA=="}
    fields = f"content-length: {MOST_BYTES}\r\naftership-hmac-sha256: eA=="
    head = f"POST /v1/feeds/aftership HTTP/1.1\r\nhost: here\r\n{fields}\r\n\r\n".encode()
    strangers = []
    for _ in range(MOST_HELD_OF_A_CLIENT // size + 3):
        stranger = socket.create_connection(("127.0.0.1", open_client.base_url.port or 0), timeout=10 * PATIENCE)
        stranger.sendall(head + b"x" * size)
        strangers.append(stranger)

    def refused() -> list[bytes]:
        found = []
        for stranger in strangers:
            stranger.settimeout(0.01)
            try:
                found.append(stranger.recv(20, socket.MSG_PEEK))
            except TimeoutError:
                continue
        return found

    eventually(lambda: b"HTTP/1.1 503 Service" in refused(), 10)
    with_token = open_client.post("/v1/events/check", json={"specversion": "1.0"}, headers=_STRUCTURED)
    for stranger in strangers:
        stranger.close()
    assert with_token.status_code == 200
    open_client.headers.pop("authorization")
    eventually(lambda: open_client.post("/v1/feeds/aftership", content=b"x", headers=signature).status_code == 401, 10)


def test_a_guesser_waits_and_nobody_else_behind_the_same_proxy(client: Client, database: str) -> None:
    used, never_used = (token(settings_for(database), "read") for _ in range(2))

    def asked(secret: str) -> int:
        return client.get("/v1/returns/R-1", headers={"authorization": f"Bearer {secret}"}).status_code

    assert asked(used) == 404
    guesses = [client.get("/v1/returns/R-1", headers={"authorization": f"Bearer rts_{n}"}) for n in range(30)]

    assert [each.status_code for each in guesses] == [401] * 20 + [429] * 10
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 60
    assert guesses[-1].json()["type"] == "urn:returns-status:problem:too-many-failures"
    assert [asked(used), asked(never_used)] == [404, 404]
    with connect(database, "test") as connection:
        connection.execute("UPDATE tokens SET revoked_at = now()")
        connection.commit()
    eventually(lambda: asked(used) == 429, 15)


def test_what_is_wrong_with_a_request_is_told_within_bounds(client: Client) -> None:
    events = [{"specversion": 1, "type": "com.omnirps.hub.processed.v1", "data": {"items": [[]] * 50}}] * 500

    answer = client.post("/v1/events", json=events, headers={"content-type": "application/cloudevents-batch+json"})

    assert answer.status_code == 422
    assert 100_000 < len(answer.content) <= LONGEST_PROBLEM


def test_a_redirect_leads_to_the_configured_host_and_to_none_that_was_sent(database: str) -> None:
    settings = settings_for(database, public_url="https://returns.example/")
    with api(settings, "read") as client:
        client.headers["host"] = "evil.example"
        answers = [client.get("/v1/returns/?limit=1"), client.get("/docs/")]
        secure = client.get("/track")
    with api(settings_for(database), "read") as client:
        client.headers["host"] = "evil.example"
        answers += [client.get("/v1/returns/?limit=1"), client.get("/docs/")]
        plain = client.get("/track")

    leads = [answer.headers["location"] for answer in answers]
    assert leads == [
        "https://returns.example/v1/returns?limit=1", "https://returns.example/docs", "/v1/returns?limit=1", "/docs"
    ]  # fmt: skip
    assert secure.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in plain.headers
