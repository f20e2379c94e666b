"""Commands of the service in processes that are forked from one which has imported all of it already.

A start of Python with the service costs more than a second of CPU, which is most of what a short command takes, and a run of the
tests starts hundreds. What runs is the service's own entry, with its own environment, its own output and its own signals; only
the reading of the code is shared. Where a fresh start is what matters (faults, benchmarks, the command line itself) or Linux is
not at hand, `fits` says no.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final, Protocol

from service import cli, wiring

ROOT: Final = Path(__file__).resolve().parents[2]
WANTED: Final = "TEST_FORKED"  # in the environment, set by `make test`
_LARGEST: Final = 1 << 20  # bytes of a request: a command and its environment
_SETPDEATHSIG: Final = 1


class Process(Protocol):
    """What tests ask of a process that they started."""

    returncode: int | None

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def fits(environment: Mapping[str, str]) -> bool:
    """Whether a command with this environment may be forked: wanted, possible, and nothing is said to Python itself."""
    return (
        WANTED in os.environ
        and hasattr(os, "pidfd_open")
        and not any(name.startswith("PYTHON") and os.environ.get(name) != value for name, value in environment.items())
    )


class Forked:
    """A process that was forked: as much of `subprocess.Popen` as tests use."""

    def __init__(self, arguments: Sequence[str], ended: socket.socket) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._ended = ended
        self.pid = int(ended.recv(32))
        self._pidfd = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """The exit status, as `Popen` has it, or None while it runs."""
        if self.returncode is None and _readable(self._ended, 0):
            self._take()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it is there. Raises TimeoutExpired."""
        if self.returncode is None:
            if not _readable(self._ended, timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._take()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, sig: int, /) -> None:
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                signal.pidfd_send_signal(self._pidfd, sig)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _take(self) -> None:
        status = self._ended.recv(32)
        self.returncode = int(status) if status else -signal.SIGKILL  # nobody is left who could tell
        self._ended.close()
        os.close(self._pidfd)


def _readable(connection: socket.socket, timeout: float | None) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(timeout))


class _Nursery:
    """This process's end of the one that forks."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asked.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], out: int, error: int) -> Forked:
        asked = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._lock:
            socket.send_fds(self._asked, [asked], [out, error, theirs.fileno()])
        return Forked(arguments, mine)

    def close(self) -> None:
        if os.getpid() == self.owner:
            self._asked.close()
            self._process.wait(30)


_nurseries: list[_Nursery] = []


def start(arguments: Sequence[str], environment: Mapping[str, str], out: int, error: int) -> Forked:
    """Runs `python -m service` with these arguments and this environment, with two file descriptors for what it writes."""
    if not _nurseries or _nurseries[0].owner != os.getpid():
        _nurseries[:] = [_Nursery()]
    return _nurseries[0].start(arguments, environment, out, error)


def run(arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """The same to its end, as `subprocess.run` with its output captured. Raises TimeoutExpired."""
    out, error = os.memfd_create("out"), os.memfd_create("error")
    try:
        process = start(arguments, environment, out, error)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise
        return subprocess.CompletedProcess(list(arguments), status, _text(out), _text(error))
    finally:
        os.close(out)
        os.close(error)


def _text(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Forks for whoever asks, and tells the status of what ended; in a child: what it is to run."""
    for wing in (wiring, cli):
        for module in walk_packages(wing.__path__, f"{wing.__name__}."):
            import_module(module.name)
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    parent = os.getpid()
    children: dict[int, tuple[int, socket.socket]] = {}  # pid and who asked, by pidfd
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in children:
                    selector.unregister(key.fd)
                    _tell(*children.pop(key.fd))
                    os.close(key.fd)
                    continue
                message, files, _, _ = socket.recv_fds(asked, _LARGEST, 3)
                if not message:
                    return None  # whoever asked is gone, and children are told by the kernel
                out, error, ended = files
                assert threading.active_count() == 1
                if (pid := os.fork()) == 0:
                    libc.prctl(_SETPDEATHSIG, signal.SIGTERM)
                    if os.getppid() != parent:
                        os._exit(1)
                    os.dup2(out, 1)
                    os.dup2(error, 2)
                    for file in (*files, *children):
                        os.close(file)
                    for _, connection in children.values():
                        connection.close()
                    task: dict[str, Any] = json.loads(message)
                    return task
                os.close(out)
                os.close(error)
                pidfd = os.pidfd_open(pid)
                children[pidfd] = (pid, socket.socket(fileno=ended))
                children[pidfd][1].send(str(pid).encode())
                selector.register(pidfd, selectors.EVENT_READ)


def _tell(pid: int, connection: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    with connection, suppress(OSError):  # nobody asks any more
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        task = _serve(asked)
    if task is None:
        return
    os.environ.clear()
    os.environ.update(task["environment"])
    time.tzset()
    sys.argv[:] = ["service", *task["arguments"]]
    runpy.run_module("service", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
