"""A PgBouncer to test with: the system's, else the one in the packages of a Debian."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from deploy.local.postgres_server import _account
from deploy.local.process import free_port
from tests.support import debian
from tests.support.waiting import eventually

# For setting up a system's service, which is not wanted; what it needs to run is what is left.
_WITHOUT: Final = ("adduser", "lsb-base", "postgresql-common", "sysvinit-utils", "init-system-helpers", "systemd")
_HINT: Final = "install PgBouncer (apt-get install pgbouncer)"


class NoPgBouncer(Exception):
    """There is none and none can be brought; the message is one line that says what to do."""


def find() -> tuple[Path, dict[str, str]]:
    """The program and the environment to run it in. Raises NoPgBouncer."""
    system = shutil.which("pgbouncer")
    if system is not None:
        return Path(system), dict(os.environ)
    try:
        folder = debian.bring("pgbouncer", ("pgbouncer",), without=_WITHOUT, works=_works)
    except debian.CannotBring as problem:
        raise NoPgBouncer(f"{problem}: {_HINT}") from None
    return _program(folder), debian.environment(folder)


def _program(folder: Path) -> Path:
    return folder / "usr/sbin/pgbouncer"


def _works(folder: Path) -> bool:
    if not _program(folder).exists():
        return False
    asked = [str(_program(folder)), "--version"]
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(asked, env=debian.environment(folder), capture_output=True, timeout=20, check=False)
        return done.returncode == 0
    return False


@contextmanager
def pooled(database_url: str, pool_mode: str, **more: str) -> Iterator[str]:
    """The database's URL by way of a PgBouncer in this mode."""
    program, environment = find()
    parts, port, account = urlsplit(database_url), free_port(), _account()
    with tempfile.TemporaryDirectory(prefix="returns-pgbouncer-", dir="/var/tmp") as home:
        settings = {
            "listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": "", "auth_type": "plain",
            "auth_file": f"{home}/users", "pool_mode": pool_mode, **more,
        }  # fmt: skip
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        where = f"* = host={parts.hostname} port={parts.port}\n"
        Path(home, "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        Path(home, "pgbouncer.ini").write_text(f"[databases]\n{where}[pgbouncer]\n{text}")
        if account is not None:
            for path in (Path(home), *Path(home).iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
            # The checkout may be where that user may not go.
            program = Path(shutil.copy2(program, f"{home}/program"))
            environment = _libraries_within(environment, Path(home))
        process = subprocess.Popen(
            [program, "-q", f"{home}/pgbouncer.ini"],
            env=environment,
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )
        try:
            eventually(lambda: _listens(port), timeout=10, why="PgBouncer does not start")
            yield urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
        finally:
            process.kill()
            process.wait()


def _libraries_within(environment: dict[str, str], home: Path) -> dict[str, str]:
    folder = home / "lib"
    folder.mkdir(exist_ok=True)
    for each in environment.get("LD_LIBRARY_PATH", "").split(":"):
        for file in Path(each).glob("*.so*") if each else ():
            if file.exists():
                shutil.copy(file, folder / file.name)
    return environment | {"LD_LIBRARY_PATH": str(folder)}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
