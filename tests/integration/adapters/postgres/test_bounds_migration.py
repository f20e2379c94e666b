"""Tokens and creations from before tokens were bound go on as they were."""

from __future__ import annotations

import psycopg
import pytest

from service.adapters.postgres.access.tokens import digest, find_caller
from service.adapters.postgres.database import connect
from service.adapters.postgres.migrations import migrate, shipped
from service.application.access.bounds import UNBOUND

pytestmark = pytest.mark.postgres

OLD = 14
KEPT = """
INSERT INTO creations (token_no, key, fingerprint, return_id, event) VALUES
    (1, 'key:a', '', 'R-1', ''), (2, 'key:a', '', 'R-2', ''), (2, 'key:b', '', 'R-3', ''), (3, 'key:b', '', 'R-4', ''),
    (4, 'key:c', '', 'R-5', '')
"""


def test_an_old_token_is_unbound_and_what_it_created_is_its_publishers(empty_database: str) -> None:
    migrate(empty_database, [migration for migration in shipped() if migration.number <= OLD])
    with psycopg.connect(empty_database) as connection:
        for secret, publisher in (("one", "acme"), ("two", "acme"), ("three", "bravo"), ("four", None)):
            connection.execute(
                "INSERT INTO tokens (hash, scopes, label, publisher) VALUES (%s, '{read}', %s, %s)",
                (digest(secret), secret, publisher),
            )
        connection.execute(KEPT)

    migrate(empty_database)

    with connect(empty_database, "test") as migrated:
        callers = [find_caller(migrated, secret) for secret in ("one", "two", "three", "four")]
        owners = migrated.execute("SELECT return_id, token_no FROM creations ORDER BY return_id").fetchall()
    assert [each and (each.publisher, each.bounds, each.rate) for each in callers] == [
        ("acme", UNBOUND, None),
        ("acme", UNBOUND, None),
        ("bravo", UNBOUND, None),
        ("token-4", UNBOUND, None),
    ]
    # Two requests under one key of one publisher stay two; whatever else its other tokens created is the first one's.
    assert owners == [("R-1", 1), ("R-2", 2), ("R-3", 1), ("R-4", 3), ("R-5", 4)]


def test_an_empty_list_is_no_bound_that_a_token_can_have(database: str) -> None:
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO tokens (hash, scopes, label, retailers) VALUES ('x', '{read}', '', '{}')")
