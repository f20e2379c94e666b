"""A kcat to test with: the system's, else the one in the packages of a Debian or Ubuntu, unpacked below .local/.

Nothing is installed into the system, and nobody has to be root: apt works on lists and a cache of the checkout's own,
from the sources that the machine is set up with, and checks the signatures as ever.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.local.packages import STORE

PACKAGE: Final = "kcat"
# Always there, and not to be mixed with others of their kind.
_SYSTEMS_OWN: Final = ("libc6", "libgcc-s1", "libstdc++6", "gcc-")
_HINT: Final = "install kcat (Debian, Ubuntu: apt-get install kcat; elsewhere the package kcat or kafkacat)"


class NoKcat(Exception):
    """There is no kcat and none can be brought; the message is one line that says what to do."""


class Kcat(NamedTuple):
    """A program, and where its libraries are."""

    program: Path
    libraries: tuple[Path, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The environment to run it in."""
        if not self.libraries:
            return dict(os.environ)
        paths = [*map(str, self.libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return os.environ | {"LD_LIBRARY_PATH": ":".join(paths)}

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
        return Kcat(Path(found))
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / ".kcat.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = STORE / PACKAGE
        if kcat := _unpacked(folder):
            return kcat
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise NoKcat(f"no kcat on this machine: {_HINT}")
        for leftover in (folder, *STORE.glob("kcat-draft-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=STORE, prefix="kcat-draft-") as draft:
            _bring(Path(draft), folder)
        if kcat := _unpacked(folder):
            return kcat
        raise NoKcat(f"the kcat in Debian's packages does not run here: {_HINT}")


def _unpacked(folder: Path) -> Kcat | None:
    program = folder / "usr/bin/kcat"
    libraries = {file.parent for where in ("lib", "usr/lib") for file in (folder / where).rglob("*.so*")}
    kcat = Kcat(program, tuple(sorted(libraries)))
    try:
        subprocess.run([program, "-V"], env=kcat.environment, capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return kcat


def _bring(draft: Path, folder: Path) -> None:
    for part in ("state/lists/partial", "cache/archives/partial", "debs", "files"):
        (draft / part).mkdir(parents=True)
    # No package counts as installed: what is on this machine today may be gone tomorrow.
    (draft / "status").touch()
    _apt(draft, "apt-get", "-q", "update")
    said = _apt(
        draft, "apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
        "--no-breaks", "--no-replaces", "--no-enhances", PACKAGE,
    )  # fmt: skip
    names = {line for line in said.splitlines() if line[:1].isalnum() and not line.startswith(_SYSTEMS_OWN)}
    _apt(draft, "apt-get", "-q", "download", *sorted(names))
    for deb in (draft / "debs").glob("*.deb"):
        _run(draft, ["dpkg-deb", "-x", str(deb), str(draft / "files")])
    (draft / "files").rename(folder)


def _apt(draft: Path, program: str, *arguments: str) -> str:
    options = {
        "Dir::State": draft / "state",
        "Dir::State::status": draft / "status",
        "Dir::Cache": draft / "cache",
        "APT::Sandbox::User": "",  # the draft is nobody's but ours
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Retries": "2",
    }
    return _run(draft, [program, *(f"-o{name}={value}" for name, value in options.items()), *arguments])


def _run(draft: Path, command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, cwd=draft / "debs", env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, timeout=300,
            check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith("E:")] or ["no reason given"]
        raise NoKcat(f"kcat cannot be fetched ({command[0]}: {lines[-1]}): {_HINT}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoKcat(f"kcat cannot be fetched ({command[0]}: {type(error).__name__}): {_HINT}") from None
    return done.stdout
