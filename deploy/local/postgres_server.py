"""One PostgreSQL server, kept in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from deploy.local import packages
from deploy.local.process import Identity, StackError, free_port, is_free, kill_all, spawn, stop, tail, wait_until
from deploy.local.state import State

START_SECONDS = 120
STOP_SECONDS = 20
USER = "returns"
DATABASE = "returns"
# PostgreSQL refuses to run as root; the first of these that exists runs it then.
STAND_INS = ("postgres", "nobody")

SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = {shared_buffers}
dynamic_shared_memory_type = posix
max_prepared_transactions = 0
# Killed and measured like a real one: nothing that makes it faster and less safe.
fsync = on
synchronous_commit = on
full_page_writes = on
max_wal_size = 4GB
min_wal_size = 256MB
checkpoint_timeout = 15min
wal_level = replica
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%a %d '
log_lock_waits = on
# Statements and the values in them stay out of the log.
log_min_error_statement = panic
log_error_verbosity = terse
"""


class PostgresServer:
    """A server on the loopback interface. Its data, port, password and log stay between starts.

    Every method may be called again, and by another process than the one that started the server; calls on one
    home must not overlap (LocalStack holds a lock). Under root it runs as another user, and where that user cannot
    enter `home`, the data are kept in a folder of its own below /var/tmp that the state file names.
    """

    def __init__(self, home: Path, *, shared_buffers: str = "512MB") -> None:
        self.home = home.resolve()
        self._shared_buffers = shared_buffers
        self._state = State(self.home / "state.json")
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def database_url(self) -> str:
        """The address for RETURNS_DATABASE_URL; known once the server was started the first time."""
        state = self._state.read()
        return f"postgresql://{USER}:{state.get('password')}@127.0.0.1:{state.get('port')}/{DATABASE}"

    @property
    def identity(self) -> Identity | None:
        """The server's main process as last started, whether or not it still lives."""
        return self._state.identity()

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self._folder() / "server.log"

    def is_running(self) -> bool:
        """Whether the server lives and lets a client into the database."""
        return self._lives() and self._answers(DATABASE)

    def start(self) -> bool:
        """Start the server unless it runs, and wait until it answers; False when it ran already. Raises StackError."""
        if self.is_running():
            return False
        if self._lives():
            # It lives but does not answer: a command that was cut short has just started it, or it hangs, or it dies.
            wait_until(lambda: not self._lives() or self._answers(), START_SECONDS)
            if self._lives() and self._answers():
                self._create_database()
                return False
        account = _account()
        binaries = self._binaries(account)
        self._clear_away_leftovers()
        self._reap()
        data = self._choose_folder(account) / f"data-{packages.postgres_version(binaries)}"
        self._choose_port()
        self._initialise(binaries, data, account)
        state = self._state.read()
        (data / "returns.conf").write_text(SETTINGS.format(port=state["port"], shared_buffers=self._shared_buffers))
        self._launch(binaries, data, account)
        self._create_database()
        return True

    def stop(self) -> None:
        """Shut the server down at once but in good order: clients are sent away, nothing has to be recovered."""
        identity = self.identity
        if identity is not None:
            stop(identity, signal.SIGINT, seconds=STOP_SECONDS)
        self._clear_away_leftovers()
        self._reap()

    def kill(self) -> None:
        """SIGKILL to all of its processes, as a power cut would."""
        self._clear_away_leftovers()
        self._reap()

    def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop the server and delete its data, wherever they are."""
        self.stop()
        for folder in (self._folder(), self._state.read().get("binaries")):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _signal(self, what: signal.Signals) -> None:
        main = self.identity and self.identity.process()
        if not main:
            raise StackError("PostgreSQL does not run")
        for process in [main, *main.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(what)

    def _lives(self) -> bool:
        identity = self.identity
        return identity is not None and identity.process() is not None

    def _answers(self, database: str = "postgres") -> bool:
        try:
            psycopg.connect(self.database_url, dbname=database, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def _folder(self) -> Path:
        return Path(self._state.read().get("folder") or self.home / "cluster")

    def _choose_folder(self, account: pwd.struct_passwd | None) -> Path:
        folder = self._folder()
        folder.mkdir(parents=True, exist_ok=True)
        if account is None:
            return folder
        if not _can_use(folder, account):
            folder = Path(tempfile.mkdtemp(prefix="returns-postgres-", dir="/var/tmp")).resolve()
            self._state.update(folder=str(folder))
        os.chown(folder, account.pw_uid, account.pw_gid)
        return folder

    def _binaries(self, account: pwd.struct_passwd | None) -> Path:
        binaries = packages.postgres()
        if account is None or _can_use(binaries, account):
            return binaries
        # The whole installation moves, since the server looks for its libraries beside its programs.
        folder = self._state.read().get("binaries")
        if folder is None or not (Path(folder) / "bin" / "postgres").exists():
            folder = tempfile.mkdtemp(prefix="returns-postgres-", dir="/var/tmp")
            Path(folder).chmod(0o755)
            shutil.copytree(binaries.parent, folder, symlinks=True, dirs_exist_ok=True)
            Path(folder).chmod(0o755)
            self._state.update(binaries=folder)
        return Path(folder) / "bin"

    def _choose_port(self) -> None:
        state = self._state.read()
        # The old port is kept, so that clients find the server again.
        if "port" not in state or not wait_until(lambda: is_free(state["port"]), 2):
            self._state.update(port=free_port())

    def _initialise(self, binaries: Path, data: Path, account: pwd.struct_passwd | None) -> None:
        if (data / "returns.conf").exists():
            return
        # Without the last file that is written here, an earlier attempt was cut short.
        shutil.rmtree(data, ignore_errors=True)
        password = secrets.token_hex(16)
        self._state.update(password=password)
        secret = data.with_name("password")
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(password)
        if account:
            os.chown(secret, account.pw_uid, account.pw_gid)
        arguments: list[str | Path] = ["--pgdata", data, "--pwfile", secret, "--username", USER]
        done = subprocess.run(
            [
                binaries / "initdb",
                *arguments,
                "--encoding",
                "UTF8",
                "--no-locale",
                "--auth",
                "scram-sha-256",
                "--no-instructions",
            ],
            cwd=data.parent,
            capture_output=True,
            text=True,
            check=False,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )
        secret.unlink()
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise StackError(
                f"PostgreSQL's data folder {data} could not be made: {said[-1] if said else 'no reason given'}"
            )
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude = 'returns.conf'\n")

    def _launch(self, binaries: Path, data: Path, account: pwd.struct_passwd | None) -> None:
        # Nothing of ours runs in this folder any more, so the file is stale, even if its number was given to another.
        (data / "postmaster.pid").unlink(missing_ok=True)
        identity, self._child = spawn(
            [binaries / "postgres", "-D", data],
            log=self.log,
            cwd=data,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        )
        self._state.update(pid=identity.pid, born=identity.born)
        started = wait_until(lambda: identity.process() is None or self._answers(), START_SECONDS)
        if not started or identity.process() is None:
            self.kill()
            raise StackError(f"PostgreSQL did not start, see {self.log}:\n{tail(self.log)}")

    def _create_database(self) -> None:
        with psycopg.connect(self.database_url, dbname="postgres", autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _clear_away_leftovers(self) -> None:
        """Kill what still works on this data folder: a main process, or children that outlived theirs.

        The children are in sessions of their own and bear no path in their titles; their working folder tells.
        """
        folder = self._folder()
        leftovers = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.name() == "postgres" and Path(process.cwd()).parent == folder:
                    leftovers.append(process)
        kill_all(leftovers)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=10)
            self._child = None


def _account() -> pwd.struct_passwd | None:
    """The user to run the server as; None is the present one."""
    if os.getuid() != 0:
        return None
    for name in STAND_INS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise StackError(f"PostgreSQL does not run as root: create a user named {STAND_INS[0]} (useradd --system postgres)")


def _can_use(folder: Path, account: pwd.struct_passwd) -> bool:
    """Whether a user can enter a folder, tried as that user."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
    )
    return done.returncode == 0
