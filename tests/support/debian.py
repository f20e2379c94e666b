"""Programs to test with, from the packages of a Debian or Ubuntu, unpacked below .local/.

Nothing is installed into the system, and nobody has to be root: apt works on lists and a cache of the checkout's own,
from the sources that the machine is set up with, and checks the signatures as ever. What comes is what the machine's
distribution holds for current on that day; it stays until `make clean`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from deploy.local.packages import STORE

# Always there, and not to be mixed with others of their kind.
_SYSTEMS_OWN: Final = ("libc6", "libgcc-s1", "libstdc++6", "dpkg", "perl-base", "debconf")
_SECONDS: Final = 900  # for a step of fetching and unpacking


class CannotBring(Exception):
    """The packages cannot be had; the message is a part of one line."""


def bring(name: str, packages: Sequence[str], *, without: Sequence[str] = (), works: Callable[[Path], bool]) -> Path:
    """The folder that the packages are unpacked in, with all that they depend on, fetched unless it is there.

    `without` names packages that others depend on and that the program does without; what only they need does not
    come either. Raises CannotBring.
    """
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = STORE / name
        if works(folder):
            return folder
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise CannotBring(f"no {name} on this machine")
        for leftover in (folder, *STORE.glob(f"{name}-draft-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(dir=STORE, prefix=f"{name}-draft-") as draft:
            megabytes = _fetch(Path(draft), name, packages, without)
            (Path(draft) / "files").rename(folder)
        print(f"{name}: fetched {megabytes} MB in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        if works(folder):
            return folder
        raise CannotBring(f"the {name} in Debian's packages does not run here")


def environment(folder: Path) -> dict[str, str]:
    """The environment to run a program of the folder in: it finds the libraries that came with it."""
    found = {file.parent for where in ("lib", "usr/lib") for file in (folder / where).rglob("*.so*")}
    paths = [*map(str, sorted(found)), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(paths)}


def _fetch(draft: Path, name: str, packages: Sequence[str], without: Sequence[str]) -> int:
    """Unpack it all below draft/files; how many megabytes came."""
    for part in ("state/lists/partial", "cache/archives/partial", "files"):
        (draft / part).mkdir(parents=True)
    architecture = _run(draft, name, ["dpkg", "--print-architecture"]).strip()
    # No other package counts as installed: what is on this machine today may be gone tomorrow.
    (draft / "status").write_text(_installed([*_SYSTEMS_OWN, *without], architecture))
    _apt(draft, name, "update")
    _apt(draft, name, "--yes", "--no-install-recommends", "--download-only", "install", *packages)
    files = list((draft / "cache/archives").glob("*.deb"))
    for file in files:
        _run(draft, name, ["dpkg-deb", "-x", str(file), str(draft / "files")])
    return round(sum(file.stat().st_size for file in files) / 1e6)


def _installed(packages: Iterable[str], architecture: str) -> str:
    """A list of what dpkg has installed, in a version that is good for everybody."""
    return "".join(
        f"Package: {package}\nStatus: install ok installed\nArchitecture: {architecture}\nMulti-Arch: foreign\n"
        "Version: 99:99\nMaintainer: none\nDescription: none\n\n"
        for package in packages
    )


def _apt(draft: Path, name: str, *arguments: str) -> None:
    options = {
        "Dir::State": draft / "state",
        "Dir::State::status": draft / "status",
        "Dir::Cache": draft / "cache",
        "Dir::Log": draft / "log",
        "Debug::NoLocking": "true",  # nobody else knows of the draft
        "APT::Sandbox::User": "",  # and it is nobody's but ours
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Retries": "2",
    }
    _run(draft, name, ["apt-get", "-q", *(f"-o{option}={value}" for option, value in options.items()), *arguments])


def _run(draft: Path, name: str, command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, cwd=draft, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, timeout=_SECONDS,
            stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith("E:")] or ["no reason given"]
        raise CannotBring(f"{name} cannot be fetched ({command[0]}: {lines[-1]})") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBring(f"{name} cannot be fetched ({command[0]}: {type(error).__name__})") from None
    return done.stdout
