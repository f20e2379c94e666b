"""From a history that fails to the plainest one that fails still, and its story."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tests.world.play import Outcome, plan, play
from tests.world.scheduler import Plan


def shrunk(seed: int, seconds: float = 60.0) -> Outcome:
    """The plainest history found within so many seconds: fewer faults, fewer events, fewer turns of the scheduler."""
    first = play(plan(seed))
    if first.failure is None:
        return first
    until = time.monotonic() + seconds
    # From here on the decisions are given, and what lies behind their end is the plainest.
    best = replace(plan(seed), choices=first.choices, is_open=False)
    if play(best).failure is None:
        best = plan(seed)
    numbers = frozenset(said.number for said in first.said)
    for _ in range(4):
        before = best
        best = _without_faults(best, until)
        best = _without_events(best, numbers, until)
        best = _with_plain_choices(best, until)
        if best == before or time.monotonic() > until:
            break
    return play(best, tells=True)


def _fails(candidate: Plan, until: float) -> bool:
    return time.monotonic() < until and play(candidate).failure is not None


def _without_faults(best: Plan, until: float) -> Plan:
    for fault in sorted(best.faults):
        candidate = replace(best, faults={key: value for key, value in best.faults.items() if key != fault})
        if _fails(candidate, until):
            best = candidate
    return best


def _without_events(best: Plan, numbers: frozenset[int], until: float) -> Plan:
    kept = sorted(best.kept if best.kept is not None else numbers)

    def fails(some: list[int]) -> bool:
        return _fails(replace(best, kept=frozenset(some)), until)

    return replace(best, kept=frozenset(_fewest(kept, fails)))


def _with_plain_choices(best: Plan, until: float) -> Plan:
    """Cut the end, then put 0 (the plainest) in place of as many decisions as will go."""
    if best.is_open:
        return best
    choices = list(best.choices)
    size = len(choices)
    while size > 1:
        size //= 2
        candidate = choices[: len(choices) - size]
        if _fails(replace(best, choices=tuple(candidate)), until):
            choices = candidate
    size = max(1, len(choices) // 2)
    while size and time.monotonic() < until:
        for start in range(0, len(choices), size):
            piece = choices[start : start + size]
            if not any(piece):
                continue
            candidate = [*choices[:start], *[0] * len(piece), *choices[start + size :]]
            if _fails(replace(best, choices=tuple(candidate)), until):
                choices = candidate
        size //= 2
    return replace(best, choices=tuple(choices))


def _fewest(items: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    """A smaller list that fails still: pieces are left out, from large ones to single ones."""
    size = max(1, len(items) // 2)
    while size:
        start = 0
        while start < len(items):
            candidate = items[:start] + items[start + size :]
            if candidate and fails(candidate):
                items = candidate
            else:
                start += size
        size //= 2
    return items


def story(outcome: Outcome, *, last: int | None = None) -> str:
    """For people: what was done and in which order, and what must not have happened."""
    faults = ", ".join(
        f"{kind} at its {place}. opportunity ({value:g})" for (kind, place), value in outcome.plan.faults.items()
    )
    lines = outcome.story if last is None else outcome.story[-last:]
    head = [
        f"seed {outcome.plan.seed}: {outcome.failure or 'nothing fails'}",
        f"faults: {faults or 'none'}; {outcome.steps} steps, {outcome.seconds:.1f} s of the world's time",
        "what is said: " + "; ".join(str(said) for said in outcome.said),
    ]
    return "\n".join([*head, *lines])
