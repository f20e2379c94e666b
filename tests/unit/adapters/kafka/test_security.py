"""How the brokers know us: what is wrong with a file or a token is said, with the setting that leads to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from service.adapters.kafka.security import ClientTokens, NoToken, security_options, token_provider
from service.config import Settings, load
from service.errors import SettingsError
from tests.support.fakes import Clock
from tests.support.secured import certificates

OAUTH = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
}


def settings(**variables: str) -> Settings:
    return load({f"RETURNS_{name}": value for name, value in variables.items()})


class _Issuer(BaseHTTPRequestHandler):
    answers: tuple[tuple[int, bytes], ...] = ()
    asked: list[tuple[str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.headers["authorization"], body))
        status, answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/elsewhere")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing is to be logged."""


@pytest.fixture
def issuer() -> Iterator[tuple[str, type[_Issuer]]]:
    """Where tokens are to be had, and what is said there."""
    kind = type("Issuer", (_Issuer,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token", kind
        server.shutdown()
        thread.join()


def test_a_token_is_asked_for_with_the_clients_credentials_and_used_for_most_of_its_life(
    issuer: tuple[str, type[_Issuer]],
) -> None:
    url, said = issuer
    said.answers = tuple(
        (200, json.dumps({"access_token": f"t{n}", "expires_in": 100, "token_type": "Bearer"}).encode()) for n in (1, 2)
    )
    clock = Clock()
    tokens = ClientTokens(url, "returns:1", "hush hush", "kafka", clock)

    first = [tokens.token(), tokens.token()]
    clock.pass_(79)
    first.append(tokens.token())
    clock.pass_(2)

    assert (first, tokens.token()) == (["t1"] * 3, "t2")
    assert said.asked[0] == (
        "Basic cmV0dXJucyUzQTE6aHVzaCUyMGh1c2g=",
        b"grant_type=client_credentials&scope=kafka",
    )
    assert len(said.asked) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    (
        (
            (401, b"hush"),
            "RETURNS_KAFKA_OAUTH_URL, RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD: .* is 401",
        ),
        ((500, b""), "RETURNS_KAFKA_OAUTH_URL: the answer there is 500"),
        ((302, b""), "RETURNS_KAFKA_OAUTH_URL: the answer there is 302"),
        ((200, b"hush"), "RETURNS_KAFKA_OAUTH_URL: the answer there holds no access_token"),
        ((200, b"[]"), "RETURNS_KAFKA_OAUTH_URL: the answer there holds no access_token"),
        ((200, b'{"access_token": "a\\u0001b"}'), "RETURNS_KAFKA_OAUTH_URL: there is no token"),
    ),
)
def test_where_there_is_no_token_that_is_told(
    issuer: tuple[str, type[_Issuer]], answer: tuple[int, bytes], told: str
) -> None:
    url, said = issuer
    said.answers = (answer,)

    with pytest.raises(NoToken, match=told) as caught:
        ClientTokens(url, "returns", "hush", None).token()

    assert "hush" not in str(caught.value)


def test_a_token_from_a_file_is_read_at_each_login(tmp_path: Path) -> None:
    file = tmp_path / "token"
    provider = token_provider(settings(**OAUTH, KAFKA_OAUTH_TOKEN_PATH=str(file)))

    with pytest.raises(NoToken, match="RETURNS_KAFKA_OAUTH_TOKEN_PATH: the file cannot be read: No such file"):
        provider.token()
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert provider.token() == token


@pytest.mark.parametrize(
    ("variables", "said"),
    (
        ({}, "RETURNS_KAFKA_OAUTH_URL, RETURNS_KAFKA_OAUTH_TOKEN_PATH: one of them"),
        ({"KAFKA_OAUTH_URL": "https://a/t", "KAFKA_OAUTH_TOKEN_PATH": "/t"}, "one of them"),
        ({"KAFKA_OAUTH_URL": "http://a/t"}, "RETURNS_KAFKA_OAUTH_URL: must begin with https://"),
        ({"KAFKA_OAUTH_URL": "https://a/t"}, "RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD: the client's"),
    ),
)
def test_what_is_missing_for_a_token_is_told_at_the_start(variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**OAUTH, **variables)


@pytest.mark.slow
def test_a_certificate_of_ours_needs_its_key(tmp_path: Path) -> None:
    mine, other = certificates(tmp_path, "mine"), certificates(tmp_path, "other")
    key = tmp_path / "key.pem"

    def options(certfile: Path, **more: Path) -> dict[str, Any]:
        files = {f"KAFKA_SSL_{name.upper()}": str(file) for name, file in more.items()}
        return security_options(settings(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CERTFILE=str(certfile), **files))

    assert options(mine.server)["ssl_certfile"] == str(mine.server)
    with pytest.raises(SettingsError, match="RETURNS_KAFKA_SSL_KEYFILE: this is not the key of the certificate in"):
        options(mine.server, keyfile=other.server)
    with pytest.raises(SettingsError, match="RETURNS_KAFKA_SSL_KEYFILE: the file cannot be read: No such file"):
        options(mine.server, keyfile=key)
    key.write_text("no key")
    with pytest.raises(SettingsError, match="no certificate and key in PEM, or not the key's password"):
        options(mine.server, keyfile=key)
    with pytest.raises(SettingsError, match="RETURNS_KAFKA_SSL_CERTFILE: the file cannot be read"):
        options(tmp_path / "none.pem")


@pytest.mark.parametrize(
    ("variables", "said"),
    (
        ({"KAFKA_SSL_CERTFILE": "/c.pem"}, "RETURNS_KAFKA_SSL_CERTFILE: nothing would be encrypted"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEYFILE": "/k.pem"},
            "RETURNS_KAFKA_SSL_KEYFILE: is of no use without RETURNS_KAFKA_SSL_CERTFILE",
        ),
    ),
)
def test_files_of_no_use_are_named(variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**variables)
