"""The real application, wired as `serve` wires it, and what tests ask it with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httpx import Client
from pydantic import SecretStr

from service.adapters.postgres.access.tokens import NewToken, make_token
from service.adapters.postgres.database import connect
from service.adapters.postgres.journal.search import PostgresSearch
from service.application.access.bounds import UNBOUND, Bounds
from service.application.journal.slices import SliceLimits
from service.config import Settings
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.projector import Projector
from service.wiring import serving
from tests.support.web import served


def settings_for(database: str, bootstrap_servers: str = "127.0.0.1:1", **others: Any) -> Settings:
    """Settings of a service on this database; without a broker, none answers."""
    return Settings(database_url=SecretStr(database), kafka_bootstrap_servers=bootstrap_servers, **others)


@contextmanager
def api(settings: Settings, *scopes: str) -> Iterator[Client]:
    """A client of the application, with a token of these scopes."""
    stop = Stop()
    with serving.web(settings, Metrics(), stop) as app, served(app, token(settings, *scopes)) as client:
        client.timeout = 30
        yield client


def token(
    settings: Settings, *scopes: str, publisher: str = "", bounds: Bounds = UNBOUND, rate: int | None = None
) -> str:
    """A new token."""
    with connect(settings.database_url.get_secret_value(), "test") as connection:
        return make_token(connection, NewToken(scopes, publisher=publisher, bounds=bounds, rate=rate))


def project(database: str) -> None:
    """Bring the search tables up with the journal."""
    Projector(PostgresSearch(database, SliceLimits()), Stop(), Metrics()).run(drain=True)


def walk(client: Client, path: str, **parameters: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    pages: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        answer = client.get(path, params=parameters | ({} if cursor is None else {"cursor": cursor}))
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
    return pages
