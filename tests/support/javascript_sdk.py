"""The CloudEvents SDK of JavaScript, with the system's Node.js: brought once by npm from the lock beside the script."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.local.packages import STORE

_HERE: Final = Path(__file__).with_name("javascript")
_SECONDS: Final = 900  # for npm, on a machine with much else to do
_NPM: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")


class NoSdk(Exception):
    """It cannot be had here; the message is a line that says why."""


class Sdk(NamedTuple):
    """A Node.js, and the folder with the script and what it needs."""

    node: str
    folder: Path

    def send(self, url: str, token: str, events: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Send these events in each mode; what became of each: `mode`, `id` and `time` that the SDK gave it, `answer`."""
        command = [self.node, "send.mjs", url, token]
        done = subprocess.run(
            command, cwd=self.folder, input=json.dumps(events).encode(), capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        said: list[dict[str, Any]] = json.loads(done.stdout)
        return said


def find_sdk() -> Sdk:
    """The SDK of the lock, installed. Raises NoSdk."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NoSdk("no Node.js with npm on this machine (Debian, Ubuntu: apt-get install nodejs npm)")
    files = sorted(_HERE.iterdir())
    fingerprint = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = STORE / f"javascript-sdk-{fingerprint}"
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / ".javascript-sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=STORE, prefix="javascript-sdk-draft-") as draft:
                for file in files:
                    shutil.copy(file, draft)
                _install(npm, Path(draft))
                shutil.copytree(draft, folder)
    return Sdk(node, folder)


def _install(npm: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            [npm, *_NPM],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoSdk(f"npm did not bring the SDK within {_SECONDS} s") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "npm error" in line] or ["no reason given"]
        raise NoSdk(f"npm did not bring the SDK ({lines[0]})")
