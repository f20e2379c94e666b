"""A cut of the world in each run of the tests: `make world` plays as many histories as are wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.world import glue
from tests.world.mutations import MUTATIONS, Mutation, hunt, planted
from tests.world.play import plan, play
from tests.world.scheduler import Plan
from tests.world.seeds import NAMED
from tests.world.shrinking import shrunk, story

_CPU_SECONDS = 4.0
_HISTORIES = 60
_RARE = 1000  # what shows more seldom than that is looked for by `make faults` alone
_TRIES = 400  # seeds, where the one that showed a planted fault shows it no more


def _name(mutation: Mutation) -> str:
    return mutation.name


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with glue.installed():
        yield


def test_no_history_of_the_first_seeds_fails() -> None:
    began, played = time.process_time(), 0
    for seed in range(_HISTORIES):
        outcome = play(plan(seed))
        assert outcome.failure is None, f"seed {seed}: {outcome.failure}; python -m tests.world --story {seed}"
        played += 1
        if time.process_time() - began > _CPU_SECONDS:
            break
    assert played > 3


@pytest.mark.parametrize("name", NAMED)
def test_what_a_history_once_showed_stays_mended(name: str) -> None:
    assert play(NAMED[name]).failure is None


@pytest.mark.parametrize(
    ("fault", "names"),
    (
        (
            "a worker's own position in place of offsets that are gone",
            (
                "a database that goes back to before its partitions were first read",
                "the same, with nothing else that goes wrong",
                "the same, after a while without connections",
            ),
        ),
        (
            "a place in a log from before it was cut believed",
            ("a database that goes back to before a log was cut",),
        ),
        (
            "the place where a log was cut kept without its epoch",
            ("a log that is cut twice, with nothing written between",),
        ),
    ),
)
def test_the_named_histories_show_what_they_were_named_for(fault: str, names: tuple[str, ...]) -> None:
    [mutation] = [each for each in MUTATIONS if each.name == fault]
    with planted(mutation):
        failures = [play(NAMED[name]).failure or "" for name in names]
    assert all("is lost" in failure for failure in failures), failures


def test_a_seed_plays_the_same_history_each_time() -> None:
    one, two = play(plan(7), tells=True), play(plan(7), tells=True)
    assert one.story == two.story
    given = play(Plan(7, plan(7).faults, one.choices, is_open=False), tells=True)
    assert given.story == one.story


@pytest.mark.parametrize(
    "mutation", [each for each in MUTATIONS if each.seen is not None and each.seen < _RARE], ids=_name
)
def test_a_planted_fault_is_found(mutation: Mutation) -> None:
    near = () if mutation.seen is None else (mutation.seen,)
    assert hunt(mutation, (*near, *range(_TRIES))) is not None, "python -m tests.world --mutations --seeds 10000"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=_name)
def test_each_planted_fault_fits_the_code(mutation: Mutation) -> None:
    with planted(mutation):
        play(Plan(0, kept=frozenset()))


def test_a_history_that_fails_is_told_in_its_plainest_form() -> None:
    [mutation] = [each for each in MUTATIONS if each.name == "n taken without the lock"]
    with planted(mutation):
        found = hunt(mutation, range(50))
        assert found is not None
        outcome = shrunk(found[0], seconds=2)
    assert outcome.failure is not None
    assert len(outcome.story) < 3000
    assert found[1] in story(outcome) or outcome.failure in story(outcome)
