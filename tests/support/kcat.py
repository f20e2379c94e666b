"""A kcat to test with: the system's, else the one in the packages of a Debian or Ubuntu."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.support import debian

_HINT: Final = "install kcat (Debian, Ubuntu: apt-get install kcat; elsewhere the package kcat or kafkacat)"


class NoKcat(Exception):
    """There is no kcat and none can be brought; the message is one line that says what to do."""


class Kcat(NamedTuple):
    """A program, and the environment to run it in."""

    program: Path
    environment: dict[str, str]

    def run(self, *arguments: str, fed: bytes = b"") -> bytes:
        """What it prints; it must succeed."""
        command = [str(self.program), *arguments]
        done = subprocess.run(command, env=self.environment, input=fed, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}"
        return done.stdout

    def read(self, bootstrap_servers: str, topic: str) -> list[dict[str, Any]]:
        """Everything committed on a topic: `key`, `payload`, `headers` and the rest of what kcat's -J says."""
        said = self.run(
            "-C", "-b", bootstrap_servers, "-t", topic, "-X", "isolation.level=read_committed", "-o", "beginning",
            "-e", "-q", "-J",
        )  # fmt: skip
        return [json.loads(line) for line in said.splitlines()]


def find_kcat() -> Kcat:
    """A kcat that runs. Raises NoKcat."""
    found = shutil.which("kcat") or shutil.which("kafkacat")
    if found:
        return Kcat(Path(found), dict(os.environ))
    try:
        return _unpacked(debian.bring("kcat", ["kcat"], works=_runs))
    except debian.CannotBring as problem:
        raise NoKcat(f"{problem}: {_HINT}") from None


def _unpacked(folder: Path) -> Kcat:
    return Kcat(folder / "usr/bin/kcat", debian.environment(folder))


def _runs(folder: Path) -> bool:
    kcat = _unpacked(folder)
    try:
        subprocess.run([kcat.program, "-V"], env=kcat.environment, capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
