"""Server processes that outlive the command that starts them, and are recognised again by a later one."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# Below the range that the kernel hands out for outgoing connections: a client that retries a stopped server there
# could otherwise be given the server's own port, or connect to itself.
PORTS = range(20_000, 30_000)
POLL_SECONDS = 0.02


class StackError(Exception):
    """The stack cannot be had; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told apart from a later one that was given the same number."""

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of a running process. Raises psutil.NoSuchProcess."""
        return cls(pid, _birth(pid))

    def process(self) -> psutil.Process | None:
        """The process while it lives; a zombie is dead."""
        try:
            process = psutil.Process(self.pid)
            same = _birth(self.pid) == self.born
            # The first thread of a JVM may be gone while others still close files.
            dead = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
            return process if same and not dead else None
        except psutil.NoSuchProcess:
            return None


def _birth(pid: int) -> str:
    """When a process began, in words that do not change when the clock is set."""
    try:
        # Field 22, counted after the command name, which may hold spaces and brackets.
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}+{ticks}"
    except OSError:
        return str(psutil.Process(pid).create_time())


def spawn(
    command: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    cwd: Path,
    user: int | None = None,
    group: int | None = None,
    environment: dict[str, str] | None = None,
) -> tuple[Identity, subprocess.Popen[bytes]]:
    """Start a server in a session of its own, deaf to the terminal's signals, with its output appended to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
    return Identity.of(child.pid), child


def stop(identity: Identity, how: signal.Signals, *, seconds: float) -> None:
    """Ask a process to stop and wait; after `seconds` kill it, and what it started, the hard way."""
    process = identity.process()
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
        # A frozen process could not act on it.
        process.send_signal(signal.SIGCONT)
    if not wait_until(lambda: identity.process() is None, seconds):
        kill(identity)


def kill(identity: Identity) -> None:
    """SIGKILL to a process and everything below it; returns when they are gone."""
    process = identity.process()
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        kill_all([process, *process.children(recursive=True)])


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL to all, parents first so that none is started anew."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll a condition until it holds; False when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A port of the loopback interface that nothing uses at the moment."""
    for port in random.SystemRandom().sample(PORTS, 200):
        if is_free(port):
            return port
    raise StackError(f"no free port between {PORTS.start} and {PORTS.stop}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def tail(log: Path, lines: int = 5) -> str:
    """The end of a log, for a message about a server that did not start."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
