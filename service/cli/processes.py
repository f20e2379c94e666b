"""The commands that go on until they are asked to stop: `ingest`, `relay`, `project`, `serve`, `run`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.exits import EXIT_FAILED
from service.cli.start import importing, process

Drain = Annotated[
    bool, typer.Option("--drain", help="Stop once everything that was there at the start is done, instead of going on.")
]


def ingest(*, drain: Drain = False) -> None:
    """Consume the input topics into the history. Any number may run at a time, and share the partitions.

    With --drain: stop once every input partition is ingested up to where it ended at the start, by whichever worker.
    """
    with process("ingest") as started:
        with importing():
            from service.wiring.worker import run_ingest

        run_ingest(started.settings, started.metrics, started.stop, started.monitor, drain=drain)


def relay(*, drain: Drain = False) -> None:
    """Publish status changes, current statuses, exceptions and dead letters, each exactly once.

    Any number may run: one works, the others stand by to take over. Where the position in Kafka does not belong to this
    database or to these topics, nothing is published until `reconcile` has set it right; with --drain the exit status is
    then 1.
    """
    with process("relay") as started:
        with importing():
            from service.wiring.relay import run_relay

        run_relay(started.settings, started.metrics, started.stop, started.monitor, drain=drain)


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
        with importing():
            from service.wiring.projector import run_project

        settings, metrics, stop = started
        run_project(settings, metrics, stop, started.monitor, drain=drain, rebuild=rebuild)


def serve() -> None:
    """Serve the HTTP API.

    Listens on RETURNS_HTTP_HOST and RETURNS_HTTP_PORT. Ask it with a token:

    \b
        curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/v1/returns/R-1001
    """  # noqa: D301 - the command line needs the character
    with process("serve") as started:
        with importing():
            from service.wiring import serving

        serving.serve(started.settings, started.metrics, started.stop, started.monitor)


def run() -> None:
    """Run all processes as children of this one, for one machine.

    If one of them ends, the others are stopped and the exit status is 1. SIGTERM or Ctrl-C stops all.
    """
    # A little longer than each child takes at most.
    with process("run", with_metrics_server=False, grace_seconds=14.5) as (settings, _, stop):
        with importing():
            from service.wiring.supervising import run_all

        if not run_all(settings, stop):
            raise typer.Exit(EXIT_FAILED)
