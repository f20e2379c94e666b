"""Keeps in the audit log what was done on the command line, on the connection of the command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from psycopg import Connection

from service.adapters.postgres.database import translated
from service.adapters.postgres.queries import load_queries
from service.application.access.audit import Action, Key

_QUERIES: Final = load_queries("audit.sql")


def note_command(
    connection: Connection, action: Action, subject: str | None = None, detail: Mapping[Key, str | int] | None = None
) -> None:
    """Add an entry for somebody at the command line, in the connection's transaction if it is in one."""
    with translated():
        connection.execute(_QUERIES["note_command"], (action.value, subject, json.dumps(detail or {})))
