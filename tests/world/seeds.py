"""Histories with a name: each was the first to show a fault of the service, and holds it off since.

A seed draws its history from today's world: where the world draws otherwise, the plan is what is kept, and the text says what it
was about.
"""

from __future__ import annotations

from typing import Final

from tests.world.scheduler import Plan

NAMED: Final[dict[str, Plan]] = {
    # Offsets that a database had lost with its first commits were made anew from where the worker stood in memory, behind
    # what was lost: those records were read by nobody any more.
    "a database that goes back to before its partitions were first read": Plan(
        339, {("server_loses", 1): 10.0, ("cut", 393): 1.0}
    ),
    "the same, with nothing else that goes wrong": Plan(420, {("server_loses", 1): 10.0}),
    "the same, after a while without connections": Plan(145, {("server_loses", 2): 10.0, ("no_connections", 1): 0.5}),
}
