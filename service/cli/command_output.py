"""What commands tell the person who runs them: results on stdout; progress, warnings and what went wrong on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from service.application.journal.reconcile import Summary
    from service.application.journal.remap import Remapped
    from service.application.journal.replay import Tally
    from service.wire.carriers import CarrierTables

_LIVE_SECONDS: Final = 0.1
_LINE_SECONDS: Final = 5.0


@contextmanager
def progress(
    stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[str], None]]:
    """Tells how far something is: one live line on a terminal, otherwise a plain line every few seconds."""
    out = sys.stderr if stream is None else stream
    live = out.isatty()
    told = clock()

    def tell(text: str) -> None:
        nonlocal told
        now = clock()
        if now - told >= (_LIVE_SECONDS if live else _LINE_SECONDS):
            told = now
            print(f"\r\x1b[K{text}" if live else text, end="" if live else "\n", file=out, flush=True)

    try:
        yield tell
    finally:
        if live:
            print("\r\x1b[K", end="", file=out, flush=True)


def show(*lines: object) -> None:
    """A result, line by line; at once, for whoever reads them through a pipe."""
    for line in lines:
        print(line, flush=True)


def warn(text: str) -> None:
    """Something that must not be missed, nor be taken for a result."""
    print(text, file=sys.stderr, flush=True)


def show_error(text: str) -> None:
    """Why the command ends without having done what was asked."""
    warn(f"Error: {text}")


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 date or time; UTC where it names no offset. Raises ValueError."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def replay_progress(tally: Tally) -> str:
    """How far a replay is."""
    return f"{tally.tried:,} of {tally.selected:,} letters tried, {sum(tally.failed.values()):,} failed again"


def replay_summary(tally: Tally, *, dry_run: bool) -> Iterator[str]:
    """What a replay did, or would do."""
    if dry_run:
        yield f"{tally.tried:,} of {tally.selected:,} letters looked at: {tally.understood:,} are understood now"
    else:
        yield f"{tally.tried:,} of {tally.selected:,} letters tried: {tally.resolved:,} resolved"
        yield from _parts("recorded", {verdict.value: number for verdict, number in tally.verdicts.items()})
        if tally.waiting:
            yield f"  {tally.waiting:,} wait for their return, or for the members of their connote"
        if tally.duplicates:
            yield f"  {tally.duplicates:,} had come by other means"
    yield from _parts("still no event" if dry_run else "failed again", tally.failed)


def reconcile_summary(done: Summary, *, dry_run: bool) -> str:
    """What a reconciliation did, or would do."""
    would = "would be " if dry_run else ""
    text = (
        f"{done.returns:,} returns compared: of {done.told:,} subscribers {would or 'are '}told {done.changes:,} changes; "
        f"{done.unknown:,} are known to subscribers only"
    )
    before = "have" if dry_run else "had"
    text += f"; {done.exceptions:,} exceptions and {done.letters:,} dead letters {before} not been published"
    if done.resolved or done.reopened:
        text += (
            f"; {done.resolved:,} exceptions {would or 'are '}told to be over, and {done.reopened:,} to be open again"
        )
    return text


def _parts(what: str, numbers: Mapping[str, int]) -> Iterator[str]:
    if numbers:
        each = ", ".join(f"{name} {number:,}" for name, number in sorted(numbers.items()))
        yield f"  {sum(numbers.values()):,} {what}: {each}"


def remap_table(rows: Iterable[Remapped], tables: CarrierTables, *, dry_run: bool) -> Iterator[str]:
    """What was unmapped, by carrier and code, and what became of it."""
    header = ("carrier", "code", "before", "would be re-evaluated" if dry_run else "re-evaluated", "after", "means")
    lines = [header]
    for row in rows:
        again = "-" if row.remapped is None else f"{row.remapped:,}"
        meaning = _meaning(tables, row.carrier, row.code)
        lines.append((row.carrier, row.code, f"{row.before:,}", again, f"{row.after:,}", meaning))
    if len(lines) == 1:
        yield "nothing is unmapped"
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for carrier, code, *numbers, meaning in lines:
        cells = [carrier.ljust(widths[0]), code.ljust(widths[1])]
        cells += [number.rjust(width) for number, width in zip(numbers, widths[2:5], strict=True)]
        yield "  ".join([*cells, meaning])


def _meaning(tables: CarrierTables, carrier: str, code: str) -> str:
    found = tables.lookup(carrier, code)
    if found is None:
        return "unknown code" if tables.knows(carrier) else "carrier without a table"
    return f"{found.milestone.value if found.milestone else 'no milestone'}: {found.description}"
