"""Draws the statuses of a return for the README, from what the domain decides.

python -m tests.checks.diagram --check    is the README's diagram what the domain does? (exit 1 if not)
python -m tests.checks.diagram --write    write it between its two markers

Nothing here knows a rule. Every set of events is put to the domain, with and without its last event; which status
follows which is read from the answers.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from itertools import combinations
from pathlib import Path
from typing import Final

from service.domain.events import Attributes, Event, Sense
from service.domain.milestones import NAMES, RANKED, RANKS, Milestone, Route
from service.domain.timeline import Timeline, decide
from service.domain.whole import gather

README: Final = Path(__file__).resolve().parents[2] / "README.md"
BEGIN: Final = "<!-- diagram:begin -->"
END: Final = "<!-- diagram:end -->"

Move = tuple[Milestone, Milestone]


def journeys() -> Iterator[tuple[Milestone, ...]]:
    """What can happen to a return, in the order of happening: any milestones in rank order, a rejection anywhere."""
    first, *others = RANKED
    for count in range(len(others) + 1):
        for chosen in combinations(others, count):
            yield (first, *chosen)
            for at in range(count + 1):
                yield (first, *chosen[:at], Milestone.RR, *chosen[at:])


def timeline(route: Route, happened: Collection[Milestone], known: Collection[Milestone]) -> Timeline:
    """What the domain makes of those that are known of what happened."""
    attributes = Attributes("any", route, "any", "any")
    return decide(
        gather(
            Event("any", code, at, Sense.ASSERTS, code, attributes=attributes, connote="any")
            for at, code in enumerate(happened)
            if code in known
        )
    )


def moves(route: Route, *, late: bool) -> set[Move]:
    """Which status follows which when one more event is known: the latest to happen, or a late one."""
    found: set[Move] = set()
    for happened in journeys():
        after = timeline(route, happened, happened).status
        missing = happened[1:-1] if late else happened[-1:]
        for code in missing:
            before = timeline(route, happened, set(happened) - {code}).status
            if before is not None and after is not None and before is not after:
                found.add((before, after))
    return found


def missable(route: Route) -> set[Milestone]:
    """The milestones without which all the others of a whole journey still count."""
    whole = timeline(route, RANKED, RANKED)
    return {
        code
        for code in whole.counts
        if timeline(route, RANKED, set(RANKED) - {code}).counts.keys() == whole.counts.keys() - {code}
        and code is not whole.status
    }


def ends(route: Route) -> set[Milestone]:
    """The statuses with which a return is complete."""
    found = (timeline(route, happened, happened) for happened in journeys())
    return {end.status for end in found if end.complete and end.status is not None}


def steps(route: Route) -> set[Move]:
    """The moves in order, without those that are two others around a milestone that was missed."""
    all_moves, skipped = moves(route, late=False), missable(route)
    return {
        (one, other)
        for one, other in all_moves
        if not any((one, between) in all_moves and (between, other) in all_moves for between in skipped)
    }


def mermaid() -> str:
    """The diagram's text."""
    begin = RANKED[0]
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{NAMES[code]} ({code})" as {code}' for code in RANKS]
    lines += [f"    [*] --> {begin}"]
    by_route = {route: steps(route) for route in Route}
    for one in RANKS:
        for other in RANKS:
            routes = {route for route in Route if (one, other) in by_route[route]}
            if routes:
                lines.append(f"    {one} --> {other}{_label(one, routes, by_route)}")
        routes = {route for route in Route if one in ends(route)}
        if routes:
            lines.append(f"    {one} --> [*]{_label(one, routes, by_route)}")
    dashed = sorted(missable(Route.OMNIRPS), key=RANKS.__getitem__)
    lines += ["    classDef missable stroke-dasharray:6 4", f"    class {','.join(dashed)} missable"]
    return "\n".join(lines)


def _label(one: Milestone, routes: set[Route], by_route: dict[Route, set[Move]]) -> str:
    """Names the route where `one` is reached on another one too."""
    reached_on = {route for route, drawn in by_route.items() if any(one in move for move in drawn)}
    return "" if reached_on <= routes else f": route {', '.join(sorted(routes))}"


def turns() -> set[Move]:
    """The moves of late events that do not lead forward: what became known contradicts what was thought."""
    route = Route.OMNIRPS
    surprising = moves(route, late=True) - moves(route, late=False)
    return {(one, other) for one, other in surprising if RANKS[one] > RANKS[other] or other is Milestone.RR}


def _in_words(all_moves: set[Move]) -> str:
    """As "`RE` or `RDBTC` to `RR`; ..."."""
    starts: dict[tuple[Milestone, ...], list[Milestone]] = {}
    for one in RANKS:
        others = tuple(other for other in RANKS if (one, other) in all_moves)
        if others:
            starts.setdefault(others, []).append(one)
    return ", ".join(f"{_alternatives(ones)} to {_alternatives(others)}" for others, ones in starts.items())


def _alternatives(codes: Collection[Milestone]) -> str:
    return " or ".join(f"`{code}`" for code in codes)


def section() -> str:
    """What stands between the markers."""
    return f"""\
```mermaid
{mermaid()}
```

Dashed: may be missed; the arrows into and out of it are then one step. So it goes when events arrive as they happened. A late
one fills its place behind the status, or leads on to what had to wait for it. Late word of whether the export or the rejection
came first can turn the status: {_in_words(turns())}.
"""


def written(text: str) -> str:
    """The README's text with the diagram of today. Raises ValueError where the markers are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md: no {BEGIN} ... {END}")
    return f"{before}{begin}\n{section()}{end}{after}"


def main(arguments: list[str], readme: Path = README) -> int:
    """The command line; answers with the exit status."""
    if arguments not in (["--check"], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    try:
        wanted = written(text)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments == ["--write"]:
        readme.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        print(
            "README.md: the diagram is not what the domain does; run python -m tests.checks.diagram --write",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
