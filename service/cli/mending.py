"""The commands that mend what went wrong, and tell whether anything did: `replay`, `remap`, `reconcile`, `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.command_output import (
    moment,
    progress,
    reconcile_summary,
    remap_table,
    replay_progress,
    replay_summary,
    show,
    warn,
)
from service.cli.exits import EXIT_FAILED
from service.cli.start import load_settings, process
from service.errors import Retryable, ServiceError

if TYPE_CHECKING:
    from datetime import datetime

    from service.application.commands.resending import Correction


def replay(
    *,
    reason: Annotated[list[str] | None, typer.Option(help="Only letters with this reason. May be repeated.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Only letters from this topic. May be repeated.")] = None,
    number: Annotated[
        list[int] | None, typer.Option("--id", help="Only the letter with this number; repeatable.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only letters kept at this time or later: ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Only letters kept before this time: ISO 8601.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Try so many letters at most.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Try so many letters a second at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be understood now.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="Correct a member: PATH=TEXT, or PATH:=JSON. Repeatable; needs --id and --by."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who corrects, for the audit log.")] = None,
) -> None:
    """Send dead letters through again, once each, oldest first.

    Today's rules read the stored bytes. What is an event now is recorded with its original topic, partition, offset and
    timestamp, and its letter is resolved; what is not stays the same letter with one more attempt. --since and --until
    are of when the service kept the letter, in UTC where no offset is given. Safe to repeat, by many at once, beside
    workers. Bodies of thin letters are fetched from Kafka. --set corrects what goes through; the letter stays as it came.
    An example: returns-status replay --id 12 --set data.hub=akl-1 --set 'data.items[0].quantity:=2' --by "J. Doe"
    """
    from service.application.journal.replay import Pace, Selection, Tally

    correction = _correction(assignments, number, by)
    selection = Selection(reason or (), topic or (), number or (), *_moments(since, until))
    tally, pace = Tally(), Pace(limit, rate, dry_run)
    with process("replay", with_metrics_server=False) as (settings, _, stop):
        from service.wiring.mending import replay_letters

        try:
            with progress() as tell:
                replay_letters(settings, selection, pace, tally, stop, lambda n: tell(replay_progress(n)), correction)
        except ServiceError:
            if tally.tried:  # what was done stays done
                show(*replay_summary(tally, dry_run=dry_run))
            raise
        show(*replay_summary(tally, dry_run=dry_run))


def _moments(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    try:
        return moment(since), moment(until)
    except ValueError:
        raise typer.BadParameter(
            "a date or time as ISO 8601 has it is expected", param_hint="--since, --until"
        ) from None


def _correction(assignments: list[str] | None, numbers: list[int] | None, by: str | None) -> Correction | None:
    from service.application.commands.resending import LONGEST_NAME, Correction, changes_of

    if not assignments:
        return None
    if not numbers:
        raise typer.BadParameter("name the letters that are corrected: --id", param_hint="--set")
    if not by or len(by) > LONGEST_NAME:
        raise typer.BadParameter("say who corrects: --by NAME", param_hint="--set")
    try:
        return Correction(changes_of(assignments), by)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None


def remap(
    *,
    carrier: Annotated[str | None, typer.Option(help="Only this carrier's scans.")] = None,
    code: Annotated[str | None, typer.Option(help="Only scans with this code.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Re-evaluate so many scans at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be re-evaluated.")] = False,
) -> None:
    """Re-evaluate scans whose code no carrier table knew, after a table changed. Restart the workers first.

    The history keeps the unmapped scan and gets a second row that says what it means now. Safe to repeat, by many at
    once, beside workers.
    """
    from service.application.journal.remap import Order

    with process("remap", with_metrics_server=False) as (settings, _, stop):
        from service.wiring.mending import remap_scans
        from service.wiring.parts import carrier_tables

        with progress() as tell:
            rows = remap_scans(
                settings,
                Order(carrier, code, limit, dry_run),
                stop,
                lambda done, total: tell(f"{done:,} of {total:,} scans re-evaluated"),
            )
        show(*remap_table(rows, carrier_tables(settings), dry_run=dry_run))


def reconcile(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be told, of each return.")] = False,
    wait: Annotated[
        bool, typer.Option(help="First wait until workers have ingested what the input topics hold now.")
    ] = True,
) -> None:
    """Make subscribers and the journal agree, where the relay refuses to publish.

    After a restore, a failover to a standby that lagged, with another database, or when Kafka has lost or somebody has
    moved the relay's position. Reads from the output topics what subscribers hold, and compares it with the journal. Each
    return goes on from the version that was published, with changes that lead to what is true; what was never published
    is. A return that subscribers know and the journal does not is listed and left alone. Start the workers first: what
    they have not read yet would be taken back, and told again later. Safe to repeat. Ingestion waits while it compares.
    Its user must own the tables.
    """
    with process("reconcile", with_metrics_server=False) as (settings, _, stop):
        from service.wiring.mending import reconcile_topics

        with progress() as tell:
            done = reconcile_topics(settings, stop, dry_run=dry_run, wait=wait, say=show, tell=tell, warn=warn)
        if done is None:
            raise Retryable("stopped before it began; nothing was changed")
        show(reconcile_summary(done, dry_run=dry_run))


def verify(
    *,
    topics: Annotated[
        bool, typer.Option("--topics", help="Hold the output topics against the journal too. Reads all of them.")
    ] = False,
) -> None:
    """Recompute every timeline from its history and compare it with what is stored.

    Lists and figures are held against the history too, as far as `project` has come; with --topics the output topics, as
    far as the relay has come. Prints each difference and exits with 1 if there is one. Reads one consistent snapshot;
    workers may go on.
    """
    settings = load_settings("verify", with_database=True)
    from service.wiring.mending import verify_journal

    checked, differences = verify_journal(settings, topics=topics)
    for difference in differences:
        show(difference)
    found = f"{len(differences)} differences" if differences else "no difference"
    show(f"{checked.returns:,} returns, {checked.events:,} events: {found}")
    if differences:
        raise typer.Exit(EXIT_FAILED)
