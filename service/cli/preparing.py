"""The commands that prepare the servers and show the settings: `migrate`, `topics`, `settings`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.command_output import show
from service.cli.exits import EXIT_FAILED
from service.cli.start import load_settings


def migrate() -> None:
    """Bring the database to the wanted state.

    Applies the migrations that it lacks, each in a transaction, or outside one beside the workers; says what it waits
    for. Moves the numbers of new rows behind those that are taken, which a logical copy needs. Safe to run again, after it was killed as well, and by many at once.
    """
    from service.adapters.postgres import migrations

    settings = load_settings("migrate", libraries=False)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        show(line)

    applied = migrations.migrate(settings.database_url.get_secret_value(), say=say)
    if applied:
        show(f"applied {', '.join(f'{number:04}' for number in applied)}")
    else:
        show("nothing else to do" if said else "nothing to do")


def topics(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: say what endangers what is promised, and what mends it.")
    ] = False,
) -> None:
    """Bring the topics to the wanted state.

    Creates what is missing, adds partitions where there are fewer than RETURNS_TOPIC_PARTITIONS (not to an output topic
    that has had messages: their keys must stay where they are), and sees to it that the topic of current statuses is
    compacted, that the letters fit in, and that what nobody chose a retention for is kept for long enough. Never lowers
    anything. Safe to run again, and by many at once.

    With --check: exit status 1 if a setting of Kafka endangers what is promised, or could not be looked at.
    """
    from service.adapters.kafka import admin as kafka_admin

    if check:
        _check_topics()
        return
    for line in kafka_admin.ensure_topics(load_settings("topics", libraries=False)) or ["nothing to do"]:
        show(line)


def _check_topics() -> None:
    from service.adapters.kafka import check as kafka_check
    from service.application.safety import describe

    found = kafka_check.check(load_settings("topics", libraries=False))
    for finding in found.findings:
        show(describe(finding))
    for why in found.unchecked:
        show(f"NOT CHECKED: {why}")
    if found.wrong or found.unchecked:
        raise typer.Exit(EXIT_FAILED)
    show("all good")


def settings() -> None:
    """List the settings: variable, default and meaning."""
    from service import config

    show(config.reference())
