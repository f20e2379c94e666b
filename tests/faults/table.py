"""`make faults`, or `python -m tests.faults.table`: what a fault looks like from outside, and how long until all works again.

Starts Kafka, PostgreSQL and the four processes, lets events flow all the time, injects each fault, and watches what the
processes show. Exit status 1 if one did not show a fault that it should, or did not work again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from deploy.local.kafka_server import KafkaServer
from deploy.local.packages import CHECKOUT
from deploy.local.postgres_server import PostgresServer
from tests.benchmarks.measure import machine
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.injected import Kafka
from tests.support.bed import Bed, whole_service
from tests.support.cluster import Cluster
from tests.support.flow import Marks, Trickle, works_again
from tests.support.servers import private_home
from tests.support.symptoms import Diary
from tests.support.telling import PROCESSES

TEMPLATE: Final = Path(__file__).with_name("table.md")
WATCHED_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = 120.0
EXIT_TERMINATED: Final = 143
_COLUMNS: Final = ("fault", *PROCESSES, "what the operator does", "works again after")


class Row(NamedTuple):
    """What was measured of a fault; `wrong` is empty where all was as it should be."""

    fault: Fault
    cells: dict[str, str]
    again: str
    wrong: list[str]


class Run:
    """One fault after the other, on one bed."""

    def __init__(self, bed: Bed, kafka: Kafka) -> None:
        self._bed, self._kafka = bed, kafka
        self._began = 0.0
        self._ended: list[str] = []
        self.cells: dict[str, str] = {}  # of the fault that was injected last

    def row(self, fault: Fault) -> Row:
        """Prepare, inject, watch, cure, wait until it works again, tidy up."""
        story = fault.story(self._bed, self._kafka)
        self.cells = {}
        self._settle()
        next(story)
        tellers = {
            name: self._bed.tellers.get(fault.seen_on.get(name, name), self._bed.tellers.get(name))
            for name in PROCESSES
        }
        self._ended, self._began = [], time.monotonic()
        # A process that is not there yet begins its diary when it starts.
        diaries = {
            name: Diary(teller, self._began, WATCHED_SECONDS)
            for name, teller in tellers.items()
            if teller and _runs(teller)
        }
        for diary in diaries.values():
            diary.start()
        next(story)
        for name, teller in tellers.items():
            if teller is not None and name not in diaries:
                diaries[name] = Diary(teller, self._began, WATCHED_SECONDS)
                diaries[name].start()
        again = {} if fault.hold_seconds else self._again(self._began)
        self._watch_until(WATCHED_SECONDS)
        for diary in diaries.values():
            diary.join()
        cells = self.cells = {name: diary.cell() for name, diary in diaries.items()}
        self._watch_until(fault.hold_seconds)
        cured = time.monotonic()
        next(story)
        command_seconds = time.monotonic() - cured
        again = again or self._again(cured)
        wrong = [
            f"{name} did not show {words!r}: {diaries[name].text!r}"
            for name, words in fault.shows.items()
            if words not in diaries[name].text
        ]
        next(story, None)
        return Row(fault, cells, self._told(again, command_seconds if fault.hold_seconds else 0.0), wrong)

    def _again(self, began: float) -> dict[str, float]:
        marks = Marks(self._bed)
        marks.publish(60)
        return works_again(self._bed, began, marks, AGAIN_SECONDS, self._supervise)

    def _told(self, again: dict[str, float], command_seconds: float) -> str:
        took = f"the act itself took {command_seconds:.0f} s; " if command_seconds >= 1 else ""
        each = ", ".join(f"{name} {seconds:.0f}" for name, seconds in again.items())
        ended = f"; {', '.join(self._ended)}" if self._ended else ""
        return f"**{max(again.values()):.0f} s** ({took}{each}){ended}"

    def _watch_until(self, seconds: float) -> None:
        while time.monotonic() - self._began < seconds:
            self._supervise()
            time.sleep(0.1)

    def _supervise(self) -> None:
        for label, status in self._bed.crew.supervise().items():
            at = time.monotonic() - self._began
            self._ended.append(f"{label} ended with status {status} ({at:.0f} s) and was started again")

    def _settle(self) -> None:
        marks = Marks(self._bed)
        marks.publish(60)
        works_again(self._bed, time.monotonic(), marks, AGAIN_SECONDS, self._supervise)


def _runs(teller: object) -> bool:
    process = getattr(teller, "process", None)
    return process is not None and process.process.poll() is None


def rows(faults: Sequence[Fault], say: Callable[[str], object]) -> Iterator[Row]:
    """Each fault's row, as soon as it is there. What does not work again is not used for the next one."""
    for bed_of, is_cluster in ((_one_broker, False), (_three_brokers, True)):
        left = [fault for fault in faults if fault.on_cluster == is_cluster]
        while left:
            with bed_of() as (bed, kafka), Trickle(bed):
                run = Run(bed, kafka)
                while left:
                    fault = left.pop(0)
                    say(f"{datetime.now(UTC):%H:%M:%S} {fault.name}")
                    try:
                        yield run.row(fault)
                    except Exception as error:
                        yield Row(fault, run.cells, "**did not**", [f"{type(error).__name__}: {error}"])
                        break


@contextmanager
def _one_broker() -> Iterator[tuple[Bed, Kafka]]:
    with ExitStack() as stack:
        home = stack.enter_context(private_home())
        logs = _logs("one-broker")
        # After a crash the broker may register again once its former session is over.
        kafka = KafkaServer(home / "kafka", heap="384m", settings={"broker.session.timeout.ms": "2000"})
        postgres = PostgresServer(home / "postgres", shared_buffers="64MB")
        stack.callback(postgres.kill)
        stack.callback(kafka.kill)
        kafka.start()
        postgres.start()
        yield stack.enter_context(whole_service(kafka, postgres, logs, **_settings())), kafka


@contextmanager
def _three_brokers() -> Iterator[tuple[Bed, Kafka]]:
    with ExitStack() as stack:
        home = stack.enter_context(private_home())
        logs = _logs("three-brokers")
        postgres = PostgresServer(home / "postgres", shared_buffers="64MB")
        stack.callback(postgres.kill)
        cluster = stack.enter_context(Cluster(home))
        postgres.start()
        yield stack.enter_context(whole_service(cluster, postgres, logs, **_settings())), cluster


def _logs(name: str) -> Path:
    """What the processes logged stays there, for whoever wonders about a row."""
    logs = CHECKOUT / ".local" / "faults" / f"{name}-{datetime.now(UTC):%H%M%S}"
    logs.mkdir(parents=True, exist_ok=True)
    return logs


def _settings() -> dict[str, str]:
    # Of what tests shorten, what the service comes with.
    return {"RETURNS_SESSION_TIMEOUT_MS": "10000"}


def table(found: Sequence[Row], kept: Mapping[str, str] | None = None) -> str:
    """In Markdown; `kept`: lines of faults that were not measured now, by their titles."""
    lines = {**(kept or {}), **{row.fault.title: _line(row) for row in found}}
    head = [f"| {' | '.join(_COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}"]
    return "\n".join([*head, *(lines[fault.title] for fault in FAULTS if fault.title in lines)])


def _line(row: Row) -> str:
    cells = [row.cells.get(name, "") for name in PROCESSES]
    return f"| {' | '.join([row.fault.title, *cells, row.fault.operator, row.again])} |"


def kept_lines(page: Path) -> dict[str, str]:
    """The lines of the table that stand in a page, by their titles."""
    lines = page.read_text().splitlines() if page.exists() else []
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}


def document(found: Sequence[Row], kept: Mapping[str, str], loads: tuple[float, float]) -> str:
    """The whole page: what was measured where, the table, the runbook."""
    values = {
        "when": f"{datetime.now(UTC):%-d %B %Y}",
        "machine": ", ".join(f"{name} {value}" for name, value in machine().items() if "load" not in name),
        "load": f"{loads[0]:.1f} at the start and {loads[1]:.1f} at the end",
        "table": table(found, kept),
    }
    text = TEMPLATE.read_text()
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.table", description=__doc__)
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the page with the table and the runbook there"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(fault.name for fault in FAULTS), default=[])
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - {fault.name for fault in FAULTS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    chosen = [fault for fault in FAULTS if not arguments.only or fault.name in arguments.only]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # so that nothing is left behind
    load, found = os.getloadavg()[0], list[Row]()
    # Of a run that measures some faults only, the lines of the others stay.
    kept = kept_lines(arguments.write) if arguments.write and arguments.only else {}
    for row in rows(chosen, _say):
        found.append(row)
        _say("\n".join([*(f"  {name}: {cell}" for name, cell in row.cells.items()), f"  again: {row.again}"]))
        for wrong in row.wrong:
            _say(f"  WRONG: {wrong}")
        if arguments.write:  # what there is, at each row: it takes a quarter of an hour
            arguments.write.parent.mkdir(parents=True, exist_ok=True)
            arguments.write.write_text(document(found, kept, (load, os.getloadavg()[0])))
    print(table(found))
    return 1 if any(row.wrong for row in found) else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
