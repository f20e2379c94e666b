"""The command `simulate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.cli.command_output import show
from service.cli.start import process


def _share(what: str) -> Any:
    return typer.Option(min=0, max=1, help=f"Share of {what}.")


def simulate(
    *,
    returns: Annotated[int, typer.Option(min=0, help="How many returns there are; 0 goes on for ever.")] = 1_000,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second; 0 as fast as it goes.")] = 200.0,
    speed: Annotated[
        float,
        typer.Option(min=0, max=1_000, help="How many times real time the world's clock runs; 0 as the rate allows."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    late: Annotated[float, _share("messages that arrive days after their time, behind others")] = 0.02,
    in_bulk: Annotated[float, _share("the time in which a carrier's feed is silent, and then says all at once")] = 0.03,
    repeated: Annotated[float, _share("messages that are sent twice")] = 0.03,
    skipped: Annotated[float, _share("scans that never happen")] = 0.02,
    wrong_code: Annotated[float, _share("carrier scans with a code that no table knows")] = 0.01,
    invalid: Annotated[float, _share("messages whose publisher first sends something broken")] = 0.005,
    recycled: Annotated[
        float, _share("returns whose number another had months ago; until labels have windows the second gets no scans")
    ] = 0.0,
    binary: Annotated[float, _share("messages in binary mode")] = 0.3,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Send everything in random order.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Say at the end which share of what was sent had which flaw.")
    ] = False,
) -> None:
    """Play carriers, hubs and retailers on the input topics.

    Sends in the order of a virtual time; what happened ends about now. Shares lie between 0 and 1.
    """
    from service.simulator.options import Options

    try:
        options = Options(
            returns=returns,
            rate=rate,
            speed=speed,
            seed=seed,
            late=late,
            in_bulk=in_bulk,
            recycled=recycled,
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
        from service.wiring.simulating import play_world

        tally = play_world(settings, options, stop)
        show(tally.summary(), *([tally.report()] if report else []))
