"""The tests of many mutants in one run of pytest, which imports and collects once and forks for each mutant.

`python -m tests.checks.forked WORK RESULTS [PYTEST_ARGUMENT]...`, in a folder with mutants, is mutants.py's way to run them.
WORK has a JSON list a line: a mutant's name, its tests in the order to try them, and the seconds that they may take. RESULTS
gets one as well, as soon as it is known: the name, and how its tests ended: 0 (they passed), 1 (one failed, and no other was
tried), or minus the signal that ended them. The name "" is the code as it is.

What loops is ended by the time that it computes, which says the same on a machine that is busy with something else.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

_LOOK_SECONDS: Final = 0.003
_TEST_SECONDS: Final = 10  # that one test may compute


class Forked:
    """A plugin, in place of pytest's own way from test to test."""

    def __init__(self, work: Path, results: Path) -> None:
        self._work, self._results = work, results

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try what is asked for."""
        items = {item.nodeid: item for item in session.items}
        gc.freeze()  # what is shared with the children stays so
        with self._work.open() as lines, self._results.open("w") as results:
            for line in lines:
                name, tests, seconds = json.loads(line)
                status = _tried(session, name, [items[test] for test in tests], seconds)
                print(json.dumps([name, status]), file=results, flush=True)
        return True


def _tried(session: pytest.Session, name: str, items: Sequence[pytest.Item], seconds: float) -> int:
    deadline = time.monotonic() + seconds
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        status = 1  # also where something goes wrong that is no test's failure
        try:
            os.environ["MUTANT_UNDER_TEST"] = name
            status = _first_failure(session, items)
        finally:
            os._exit(status)
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        ended, status = os.waitpid(pid, os.WNOHANG)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # it, or what it has left behind
    if not ended:
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _first_failure(session: pytest.Session, items: Sequence[pytest.Item]) -> int:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process
    for item, following in zip(items, [*items[1:], None], strict=True):
        signal.setitimer(signal.ITIMER_PROF, _TEST_SECONDS)
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[3:], plugins=[Forked(Path(sys.argv[1]), Path(sys.argv[2]))]))
