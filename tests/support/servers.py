"""Servers of a test's own, to stop, kill and freeze without hurting the shared ones."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.local.kafka_server import KafkaServer
from deploy.local.packages import CHECKOUT
from deploy.local.postgres_server import PostgresServer

PRIVATE = CHECKOUT / ".local" / "private"


@contextlib.contextmanager
def private_home() -> Iterator[Path]:
    """A folder for servers of this session. What sessions left behind that were killed is stopped and deleted first."""
    home = PRIVATE / str(os.getpid())
    with contextlib.ExitStack() as held:
        with _one_at_a_time():
            _remove_orphans()
            home.mkdir(parents=True)
            # Held until the process ends, however it does; that is how an orphan is told from a folder in use.
            fcntl.flock(held.enter_context((home / "lock").open("w")), fcntl.LOCK_EX)
        yield home
        _remove(home)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Sessions that start together: a folder that is made and not yet locked looks like an orphan."""
    PRIVATE.mkdir(parents=True, exist_ok=True)
    with PRIVATE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_orphans() -> None:
    for home in PRIVATE.glob("*"):
        with contextlib.suppress(OSError), (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(home)


def _remove(home: Path) -> None:
    for state in list(home.rglob("state.json")):
        server = PostgresServer(state.parent) if state.parent.name == "postgres" else KafkaServer(state.parent)
        server.kill()
        server.remove()
    shutil.rmtree(home, ignore_errors=True)
