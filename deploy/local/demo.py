"""The whole service on one machine, with a world that plays on it: `make demo`.

Starts Kafka and PostgreSQL if they do not run, the service's processes and the simulator, and shows what becomes of
the returns. Ctrl-C stops everything that this started. Settings RETURNS_* are respected, as everywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import psycopg
from kafka.errors import KafkaError

from deploy.local.demo_figures import Watch
from deploy.local.demo_processes import LOGS, DemoError, Processes, Stop, log_of, open_feed, relative
from deploy.local.demo_view import Paint, Screen, live, plain
from deploy.local.process import PORTS, StackError, is_free
from deploy.local.stack import HOME, LocalStack
from service import config
from service.errors import ServiceError

READY_SECONDS: Final = 30
FIRST_STATUS_SECONDS: Final = 60


class Demo:
    """One run, from nothing to nothing."""

    def __init__(self, options: argparse.Namespace, stop: Stop) -> None:
        self._options = options
        self._stop = stop
        self._is_live = sys.stdout.isatty() and not options.plain and os.environ.get("TERM") != "dumb"
        self._paint = Paint(colour=self._is_live and not os.environ.get("NO_COLOR"))
        self._screen = Screen(sys.stdout, is_live=self._is_live)
        self._begun = time.monotonic()
        self._token = ""
        self._url = ""
        self._has_pages = False
        self._has_shown_how = False

    def run(self) -> None:
        """Start all, show it until told to stop or `--seconds` are over, stop all. Raises DemoError, StackError."""
        self._screen.say("", f"  {self._paint('bold', 'Returns status service')}, the demo", "")
        with self._stack() as stack, self._processes(stack) as processes, self._watch(stack) as watch:
            self._screen.hide_cursor()
            try:
                self._show(processes, watch)
            finally:
                self._screen.close()
                self._screen.say("", "  stopping")

    @contextlib.contextmanager
    def _stack(self) -> Iterator[LocalStack]:
        stack = LocalStack()
        before = stack.status()
        begun = time.monotonic()
        try:
            if "stopped" in before.values():
                with _impatient():
                    stack.up()
                self._step("Kafka and PostgreSQL", "ready", begun)
            else:
                # Not even .local/env is touched: it may lead others elsewhere than this shell's settings lead us.
                self._step("Kafka and PostgreSQL", "ran already", begun)
            yield stack
        finally:
            if before["kafka"] == "stopped":
                stack.kafka.stop()
            if before["postgres"] == "stopped":
                stack.postgres.stop()

    @contextlib.contextmanager
    def _processes(self, stack: LocalStack) -> Iterator[Processes]:
        port = _port()
        environment = {**os.environ, **stack.variables, "RETURNS_HTTP_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        environment.setdefault("RETURNS_FEEDS_FILE", str(open_feed(LOGS / "feeds.toml")))
        self._url = f"http://127.0.0.1:{port}"
        processes = Processes(environment, self._stop)
        try:
            begun = time.monotonic()
            processes.start("migrate", "migrate")
            processes.start("topics", "topics")
            processes.finish("migrate")
            processes.finish("topics")
            self._step("database and topics", "ready", begun)
            begun = time.monotonic()
            processes.start("run", "run")
            seed, rate = str(self._options.seed), f"{self._options.rate:g}"
            # Its start takes as long as that of the API that it waits for.
            world = ("--returns", "0", "--rate", rate, "--seed", seed, "--binary", "0.02")
            processes.start("simulate", "simulate", *world, "--url", self._url)
            processes.start("token", "token", "create", "--scopes", "read,ops", "--label", "demo")
            processes.finish("token")
            self._token = _take(log_of("token"))
            self._await_ready(processes)
            self._step("all processes", f"ready; world {seed}, {rate} messages/s through the API", begun)
            yield processes
        finally:
            processes.stop()

    @contextlib.contextmanager
    def _watch(self, stack: LocalStack) -> Iterator[Watch]:
        topics = config.load({**os.environ, **stack.variables}).input_topics
        with Watch(stack.database_url, stack.bootstrap_servers, topics) as watch:
            yield watch

    def _await_ready(self, processes: Processes) -> None:
        def is_ready() -> bool:
            processes.check()
            return _answers(f"{self._url}/readyz")

        if not self._stop.wait(is_ready, READY_SECONDS):
            raise DemoError(f"{self._url}/readyz is not ready after {READY_SECONDS} s, see {relative(log_of('run'))}")

    def _show(self, processes: Processes, watch: Watch) -> None:
        seconds = self._options.seconds
        begun = time.monotonic()
        while seconds is None or time.monotonic() - begun < seconds:
            next_look = time.monotonic() + 1
            processes.check()
            figures = watch.look()
            elapsed = time.monotonic() - self._begun
            if not figures.returns and time.monotonic() - begun > FIRST_STATUS_SECONDS:
                raise DemoError(f"no return after {FIRST_STATUS_SECONDS} s, see {relative(LOGS)}/*.log")
            if figures.some_return and not self._has_shown_how:
                self._show_how(figures.some_return)
            if self._is_live:
                self._screen.draw(live(figures, elapsed, self._paint, self._addresses(figures.complete_return)))
            else:
                self._screen.say(plain(figures, elapsed))
            self._stop.wait(lambda: False, next_look - time.monotonic())

    def _show_how(self, return_id: str) -> None:
        """Once, in lines that stay: they are long, and made to be copied."""
        self._has_shown_how = True
        self._has_pages = _answers(f"{self._url}/track/{return_id}")
        paint, url = self._paint, self._url
        lines = [
            "",
            f"  {paint('dim', 'Ask for a return, and for its history:')}",
            f"  TOKEN={self._token}",
            f'  curl -s -H "Authorization: Bearer $TOKEN" {url}/v1/returns/{return_id}',
            f'  curl -s -H "Authorization: Bearer $TOKEN" {url}/v1/returns/{return_id}/history',
        ]
        if self._has_pages:
            lines += [f"  {paint('dim', 'What its consumer sees:')}", f"  {url}/track/{return_id}"]
            lines += [f"  {paint('dim', 'The operations desk; log in with the token:')}", f"  {url}/ops"]
        self._screen.say(*lines, f"  {paint('dim', f'Logs: {relative(LOGS)}/*.log. Ctrl-C stops everything.')}", "")

    def _addresses(self, complete: str | None) -> dict[str, str]:
        if complete is None:
            return {"complete": self._paint("dim", "the first return is still on its way")}
        address = f"{self._url}/track/{complete}" if self._has_pages else complete
        return {"complete": f"{address}  {self._paint('dim', 'all seven milestones')}"}

    def _step(self, what: str, how: str, begun: float) -> None:
        spent = self._paint("dim", f"{time.monotonic() - begun:.1f} s")
        self._screen.say(f"  {self._paint('green', '✓')} {what:<22}{how}, {spent}")


def _answers(url: str) -> bool:
    # What a proxy variable of the shell says is not for an address of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _port() -> int:
    """The port asked for; else the usual one, or one near it if that is taken."""
    given = os.environ.get("RETURNS_HTTP_PORT")
    if given and int(given):
        return int(given)
    return next((port for port in (8080, *range(8081, 8100), *PORTS) if is_free(port)), 0)


def _take(file: Path) -> str:
    """The secret that a command printed; it does not stay among the logs."""
    lines = file.read_text().split()
    file.unlink()
    return lines[-1]


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Downloads may take minutes: here the signals interrupt."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, help="stop by itself after so long; default: go on until Ctrl-C")
    parser.add_argument("--plain", action="store_true", help="print lines instead of redrawing a view")
    parser.add_argument("--rate", type=float, default=250.0, help="messages a second (default: 250)")
    seed = int(time.time()) % 1_000_000
    parser.add_argument("--seed", type=int, default=seed, help="of the world; default: another one each time")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 when it was told to stop, 1 with one line when it could not go on."""
    stop = Stop()
    stop.install()
    try:
        Demo(_options(arguments), stop).run()
    except KeyboardInterrupt:
        pass
    except (DemoError, StackError, ServiceError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    except (psycopg.Error, KafkaError) as problem:
        print(f"demo: {type(problem).__name__}: Kafka or PostgreSQL went away, see {HOME}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
