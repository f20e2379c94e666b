"""deploy/docs/carriers.md: the recipe for a new carrier, its commands as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api import api, settings_for
from tests.support.topics import Clients, Topics

RECIPE = Path(__file__).parents[3] / "deploy" / "docs" / "carriers.md"


@pytest.mark.slow
def test_the_recipe_for_a_new_carrier_does_what_it_says(
    database: str, topics: Topics, clients: Clients, tmp_path: Path
) -> None:
    *files, trial, opening, sending = re.findall(r"```sh\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    command = bin_ / "returns-status"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service "$@"\n')
    command.chmod(0o755)
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(script: str, **environment: str) -> str:
        known = {name: value for name, value in os.environ.items() if not name.startswith("RETURNS_")}
        path = {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(RECIPE.parents[2])}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=known | path | environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("".join(files))
    assert "1 lines: 2 scans would be published, 0 of them unmapped; 0 faults" in run(trial)
    run(opening)

    topic = topics.create("scans")
    settings = settings_for(
        database,
        topics.bootstrap_servers,
        topic_scans=topic,
        carrier_tables=str(folder / "tables"),
        feed_definitions=str(folder / "feeds"),
        feeds_file=str(folder / "open-feeds.toml"),
    )
    with api(settings, "read") as client:
        answer = json.loads(run(sending, ADDRESS=str(client.base_url).rstrip("/")))

    assert [item["meaning"] for item in answer["items"]] == ["RT", "RDTPF"]
    first, _ = [json.loads(record.value) for record in clients.read(topic, 2)]
    assert first["data"]["location"] == {"name": "Sevilla", "country": "ES"}
    assert first["data"]["local_time"] == "2026-06-01T09:30:00"
