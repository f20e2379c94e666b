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
        186, {("server_loses", 1): 6.0, ("server_loses", 8): 3.0, ("marker_late", 8): 0.05}
    ),
    "the same, with nothing else that goes wrong": Plan(0, {("server_loses", 1): 10.0}),
    "the same, after a while without connections": Plan(1, {("server_loses", 2): 10.0, ("no_connections", 1): 0.5}),
    # A worker whose database went back read on from the offset that was stored there before the log was cut: in today's log
    # another place, and what stood before it was read by nobody.
    "a database that goes back to before a log was cut": Plan(
        931,
        {
            ("log_cut", 10): 1.0,
            ("log_cut", 1): 0.0,
            ("log_cut", 15): 2.0,
            ("server_loses", 8): 6.0,
            ("server_loses", 5): 6.0,
        },
    ),
    # What was no event, at an offset where another such message had stood before the log was cut, was taken for that one.
    "dead letters at one offset before and after the log was cut": Plan(
        4425,
        {
            ("commit_lost_done", 11): 1,
            ("log_cut", 8): 2,
            ("log_cut", 3): 2,
            ("log_cut", 1): 2,
            ("commit_lost_done", 7): 1,
            ("log_cut", 13): 0,
        },
    ),
    # Of the place at which a log was cut the worker kept no epoch: when it was cut again and had grown to that place, that was the
    # same place as far as anybody knew.
    "a log that is cut twice, with nothing written between": Plan(
        128,
        {
            ("log_cut", 16): 2,
            ("log_cut", 5): 0,
            ("log_cut", 6): 0,
            ("log_cut", 7): 0,
            ("server_loses", 3): 10,
            ("server_loses", 7): 3,
        },
    ),
    # A drain ended with another worker's sweep: the exports that this one recorded made members of a connote, whose delivery
    # came with a sweep after it, which nobody was there for.
    "a drain that ends with a sweep which leaves something to the next": Plan(62, {("freeze", 188): 5}),
    # A scan that no table knows waited at the first claimant of its label, and stayed there when an earlier one came.
    "an unknown code from before a label, whose earlier claimant comes later": Plan(920),
    # The sweep wrote down whose label it was first, when another creation that named it was void, and had nothing to record: so
    # the claim was of a batch that no reader finds.
    "a claim that the sweep writes down, and nothing else": Plan(454),
    # A void by the name of the creation that it named was one fact too many under that name, after the creation was out.
    "a void that has the name of the creation that it names": Plan(170),
}
