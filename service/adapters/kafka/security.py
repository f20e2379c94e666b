"""How the brokers know us, and we them: certificates, passwords, tokens. What is wrong with a file is said at once: by
itself each connection would fail on it, and be tried again.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from kafka.errors import SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

from service.config import Settings
from service.errors import SettingsError

_CERTIFICATE: Final = "RETURNS_KAFKA_SSL_CERTFILE"
_KEY: Final = "RETURNS_KAFKA_SSL_KEYFILE"
_ASKING_SECONDS: Final = 5.0  # the client's thread waits meanwhile
_MOST_BYTES: Final = 64 * 1024
_LEFT: Final = 0.2  # of a token's life in which the next one is asked for
_SHORTEST_LIFE: Final = 60.0  # seconds, of a token that does not say


class NoToken(SaslAuthenticationFailedError):  # type: ignore[misc] # kafka-python has no types
    """There is no token to log in with; the text says which setting leads to none."""

    def __str__(self) -> str:
        return str(self.args[0])


def security_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for kafka-python's clients. Raises SettingsError."""
    options: dict[str, Any] = {}
    if settings.kafka_security_protocol.endswith("SSL"):
        options |= _certificates(settings)
    if settings.kafka_sasl_mechanism is None or not settings.kafka_security_protocol.startswith("SASL"):
        return options
    options["sasl_mechanism"] = settings.kafka_sasl_mechanism
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        return options | {"sasl_oauth_token_provider": token_provider(settings)}
    options["sasl_plain_username"] = settings.kafka_sasl_username
    if settings.kafka_sasl_password is not None:
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def _certificates(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    cafile, certfile, keyfile = settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile
    if cafile is not None:
        try:
            ssl.create_default_context(cafile=cafile)
        except ssl.SSLError:
            raise SettingsError("RETURNS_KAFKA_SSL_CAFILE: the file holds no certificates in PEM") from None
        except OSError as error:
            raise SettingsError(f"RETURNS_KAFKA_SSL_CAFILE: the file cannot be read: {error.strerror}") from None
        options["ssl_cafile"] = cafile
    if certfile is not None:
        secret = settings.kafka_ssl_key_password
        password = None if secret is None else secret.get_secret_value()
        _check_own(certfile, keyfile, password)
        options |= {"ssl_certfile": certfile, "ssl_keyfile": keyfile, "ssl_password": password}
    return options


def _check_own(certfile: str, keyfile: str | None, password: str | None) -> None:
    """Raise SettingsError where the two are no certificate and its key."""
    for name, file in ((_CERTIFICATE, certfile), (_KEY, keyfile)):
        try:
            if file is not None:
                Path(file).open("rb").close()
        except OSError as error:
            raise SettingsError(f"{name}: the file cannot be read: {error.strerror}") from None
    try:
        # Without a password OpenSSL would ask whoever sits at the terminal.
        ssl.create_default_context().load_cert_chain(certfile, keyfile, password or "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"{_KEY}: this is not the key of the certificate in {_CERTIFICATE}") from None
        both = f"{_CERTIFICATE}, {_KEY}, RETURNS_KAFKA_SSL_KEY_PASSWORD"
        raise SettingsError(f"{both}: no certificate and key in PEM, or not the key's password") from None


def token_provider(settings: Settings) -> AbstractTokenProvider:
    """Where the token of a login comes from."""
    path, url, secret = settings.kafka_oauth_token_path, settings.kafka_oauth_url, settings.kafka_sasl_password
    if path is not None:
        return _FileTokens(Path(path))
    assert url is not None and secret is not None  # noqa: S101, PT018 - the settings were checked
    return ClientTokens(url, settings.kafka_sasl_username or "", secret.get_secret_value(), settings.kafka_oauth_scope)


class _FileTokens(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def token(self) -> str:
        try:
            with self._path.open("rb") as file:
                token = file.read(_MOST_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it holds no token"
            raise NoToken(f"RETURNS_KAFKA_OAUTH_TOKEN_PATH: the file cannot be read: {why}") from None
        return _usable(token, "RETURNS_KAFKA_OAUTH_TOKEN_PATH")


class ClientTokens(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """Tokens by the grant of client credentials (RFC 6749, 4.4), each used for most of its life, by any thread."""

    def __init__(
        self, url: str, client: str, secret: str, scope: str | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        basic = b64encode(f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "accept": "application/json"}
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._request = Request(url, urlencode(form).encode(), headers)  # noqa: S310 - the settings allow http and https
        self._opener = build_opener(_NoRedirect, HTTPSHandler(context=ssl.create_default_context()))
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._token, self._until = "", float("-inf")

    def token(self) -> str:
        with self._lock:
            if self._monotonic() >= self._until:
                now = self._monotonic()
                self._token, life = self._asked()
                self._until = now + life * (1 - _LEFT)
            return self._token

    def _asked(self) -> tuple[str, float]:
        name = "RETURNS_KAFKA_OAUTH_URL"
        try:
            with self._opener.open(self._request, timeout=_ASKING_SECONDS) as answer:
                told = json.loads(answer.read(_MOST_BYTES))
            token, life = told["access_token"], float(told.get("expires_in", _SHORTEST_LIFE))
        except HTTPError as error:
            credentials = (
                ", RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD" if error.code in {400, 401} else ""
            )
            error.close()
            raise NoToken(f"{name}{credentials}: the answer there is {error.code}") from None
        except (URLError, OSError) as error:
            why = getattr(error, "reason", error)
            raise NoToken(f"{name}: cannot be asked: {getattr(why, 'strerror', None) or type(why).__name__}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NoToken(f"{name}: the answer there holds no access_token") from None
        return _usable(token, name), life


class _NoRedirect(HTTPRedirectHandler):
    """A secret is sent where the settings say, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _usable(token: Any, name: str) -> str:
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NoToken(f"{name}: there is no token")
    return token
