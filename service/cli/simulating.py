"""The command `simulate`."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

import typer

from service.cli.command_output import show
from service.cli.exits import EXIT_FAILED
from service.cli.start import process


def _share(what: str) -> Any:
    return typer.Option(min=0, max=1, help=f"Share of {what}.")


_Returns = Annotated[int, typer.Option(min=0, help="How many returns there are; 0 goes on for ever.")]
_Rate = Annotated[float, typer.Option(min=0, help="Messages a second; 0 as fast as it goes.")]
_Speed = Annotated[
    float,
    typer.Option(
        min=0, max=1_000, help="How many times real time the world's clock runs; 0 as fast as the rate allows."
    ),
]
_Silent = Annotated[float, _share("the time in which a carrier's feed is silent, and then tells all at once")]
_Shuffle = Annotated[bool, typer.Option("--shuffle", help="Send everything in random order.")]
_Url = Annotated[
    str | None,
    typer.Option(help="The API to play through. By default the service's own, if it answers.", metavar="URL"),
]
_OnTopics = Annotated[bool, typer.Option("--kafka", help="Play on the input topics: for volume.")]
_Report = Annotated[bool, typer.Option("--report", help="Say at the end which share of what was sent had which flaw.")]


def simulate(
    *,
    returns: _Returns = 1_000,
    rate: _Rate = 200.0,
    speed: _Speed = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    url: _Url = None,
    kafka: _OnTopics = False,
    late: Annotated[float, _share("messages that arrive days after their time, behind others")] = 0.02,
    in_bulk: _Silent = 0.03,
    repeated: Annotated[float, _share("messages that are sent twice")] = 0.03,
    skipped: Annotated[float, _share("scans that never happen")] = 0.02,
    wrong_code: Annotated[float, _share("carrier scans with a code that no table knows")] = 0.01,
    invalid: Annotated[float, _share("messages whose publisher first sends something broken")] = 0.005,
    recycled: Annotated[float, _share("returns whose tracking number another one had months ago")] = 0.02,
    binary: Annotated[float, _share("messages in binary mode")] = 0.3,
    shuffle: _Shuffle = False,
    report: _Report = False,
) -> None:
    """Play carriers, hubs and retailers through the public ways in, or where no API answers on the input topics.

    The first line says which way it goes, and why. Sends in the order of a virtual time; what happened ends about now.
    Shares lie between 0 and 1. Exit status 1 if anything was refused that is right: the last lines say what.
    """
    given: dict[str, Any] = locals()  # the options by their names, first of all
    from service.simulator.options import Options

    if url is not None and kafka:
        raise typer.BadParameter("the API or the topics, not both", param_hint="--url, --kafka")
    try:
        options = Options(**{field.name: given[field.name] for field in fields(Options)})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with process("simulate", with_metrics_server=False, with_database=False) as (settings, _, stop):
        from service.wiring.simulating.ways import way_in

        with way_in(settings, stop, url, on_topics=kafka) as way:
            show(way.told)
            tally = way.play(options, stop)
            show(tally.summary(), *([tally.report()] if report else []))
        if tally.refused:
            raise typer.Exit(EXIT_FAILED)
