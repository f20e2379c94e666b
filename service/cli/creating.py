"""`create`: returns by the file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import EXIT_FAILED
from service.cli.start import process

if TYPE_CHECKING:
    from service.application.commands.bulk import Bulk, Checked, Outcome
    from service.config import Settings
    from service.runtime.lifecycle import Stop
    from service.wire.feeds.files import FileKind
    from service.wire.omnireturns.lines import BulkLine


def create(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or JSON lines, by its name.")],
    *,
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or jsonl, where the name of the file does not tell.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check; create nothing.")] = False,
) -> None:
    """Create the returns of a file, as POST /v1/returns creates one.

    First every line is checked, and where something is wrong with one, nothing is created: each fault is told with its
    line, its member and what is expected there, and the exit status is 1. Then each line is created, and reported on
    stdout as CSV: line, state (created or existed), return_id, tracking_number, tracking_url, fault.

    Safe to repeat, and to stop: a line is known by its `key`, or without one by what it says, and nothing is created twice.

    An example: returns-status create returns.csv > created.csv
    """
    from service.cli import command_output
    from service.wire.feeds.files import FileKind, kind_of
    from service.wiring.bulk import bulk

    try:
        kind = kind_of(file) if format_ is None else FileKind(format_)
    except ValueError:
        raise typer.BadParameter(f"one of {', '.join(FileKind)} is expected", param_hint="--format") from None
    started = process("create", with_metrics_server=False)
    with started as (settings, _, stop), bulk(settings) as work:
        checked = _check(work, file, kind, stop)
        if checked.wrong:
            command_output.show(*_faults(checked))
            raise typer.Exit(EXIT_FAILED)
        if dry_run:
            command_output.show(f"{checked.lines:,} lines: nothing is wrong with them")
            return
        if stop or _create(work, file, kind, stop, settings):
            raise typer.Exit(EXIT_FAILED)


def _check(work: Bulk, file: Path, kind: FileKind, stop: Stop) -> Checked:
    from service.cli import command_output
    from service.wire.omnireturns.lines import bulk_lines

    size = max(1, file.stat().st_size)
    with command_output.progress() as tell:

        def told(checked: Checked) -> None:
            stop.watchdog.beat()
            tell(f"checked {checked.lines:,} lines, {checked.read / size:.0%}: {checked.wrong:,} faults")

        return work.check(_until(stop, bulk_lines(file, kind)), told)


def _create(work: Bulk, file: Path, kind: FileKind, stop: Stop, settings: Settings) -> bool:
    """Report line by line; whether one could not be created, or all of the rest were not tried."""
    from service.cli import command_output
    from service.wire.documents import tracking_url
    from service.wire.omnireturns.lines import bulk_lines

    created = existed = failed = last = 0
    report = csv.writer(sys.stdout, lineterminator="\n")
    report.writerow(("line", "state", "return_id", "tracking_number", "tracking_url", "fault"))
    with command_output.progress() as tell:
        for outcome in work.create(bulk_lines(file, kind), lambda: bool(stop)):
            stop.watchdog.beat()
            report.writerow(_row(outcome, tracking_url(settings.public_url, outcome.return_id or "")))
            sys.stdout.flush()
            created += outcome.fault is None and not outcome.existed
            existed += outcome.existed
            failed += outcome.fault is not None
            last = outcome.line.number
            tell(f"{created:,} created, {existed:,} existed, {failed:,} failed")
    command_output.warn(f"{created:,} returns created, {existed:,} existed already, {failed:,} could not be created")
    if stop:
        command_output.warn(f"stopped behind line {last:,}; create the file again for the rest")
    return bool(stop) or failed > 0


def _row(outcome: Outcome, url: str | None) -> Iterable[object]:
    if outcome.fault is not None:
        return (outcome.line.number, "failed", "", "", "", f"{outcome.fault.path}: {outcome.fault.detail}")
    state = "existed" if outcome.existed else "created"
    return (outcome.line.number, state, outcome.return_id, outcome.tracking_number, url or "", "")


def _faults(checked: Checked) -> Iterator[str]:
    for number, fault in checked.faults:
        yield f"line {number}: {fault.path or 'the line'}: {fault.detail} ({fault.reason})"
    if checked.wrong > len(checked.faults):
        yield f"... and {checked.wrong - len(checked.faults):,} more faults"
    yield f"{checked.lines:,} lines: {checked.wrong:,} faults; nothing was created"


def _until(stop: Stop, lines: Iterator[BulkLine]) -> Iterator[BulkLine]:
    for line in lines:
        if stop:
            return
        yield line
