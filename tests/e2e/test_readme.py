"""A carrier integrator's first five minutes: the commands of the README, exactly as written, in a folder of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from deploy.local.process import free_port
from deploy.local.stack import LocalStack
from tests.support.commands import ROOT
from tests.support.kcat import Kcat, find_kcat
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]  # the first time, kcat is fetched

SECTION: Final = re.compile(r"<!-- first-scan:begin -->(.*)<!-- first-scan:end -->", re.DOTALL)
BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SETTINGS: Final = "RETURNS_"
# A terminal has job control, so that `kill %1` reaches what runs in the background. What the last block asks for is
# there "within a second": asked for again until it is. Then the script waits to be told to end.
SCRIPT: Final = """
set -m
{blocks}
ask() {{
{last}
}}
while true; do ask > answers.new; mv answers.new answers; read -r -t 0.3 && break; done
kill %1
wait
"""


@pytest.fixture
def checkout(tmp_path: Path, private_stack: LocalStack, empty_database: str) -> Path:
    """What the commands see: this checkout, but for the stack, which runs already. Its broker is the test's own, so
    that the topics have the names that the README says."""
    private_stack.kafka.start()
    folder = tmp_path / "checkout"
    (folder / ".local").mkdir(parents=True)
    for name in (".venv", "service", "schemas", "deploy", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "Makefile").write_text("up:\n\t@true\n")
    settings = {
        "RETURNS_KAFKA_BOOTSTRAP_SERVERS": private_stack.kafka.bootstrap_servers,
        "RETURNS_DATABASE_URL": empty_database,
        "RETURNS_HTTP_PORT": str(free_port()),
    }
    (folder / ".local" / "env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A person's, with kcat on the PATH."""
    kcat = find_kcat()
    programs = tmp_path / "bin"
    programs.mkdir()
    _wrap(kcat, programs / "kcat")
    given = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**given, "PATH": f"{programs}:{given['PATH']}"}


def _wrap(kcat: Kcat, file: Path) -> None:
    libraries = kcat.environment.get("LD_LIBRARY_PATH", "")
    file.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(libraries)} exec {kcat.program} "$@"\n')
    file.chmod(0o755)


def script(port: str) -> str:
    """The commands of the README as one script."""
    section = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert section
    blocks = [block.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for block in BLOCK.findall(section[1])]
    assert len(blocks) >= 3
    return SCRIPT.format(blocks="\n".join(blocks), last=blocks[-1])


def documents(text: str) -> list[Any]:
    """JSON documents that stand one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_the_first_scan_is_in_the_history(checkout: Path, environment: dict[str, str]) -> None:
    port = re.search(r"HTTP_PORT=(\d+)", (checkout / ".local" / "env").read_text())
    assert port
    with (checkout / "said").open("wb") as said:
        bash = subprocess.Popen(
            ["bash", "-c", script(port[1])], cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said
        )  # fmt: skip

    def answers() -> list[Any]:
        assert bash.poll() is None, (checkout / "said").read_text()
        with contextlib.suppress(FileNotFoundError, ValueError):  # half of it may be there
            history, document = documents((checkout / "answers").read_text())
            # The first question may be too early; the script asks until the answer to the second one is there.
            return [history, document] if document.get("status") == "RT" and "items" in history else []
        return []

    family: list[psutil.Process] = []
    try:
        history, document = eventually(answers, 60, why="the scan is not in the history")
        family = psutil.Process(bash.pid).children(recursive=True)
        bash.communicate(b"end\n", timeout=60)
        eventually(lambda: not alive(family), 20, why="something goes on after `kill %1`")
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            family += psutil.Process(bash.pid).children(recursive=True)
        bash.kill()
        bash.wait(10)
        for process in alive(family):
            process.kill()

    assert len(family) >= 4
    (scan,) = [item for item in history["items"] if item["type"] == "com.omnirps.carrier.scanned.v1"]
    assert (scan["source"], scan["id"], scan["verdict"]) == ("/carriers/yours", "scan-0001", "advanced")
    assert document["status_name"] == "Return In Transit"
    assert document["timeline"][1]["location"] == {"name": "Queen Street, Auckland", "country": "NZ"}
