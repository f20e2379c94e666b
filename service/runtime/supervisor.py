"""Runs processes side by side, and lets none run without the others."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from service import logs
from service.application.clocks import SYSTEM
from service.runtime.lifecycle import Stop

_LOOK_SECONDS: Final = 0.2
_GRACE_SECONDS: Final = 13.5  # each sees to its own end before (lifecycle.GRACE_SECONDS)
_PR_SET_PDEATHSIG: Final = 1


def supervise(
    commands: Mapping[str, Sequence[str]],
    stop: Stop,
    *,
    environments: Mapping[str, Mapping[str, str]] | None = None,
    grace_seconds: float = _GRACE_SECONDS,
    clock: Callable[[], float] = SYSTEM.monotonic,
) -> bool:
    """Run the commands until asked to stop, then stop them all; answers whether all ended well.

    If one ends by itself the others are stopped and the answer is False. A child gets SIGTERM, and SIGKILL if it is
    still there after `grace_seconds`. None is left behind.
    """
    log = logs.get("supervisor")
    children: dict[str, subprocess.Popen[bytes]] = {}
    well = True
    try:
        for name, command in commands.items():
            # A session of its own: Ctrl-C reaches this process alone, which then stops each child once.
            children[name] = subprocess.Popen(  # noqa: S603 - the service's own commands
                list(command),
                env=None if environments is None else dict(environments[name]),
                start_new_session=True,
                preexec_fn=partial(_die_with_parent, os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
            )
            log.info("child_started", child=name, pid=children[name].pid)
        while not stop.wait(_LOOK_SECONDS):
            stop.watchdog.beat()
            ended = {name: child.returncode for name, child in children.items() if child.poll() is not None}
            if ended:
                for name, status in ended.items():
                    log.error("child_ended", child=name, exit_status=status)
                well = False
                break
    finally:
        stopped = _stop(children, grace_seconds, clock)
    return well and stopped


def _stop(children: Mapping[str, subprocess.Popen[bytes]], grace_seconds: float, clock: Callable[[], float]) -> bool:
    log = logs.get("supervisor")
    running = {name: child for name, child in children.items() if child.poll() is None}
    for child in running.values():
        child.send_signal(signal.SIGTERM)
    deadline = clock() + grace_seconds
    for name, child in running.items():
        try:
            child.wait(max(0.0, deadline - clock()))
        except subprocess.TimeoutExpired:
            log.warning("child_killed", child=name, after_seconds=grace_seconds)
            child.kill()
            child.wait()
        log.info("child_stopped", child=name, exit_status=child.returncode)
    # One that was still starting had no handler for the signal yet.
    return all(child.returncode in {0, -signal.SIGTERM} for child in running.values())


def _die_with_parent(parent: int) -> None:
    """Have Linux stop this child when its parent is killed and cannot do it any more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was killed before this child could ask
        os._exit(1)
