"""The command line: `python -m service COMMAND`, or `returns-status COMMAND`.

Heavy imports stand in the commands, so that help and usage errors come at once.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated, Any, NoReturn

import typer

from service.cli.check import check
from service.cli.start import load_settings, process
from service.cli.tokens import token_app
from service.errors import Retryable, ServiceError, SettingsError

EXIT_FAILED = 1
EXIT_USAGE = 2

app = typer.Typer(
    name="returns-status",
    help="""Keeps the status of every consumer return, from its label to the retailer.

    Events come in from Kafka, the history stands in PostgreSQL, the answers are given over HTTP and as Kafka
    messages. Settings are environment variables RETURNS_*; `settings` lists them.

    Exit status: 0 done, 1 failed, 2 wrong usage or settings.
    """,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and with them secrets
    rich_markup_mode=None,
)
app.add_typer(token_app, name="token")
app.command("check")(check)

Drain = Annotated[
    bool, typer.Option("--drain", help="Stop once everything that was there at the start is done, instead of going on.")
]


def _share(what: str) -> Any:
    return typer.Option(min=0, max=1, help=f"Share of {what}.")


@app.command()
def migrate() -> None:
    """Bring the database to the wanted state.

    Applies the migrations that it lacks, each in a transaction, or outside one beside the workers; says what it waits
    for. Safe to run again, after it was killed as well, and by many at once.
    """
    from service.adapters.postgres import migrations

    settings = load_settings("migrate", libraries=False)
    applied = migrations.migrate(settings.database_url.get_secret_value(), say=partial(print, flush=True))
    print(f"applied {', '.join(f'{number:04}' for number in applied)}" if applied else "nothing to do")


@app.command()
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
        print(line)


def _check_topics() -> None:
    from service.adapters.kafka import check as kafka_check
    from service.application.safety import describe

    found = kafka_check.check(load_settings("topics", libraries=False))
    for finding in found.findings:
        print(describe(finding))
    for why in found.unchecked:
        print(f"NOT CHECKED: {why}")
    if found.wrong or found.unchecked:
        raise typer.Exit(EXIT_FAILED)
    print("all good")


@app.command()
def ingest(*, drain: Drain = False) -> None:
    """Consume the input topics into the history. Any number may run at a time, and share the partitions.

    With --drain: stop once every input partition is ingested up to where it ended at the start, by whichever worker.
    """
    with process("ingest") as started:
        from service.wiring import bootstrap

        bootstrap.run_ingest(started.settings, started.metrics, started.stop, started.monitor, drain=drain)


@app.command()
def relay(*, drain: Drain = False) -> None:
    """Publish status changes, current statuses, exceptions and dead letters, each exactly once.

    Any number may run: one works, the others stand by to take over. Where the position in Kafka does not belong to this
    database or to these topics, nothing is published until `reconcile` has set it right; with --drain the exit status is
    then 1.
    """
    with process("relay") as started:
        from service.wiring import bootstrap

        settings, metrics, stop = started
        worker = bootstrap.relay(settings, metrics, stop)
        with bootstrap.watching_transactions(settings):
            bootstrap.run_relay(worker, settings, metrics, started.monitor, drain=drain)


@app.command()
def project(
    *,
    drain: Drain = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Make the tables from nothing, then stop. Readers see the old ones till then."),
    ] = False,
) -> None:
    """Keep the search tables, which lists and the operations page read, up with the history.

    Any number may run: one works at a time.
    """
    with process("project") as started:
        from service.wiring import bootstrap

        settings, metrics, stop = started
        projector = bootstrap.project(settings, metrics, stop)
        bootstrap.run_project(projector, settings, metrics, started.monitor, drain=drain, rebuild=rebuild)


@app.command()
def serve() -> None:
    """Serve the HTTP API.

    Listens on RETURNS_HTTP_HOST and RETURNS_HTTP_PORT. Ask it with a token:

    \b
        curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/v1/returns/R-1001
    """  # noqa: D301 - the command line needs the character
    with process("serve") as started:
        from service.wiring import serving

        serving.serve(started.settings, started.metrics, started.stop, started.monitor)


@app.command()
def simulate(
    *,
    returns: Annotated[int, typer.Option(min=0, help="How many returns there are; 0 goes on for ever.")] = 1_000,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second; 0 as fast as it goes.")] = 200.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    late: Annotated[float, _share("messages that arrive days after their time, behind others")] = 0.02,
    repeated: Annotated[float, _share("messages that are sent twice")] = 0.03,
    skipped: Annotated[float, _share("scans that never happen")] = 0.02,
    wrong_code: Annotated[float, _share("carrier scans with a code that no table knows")] = 0.01,
    invalid: Annotated[float, _share("messages whose publisher first sends something broken")] = 0.005,
    binary: Annotated[float, _share("messages in binary mode")] = 0.3,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Send everything in random order.")] = False,
) -> None:
    """Play carriers, hubs and retailers on the input topics.

    Sends in the order of a virtual time; what happened ends about now. Shares lie between 0 and 1.
    """
    from service.simulator.options import Options
    from service.wiring import bootstrap

    try:
        options = Options(
            returns=returns,
            rate=rate,
            seed=seed,
            late=late,
            repeated=repeated,
            skipped=skipped,
            wrong_code=wrong_code,
            invalid=invalid,
            binary=binary,
            shuffle=shuffle,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with process("simulate", with_metrics_server=False, with_database=False) as (settings, _, stop):
        print(bootstrap.simulate(settings, options, stop))


@app.command()
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
) -> None:
    """Send dead letters through again, once each, oldest first.

    Today's rules read the stored bytes. What is an event now is recorded with its original topic, partition, offset and
    timestamp, and its letter is resolved; what is not stays the same letter with one more attempt. --since and --until
    are of when the service kept the letter, in UTC where no offset is given. Safe to repeat, by many at once, beside
    workers. An example: returns-status replay --reason no_zone --since 2026-11-20 --dry-run
    """
    from service.application.journal.replay import Pace, Selection, Tally
    from service.cli import command_output as mending
    from service.wiring import bootstrap

    try:
        from_, to = mending.moment(since), mending.moment(until)
    except ValueError:
        raise typer.BadParameter(
            "a date or time as ISO 8601 has it is expected", param_hint="--since, --until"
        ) from None
    selection, tally = Selection(reason or (), topic or (), number or (), from_, to), Tally()
    with process("replay", with_metrics_server=False) as (settings, _, stop):
        try:
            with mending.progress() as tell:
                bootstrap.replay(
                    settings,
                    selection,
                    Pace(limit, rate, dry_run),
                    tally,
                    stop,
                    lambda so_far: tell(mending.replay_progress(so_far)),
                )
        except ServiceError:
            if tally.tried:  # what was done stays done
                print(*mending.replay_summary(tally, dry_run=dry_run), sep="\n")
            raise
        print(*mending.replay_summary(tally, dry_run=dry_run), sep="\n")


@app.command()
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
    from service.cli import command_output as mending
    from service.wiring import bootstrap

    with process("remap", with_metrics_server=False) as (settings, _, stop):
        with mending.progress() as tell:
            rows = bootstrap.remap(
                settings,
                Order(carrier, code, limit, dry_run),
                stop,
                lambda done, total: tell(f"{done:,} of {total:,} scans re-evaluated"),
            )
        print(*mending.remap_table(rows, bootstrap.carrier_tables(settings), dry_run=dry_run), sep="\n")


@app.command()
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
    from service.cli import command_output as mending
    from service.wiring import bootstrap

    with process("reconcile", with_metrics_server=False) as (settings, _, stop):
        with mending.progress() as tell:
            done = bootstrap.reconcile(
                settings, stop, dry_run=dry_run, wait=wait, say=print, tell=tell, warn=mending.warn
            )
        if done is None:
            raise Retryable("stopped before it began; nothing was changed")
        print(mending.reconcile_summary(done, dry_run=dry_run))


@app.command()
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
    from service.wiring import bootstrap

    checked, differences = bootstrap.verify(load_settings("verify", with_database=True), topics=topics)
    for difference in differences:
        print(difference)
    found = f"{len(differences)} differences" if differences else "no difference"
    print(f"{checked.returns:,} returns, {checked.events:,} events: {found}")
    if differences:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def run() -> None:
    """Run all processes as children of this one, for one machine.

    If one of them ends, the others are stopped and the exit status is 1. SIGTERM or Ctrl-C stops all.
    """
    # A little longer than each child takes at most.
    with process("run", with_metrics_server=False, grace_seconds=14.5) as (settings, _, stop):
        from service.wiring import bootstrap

        if not bootstrap.run_all(settings, stop):
            raise typer.Exit(EXIT_FAILED)


@app.command()
def settings() -> None:
    """List the settings: variable, default and meaning."""
    from service import config

    print(config.reference())


def main() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name=None if sys.argv[0].endswith("returns-status") else "python -m service")
    except SettingsError as error:
        _fail(str(error), EXIT_USAGE)
    except ServiceError as error:
        _fail(str(error), EXIT_FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort: Python's own traceback shows values
        from service import logs

        logs.get("main").error("crashed", exc_info=error)
        _fail(f"{type(error).__name__}, see the log line before", EXIT_FAILED)


def _fail(text: str, status: int) -> NoReturn:
    print(f"Error: {text}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
