"""A standby of a private PostgreSQL server: streaming replication, asynchronous, to be cut off and promoted."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection, sql

from deploy.local import packages
from deploy.local.postgres_server import DATABASE, USER, PostgresServer, _account
from deploy.local.state import State
from tests.support.waiting import eventually

_SECONDS = 30.0
# Of the primary's folder these are not the standby's: its process, and what streaming brings anew.
_NOT_COPIED = {"postmaster.pid", "postmaster.opts", "standby.signal"}
_EMPTIED = {"pg_wal", "pg_replslot", "pg_stat_tmp", "pg_notify", "pg_serial", "pg_snapshots", "pg_subtrans"}


class Standby(PostgresServer):
    """Follows a primary until it is promoted. A context manager that deletes it in the end."""

    @classmethod
    def of(cls, primary: PostgresServer) -> Self:
        """A standby beside the primary, which must run; it is started, and has everything."""
        standby = cls(primary.home.parent / "standby" / "postgres", shared_buffers="64MB")
        standby._copy(primary)
        standby.start()
        standby.catch_up(primary)
        return standby

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.remove()

    def catch_up(self, primary: PostgresServer) -> None:
        """Wait until it has replayed whatever the primary has written until now."""
        written = ask(primary, "SELECT pg_current_wal_lsn()")
        there = "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
        eventually(lambda: ask(self, there, written), _SECONDS, why="the standby does not catch up")

    def pause_replay(self) -> None:
        """Receive, but show nothing newer. A promotion replays what was received."""
        ask(self, "SELECT pg_wal_replay_pause()")

    def cut_off(self) -> None:
        """Receive nothing more: what the primary commits from now on is missing after a promotion."""
        run(self, "ALTER SYSTEM SET primary_conninfo = ''")
        ask(self, "SELECT pg_reload_conf()")
        gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)"
        eventually(lambda: ask(self, gone), _SECONDS, why="the standby still receives")

    def promote(self) -> None:
        """Become a primary, with what was received."""
        assert ask(self, f"SELECT pg_promote(true, {_SECONDS:.0f})"), "the standby was not promoted"

    def _copy(self, primary: PostgresServer) -> None:
        """A base backup by hand: among the binaries that tests run there is no pg_basebackup."""
        account = _account()
        self.home.mkdir(parents=True, exist_ok=True)
        password = urlsplit(primary.database_url).password
        State(self.home / "state.json").update(password=password)
        version = packages.postgres_version(self._binaries(account))
        source, target = primary._folder() / f"data-{version}", self._choose_folder(account) / f"data-{version}"
        with connected(primary) as connection:
            connection.execute("SELECT pg_create_physical_replication_slot('standby', true)")
            connection.execute("SELECT pg_backup_start('standby', true)")
            shutil.copytree(source, target, ignore=_left_out, copy_function=_copied)
            row = connection.execute("SELECT labelfile FROM pg_backup_stop(false)").fetchone()
        assert row is not None
        (target / "backup_label").write_text(row[0])
        (target / "standby.signal").touch()
        port = urlsplit(primary.database_url).port
        told = f"host=127.0.0.1 port={port} user={USER} password={password}"
        with (target / "postgresql.auto.conf").open("a") as configuration:
            configuration.write(f"primary_conninfo = '{told}'\nprimary_slot_name = 'standby'\n")
        if account is not None:
            for path in (target, *target.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)


def both(first: PostgresServer, second: PostgresServer, wanted: str = "?target_session_attrs=read-write") -> str:
    """The address of two servers, of which one takes writes at a time."""
    one, other = urlsplit(first.database_url), urlsplit(second.database_url)
    user = one.netloc.rpartition("@")[0]
    return f"postgresql://{user}@127.0.0.1:{one.port},127.0.0.1:{other.port}{one.path}{wanted}"


def connected(server: PostgresServer) -> Connection[Any]:
    """A session of the superuser, each statement a transaction."""
    return psycopg.connect(server.database_url, dbname=DATABASE, autocommit=True)


def ask(server: PostgresServer, query: str, *parameters: Any) -> Any:
    """The one value that a query gives."""
    with connected(server) as connection:
        row = connection.execute(query.encode(), parameters or None).fetchone()
    return None if row is None else row[0]


def run(server: PostgresServer, statement: str) -> None:
    """A statement outside a transaction."""
    with connected(server) as connection:
        connection.execute(sql.SQL(statement))


def _left_out(folder: str, names: list[str]) -> set[str]:
    # Folders stay, empty, for the server does not make them; but a slot for replication is such a folder.
    parts = Path(folder).parts[-2:]
    inside = any(part in _EMPTIED for part in parts)
    return {
        name
        for name in names
        if name in _NOT_COPIED
        or name.startswith("pgsql_tmp")
        or (inside and (parts[-1] == "pg_replslot" or not (Path(folder) / name).is_dir()))
    }


def _copied(source: str, target: str) -> str:
    with suppress(FileNotFoundError):  # a table that was dropped meanwhile
        shutil.copy2(source, target)
    return target
