"""Requests made up from the OpenAPI document, good ones and bad ones, against the real application on real servers.

Nothing may fail, every answer must be one that the document describes, what the document allows must be accepted and
what it forbids refused. RETURNS_TEST_API_CASES sets how many requests are made up for each call (`make fuzz` makes more
than 5,000 in all); RETURNS_TEST_SEED makes other ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

from service.wire.models import NUMBER_PATTERN
from service.wire.record import Record
from tests.support.api import api, project, settings_for
from tests.support.filling import Filler, world
from tests.support.topics import Topics

CASES = int(os.environ.get("RETURNS_TEST_API_CASES", "8"))  # made up for each call, beside the systematic ones
SECONDS = max(1100, 8 * CASES)
SEED = os.environ.get("RETURNS_TEST_SEED", "20261123")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 100)
def test_every_answer_is_one_that_the_document_describes(client: Client, tmp_path: Path) -> None:
    # A cursor and a key that was used before are refused, whatever they look like: see below for what is accepted.
    cases = attack(client, tmp_path, openapi(client), CASES, "--exclude-checks=positive_data_acceptance")

    assert cases > CASES * 8


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 100)
def test_what_the_document_allows_is_accepted(client: Client, tmp_path: Path) -> None:
    document = openapi(client)
    # What an event has to say stands in the JSON Schemas of each type, which the document does not repeat.
    document["paths"] = {path: calls for path, calls in document["paths"].items() if not path.startswith("/v1/events")}
    for form in ("pdf", "png"):  # which characters can be printed is a matter of the fonts
        del document["paths"][f"/v1/returns/{{return_id}}/label.{form}"]["post"]
    # No carrier has a range of numbers here.
    document["components"]["schemas"]["NewReturn"]["required"].append("tracking_number")
    document["components"]["schemas"]["NewReturn"]["properties"]["tracking_number"].pop("anyOf")
    document["components"]["schemas"]["NewReturn"]["properties"]["tracking_number"] |= {
        "type": "string",
        "pattern": NUMBER_PATTERN,
    }
    for calls in document["paths"].values():
        for call in calls.values():
            call["parameters"] = [each for each in call.get("parameters", ()) if each["name"] != "cursor"]

    cases = attack(
        client, tmp_path, document, CASES // 2, "--mode=positive", "--generation-allow-x00=false", "--phases=fuzzing"
    )

    assert cases > CASES


@pytest.fixture
def client(database: str, topics: Topics) -> Iterator[Client]:
    """A client of an application with returns, exceptions and dead letters to be found."""
    filler = Filler(database)
    filler.fill(world(60, seed=7, invalid=0.05, wrong_code=0.05))
    filler.write([Record("first-mile.scans", 0, 10**6, 1_795_600_000_000, None, b"\xff\x00", (("a", None),))])
    filler.close()
    project(database)
    # Wrong tokens are to be told that they are, each time.
    settings = settings_for(
        database, topics.bootstrap_servers, topic_returns=topics.create("returns"), token_failures=100_000
    )
    with api(settings, "read", "create", "hub", "ops") as client:
        yield client


def openapi(client: Client) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    # Its body is lines, which cannot be made up from a schema; its address is that of a return called bulk, too.
    del document["paths"]["/v1/returns/bulk"]
    return document


def attack(client: Client, folder: Path, document: dict[str, Any], cases: int, *options: str) -> int:
    """Run schemathesis against the application; how many requests it made."""
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    result = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            str(file),
            f"--url={client.base_url}",
            f"--header=Authorization: {client.headers['authorization']}",
            f"--max-examples={cases}",
            f"--seed={SEED}",
            "--phases=examples,coverage,fuzzing",
            "--checks=all",
            "--continue-on-failure",
            "--generation-database=none",
            "--suppress-health-check=all",
            "--request-timeout=20",
            "--warnings=off",
            "--no-color",
            *options,
        ],
        cwd=folder,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    print(result.stdout[-6000:])
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-2000:]
    generated = re.search(r"([\d,]+) generated", result.stdout)
    assert generated is not None
    return int(generated[1].replace(",", ""))
