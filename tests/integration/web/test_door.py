"""What is asked at the door: the token first, then how long the body is, and only then what it says."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from httpx import Client

from service.adapters.postgres.database import connect
from service.web.http.bodies import MOST_BYTES, MOST_HELD_OF_A_CLIENT
from service.web.http.problems import MOST_BYTES as LONGEST_PROBLEM
from tests.support.api import api, settings_for, token
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.postgres

_STRUCTURED = {"content-type": "application/cloudevents+json"}
# Every call that takes a body and needs a token.
WITH_BODY = (
    "/v1/returns", "/v1/returns/bulk", "/v1/events", "/v1/events/check", "/v1/returns/R-1/label.pdf",
    "/v1/returns/R-1/label.png",
)  # fmt: skip


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database, token_failures=20), "read", "create", "scan", "hub") as client:
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


def test_strangers_hold_no_more_than_so_much_of_bodies(client: Client) -> None:
    # A thousand of them, each with half a megabyte that never ends, would hold half a gigabyte.
    size, form = MOST_BYTES - 1000, {"content-type": "application/x-www-form-urlencoded"}
    fields = f"content-length: {MOST_BYTES}\r\ncontent-type: {form['content-type']}"
    head = f"POST /ops/login HTTP/1.1\r\nhost: here\r\n{fields}\r\n\r\n".encode()
    strangers = []
    for _ in range(MOST_HELD_OF_A_CLIENT // size + 3):
        stranger = socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10 * PATIENCE)
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
    with_token = client.post("/v1/events/check", json={"specversion": "1.0"}, headers=_STRUCTURED)
    for stranger in strangers:
        stranger.close()
    assert with_token.status_code == 200
    eventually(lambda: client.post("/ops/login", content=b"x", headers=form).status_code == 403, 10)


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
