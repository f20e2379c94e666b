"""The command that brings returns up to date which earlier rules decided: `reassess`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.command_output import progress, show
from service.cli.start import process


def reassess(
    *,
    claims: Annotated[
        bool,
        typer.Option("--claims", help="Then hold what is kept of labels' claims against all histories, and mend it."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move, of each return.")] = False,
) -> None:
    """Decide anew, by today's rules, the returns that earlier ones decided.

    After an upgrade or a change of RETURNS_CONNOTE_DAYS. A return to which anything happens is decided by today's rules at
    once; this is for those to which nothing does. Says what moves of each; subscribers get it as ordinary changes. Safe to
    repeat, beside workers. With --claims, which reads everything as verify does, claims that verify finds wrong are mended,
    and workers then move the windows and scans that hang on them.
    """
    with process("reassess", with_metrics_server=False) as (settings, _, stop):
        from service.wiring.mending import mend_label_claims, reassess_returns

        with progress() as tell:
            done = reassess_returns(settings, stop, dry_run=dry_run, say=show, tell=tell)
            wrong = mend_label_claims(settings, stop, dry_run=dry_run, say=show, tell=tell) if claims else 0
        would = "would move" if dry_run else "moved"
        show(
            f"{done.returns:,} returns, {done.outdated:,} of them decided by other rules: "
            f"{done.moved:,} {would}, with {done.changes:,} changes"
        )
        if claims:
            show(f"{wrong:,} claims of labels {'would be' if dry_run else 'were'} mended")
