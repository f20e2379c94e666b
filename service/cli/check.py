"""The command `check`: judges events before they are sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.command_output import show
from service.cli.exits import EXIT_FAILED
from service.cli.start import load_settings
from service.errors import Fatal, InvalidEvent

_LONGEST_LINE = 1024 * 1024


def check(
    file: Annotated[
        Path, typer.Argument(help="Events: JSON lines, one JSON array, or one event; - for standard input.")
    ],
    *,
    publisher: Annotated[
        str | None,
        typer.Option(help="In whose name they would be sent to the API. Without it: as they stand, straight to Kafka."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, as the API answers.")] = False,
) -> None:
    """Judge events before they are sent, as POST /v1/events/check does; nothing is sent.

    Says of each what is wrong, or what it means and which returns it would concern. Exits with 1 if one is invalid.
    """
    from service.application.access.bounds import UNBOUND
    from service.application.commands.accepting import MAY_SEND, Sender, told_of_check
    from service.wiring.judging import judging

    if str(file) != "-" and not file.exists():
        raise typer.BadParameter(f"{file}: no such file")
    settings = load_settings("check", with_database=True)
    is_valid = True
    with judging(settings) as accepting:
        sender = Sender(publisher, frozenset(MAY_SEND), UNBOUND)
        for index, event in enumerate(_events(file)):
            (judged,) = accepting.judge([event], sender)
            concerns = accepting.concerned(UNBOUND, judged.inbound) if judged.inbound is not None else []
            told = told_of_check(index, judged, concerns)
            is_valid = is_valid and judged.error is None
            show(json.dumps(told) if as_json else _line(told))
    if not is_valid:
        raise typer.Exit(EXIT_FAILED)


def _events(file: Path) -> Any:
    """The events of the file, one after the other; of JSON lines no more than one is held."""
    from service.wire.http_events import BATCH_MEDIA_TYPE, read_events

    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as lines:
            first = lines.readline(_LONGEST_LINE)
            if _is_whole(first):
                yield from read_events(None, (), first)
                for line in iter(lambda: lines.readline(_LONGEST_LINE), b""):
                    if line.strip():
                        yield from read_events(None, (), line)
                return
            text = first + lines.read(64 * _LONGEST_LINE)
    except OSError as error:
        raise Fatal(f"{file}: {error.strerror}") from None
    try:
        yield from read_events(BATCH_MEDIA_TYPE if text.lstrip().startswith(b"[") else None, (), text, most=None)
    except InvalidEvent as error:
        raise Fatal(f"{file}: {error.detail}") from None


def _is_whole(line: bytes) -> bool:
    """Whether a first line is an event by itself."""
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _line(told: dict[str, Any]) -> str:
    name = f"{told['index'] + 1}: {told['type'] or 'no type'} {told['id'] or 'without an id'}"
    if told["status"] == "invalid":
        return "\n".join(
            [
                f"{name}: invalid, {told['reason']}",
                *(f"    {f['path'] or 'the event'}: {f['detail']}" for f in told["faults"]),
            ]
        )
    means = f", means {told['means']}" if told["means"] else ""
    concerns = [
        f"    {each['return_id']}: {each['verdict'] or 'depends on its history'}"
        f"{' (' + each['reason'] + ')' if each['reason'] else ''}"
        for each in told["concerns"]
    ] or ["    waits: no return is known that it concerns"]
    ignored = [f"    ignored, since it is not understood: data.{member}" for member in told["not_understood"]]
    return "\n".join([f"{name}: accepted{means}", *ignored, *concerns])
