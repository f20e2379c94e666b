"""`import`: files that a carrier's feed writes, by drop folder or download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import EXIT_FAILED
from service.cli.start import process

if TYPE_CHECKING:
    from service.application.commands.importing import Tally


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or JSON lines, by its name.")],
    *,
    feed: Annotated[str, typer.Option(help="Whose words these are: a feed, as in /v1/feeds/FEED.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or jsonl, where the name of the file does not tell.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and judge; publish nothing.")] = False,
) -> None:
    """Publish the scans of a file as a feed would, on the topic of carrier scans; of a feed whose numbers are connotes their
    deliveries, on that of deliveries.

    CSV has the columns that the feed's definition names under [csv]; of JSON lines each is a payload as the feed's
    sender posts it. Safe to repeat, and to stop: the same scan has the same id. A line that cannot be read is named with
    what is wrong with it, the others are published, and the exit status is 1.

    An example: returns-status import tracking.csv --feed omniparcel
    """
    from service.application.commands.importing import Order
    from service.cli import command_output
    from service.wire.feeds.files import FileKind
    from service.wiring import feeds

    try:
        kind = None if format_ is None else FileKind(format_)
    except ValueError:
        raise typer.BadParameter(f"one of {', '.join(FileKind)} is expected", param_hint="--format") from None
    with process("import", with_metrics_server=False, with_database=False) as (settings, _, stop):
        with command_output.progress() as tell:
            tally = feeds.import_file(
                settings, Order(file, feed, kind, dry_run), stop, lambda so_far: tell(_progress(so_far))
            )
        command_output.show(*_summary(tally, dry_run=dry_run))
        if tally.wrong or tally.stopped_at is not None:
            raise typer.Exit(EXIT_FAILED)


def _progress(tally: Tally) -> str:
    share = tally.read / tally.size if tally.size else 1
    return f"{tally.lines:,} lines, {share:.0%}: {tally.scans:,} scans, {tally.wrong:,} faults"


def _summary(tally: Tally, *, dry_run: bool) -> Iterator[str]:
    for number, fault in tally.faults:
        yield f"line {number}: {fault.path}: {fault.detail} ({fault.reason})"
    if tally.wrong > len(tally.faults):
        yield f"... and {tally.wrong - len(tally.faults):,} more faults"
    done = "would be published" if dry_run else "published"
    ignored = f"{tally.ignored:,} that say of a connote no delivery; " if tally.ignored else ""
    yield (
        f"{tally.lines:,} lines: {tally.scans:,} scans {done}, {tally.unmapped:,} of them unmapped; {ignored}"
        f"{tally.wrong:,} faults"
    )
    if tally.stopped_at is not None:
        yield f"stopped before line {tally.stopped_at:,}; import the file again for the rest"
