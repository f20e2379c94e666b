"""Looks at the settings of PostgreSQL that the service relies on; changes nothing."""

from __future__ import annotations

from typing import Final

from service.adapters.postgres.database import connect, translated
from service.application.safety import POSTGRES_SETTINGS, Checked, check_postgres

_ASK: Final = "SELECT name, setting FROM pg_settings WHERE name = ANY (%s)"


def check(database_url: str) -> Checked:
    """What endangers what is promised, as it holds for this user and database. Raises Retryable."""
    with connect(database_url, "returns-check", writes=False) as connection, translated():
        return check_postgres(dict(connection.execute(_ASK, (list(POSTGRES_SETTINGS),)).fetchall()))
