"""The command line: every command by its name, and what becomes of an error.

Heavy imports stand in the commands, so that help and usage errors come at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import typer

from service.cli import mending, preparing, processes, simulating
from service.cli.check import check
from service.cli.command_output import show_error
from service.cli.creating import create
from service.cli.exits import EXIT_FAILED, EXIT_USAGE
from service.cli.importing import import_file
from service.cli.reassessing import reassess
from service.cli.tokens import token_app
from service.errors import ServiceError, SettingsError

# In the order of the help.
_COMMANDS: Final = (
    preparing.migrate,
    preparing.topics,
    processes.ingest,
    processes.relay,
    processes.project,
    processes.serve,
    simulating.simulate,
    check,
    import_file,
    create,
    mending.replay,
    mending.remap,
    reassess,
    mending.reconcile,
    mending.verify,
    processes.run,
    preparing.settings,
)
# Python keeps the word for itself.
_NAMES: Final[dict[Callable[..., object], str]] = {import_file: "import"}

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
for command in _COMMANDS:
    app.command(_NAMES.get(command))(command)


def main() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name=None if sys.argv[0].endswith("returns-status") else "python -m service")
    except SettingsError as error:
        _end(str(error), EXIT_USAGE)
    except ServiceError as error:
        _end(str(error), EXIT_FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort: Python's own traceback shows values
        from service import logs

        logs.get("main").error("crashed", exc_info=error)
        _end(f"{type(error).__name__}, see the log line before", EXIT_FAILED)


def _end(text: str, status: int) -> None:
    show_error(text)
    sys.exit(status)
