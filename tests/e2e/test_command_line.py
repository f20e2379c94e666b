from __future__ import annotations

from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.commands import run_afresh as run
from tests.support.commands import running, settings_of
from tests.support.topics import Topics

pytestmark = pytest.mark.e2e


def test_from_an_empty_database_to_an_answer_with_nothing_but_commands(
    empty_database: str, topics: Topics, tmp_path: Path
) -> None:
    settings = settings_of(empty_database, topics)

    def do(*arguments: str) -> str:
        result = run(*arguments, **settings)
        assert result.returncode == 0, result.stderr
        return result.stdout

    do("migrate")
    do("topics")
    played = do("simulate", "--returns", "50", "--rate", "0", "--seed", "7", "--invalid", "0.02")
    assert played.startswith(
        "playing on the input topics: no address of the API is set (RETURNS_HTTP_PORT is 0)\nsent "
    )
    do("ingest", "--drain")
    do("relay", "--drain")
    do("verify")
    token = do("token", "create", "--scopes", "read").strip()
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute(
            "SELECT r.return_id, count(*) FROM returns r JOIN history h USING (return_no) GROUP BY 1"
        )
        expected: dict[str, int] = dict(rows.fetchall())
        changes = connection.execute("SELECT sum(json_array_length(changes)) FROM history").fetchone()
    with running(tmp_path / "log", "serve", **settings) as serve:
        url = serve.logged("serving")[0]["url"]
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
            told = {
                return_id: len(client.get(f"/v1/returns/{return_id}/history?limit=500").json()["items"])
                for return_id in expected
            }
            documents = [client.get(f"/v1/returns/{return_id}").json() for return_id in expected]

    assert len(expected) >= 45
    assert told == expected
    assert changes == (sum(document["version"] for document in documents),)
    assert topics.end(topics.name("status-changes")) > changes[0]
