"""`make world`: plays many histories, and tells of the first that fails.

python -m tests.world --seeds 1000 --jobs 2
python -m tests.world --story 4711       # the plainest form of one that fails, as a story
python -m tests.world --mutations        # plants each fault, and says after how many histories it is found
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.world import glue, mutations
from tests.world.mutations import MUTATIONS, hunt
from tests.world.play import plan, play
from tests.world.shrinking import shrunk, story
from tests.world.sometimes import missing

_CHUNK: Final = 25  # seeds, between two reports of a process
_SHOWN: Final = 5  # failures
_PLAYED: Final = ("service", "tests.world")  # packages


class Part(NamedTuple):
    """What some histories came to."""

    first: int
    histories: int
    steps: int
    seconds: float
    injected: Counter[str]
    sometimes: Counter[str]
    failures: list[tuple[int, str]]


def _played(first: int, number: int) -> Part:
    part = Part(first, number, 0, 0.0, Counter(), Counter(), [])
    steps, seconds = 0, 0.0
    with glue.installed():
        for seed in range(first, first + number):
            outcome = play(plan(seed))
            steps, seconds = steps + outcome.steps, seconds + outcome.seconds
            part.injected.update(outcome.injected)
            part.sometimes.update(outcome.sometimes)
            if outcome.failure is not None:
                part.failures.append((seed, outcome.failure))
    return part._replace(steps=steps, seconds=seconds)


def _played_chunk(chunk: tuple[int, int]) -> Part:
    return _played(*chunk)


def _chunks(first: int, seeds: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + seeds, _CHUNK):
        yield start, min(_CHUNK, first + seeds - start)


def _code() -> str:
    """A digest of the service's code that the world plays, and of the world's own."""
    files = {
        getattr(module, "__file__", None)
        for name, module in sys.modules.items()
        if name.startswith(_PLAYED) and module is not mutations
    }
    digest = hashlib.sha256()
    for file in sorted(filter(None, files)):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()[:16]


class Tally:
    """All parts together; kept in a file, so that a long run may be gone on with."""

    def __init__(self, first: int) -> None:
        self.of = f"{first} {_code()}"
        self.done = self.steps = 0
        self.seconds = self.took = 0.0
        self.injected: Counter[str] = Counter()
        self.sometimes: Counter[str] = Counter()
        self.failures: list[tuple[int, str]] = []

    def add(self, part: Part) -> None:
        self.done += part.histories
        self.steps += part.steps
        self.seconds += part.seconds
        self.injected.update(part.injected)
        self.sometimes.update(part.sometimes)
        self.failures += part.failures

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(vars(self)))

    def read(self, path: Path) -> None:
        """Raises SystemExit where it is a tally of other code, or begins with another seed."""
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept.get("of") != self.of:
            raise SystemExit(f"{path} tells of other code or other seeds: delete it, or name another file")
        for name in ("injected", "sometimes"):
            kept[name] = Counter(kept[name])
        kept["failures"] = [tuple(each) for each in kept["failures"]]
        vars(self).update(kept)

    def line(self) -> str:
        per_second = self.done / self.took if self.took else 0.0
        return (
            f"{self.done:,} histories, {per_second:.1f} a second, {self.seconds / 3600:,.1f} simulated hours, "
            f"{self.steps:,} steps, {self.injected.total():,} faults, {len(missing(self.sometimes))} not seen yet, "
            f"{len(self.failures)} failed"
        )


def _run(first: int, seeds: int, jobs: int, kept: Path | None) -> int:
    tally = Tally(first)
    if kept is not None and kept.exists():
        tally.read(kept)
        print(f"goes on after {tally.done:,}")
    before, began, told = tally.took, time.monotonic(), 0.0
    chunks = _chunks(first + tally.done, max(0, seeds - tally.done))
    # New processes after some chunks: what a history leaves behind is let go of with them.
    with get_context("fork").Pool(jobs, maxtasksperchild=40) as pool:
        for part in pool.imap(_played_chunk, chunks):
            tally.add(part)
            tally.took = before + time.monotonic() - began
            for seed, failure in part.failures[:_SHOWN]:
                print(f"seed {seed} fails: {failure}")
            if kept is not None:
                tally.write(kept)
            if time.monotonic() - told > 5:
                told = time.monotonic()
                print(tally.line(), flush=True)
            if len(tally.failures) >= 100:
                break
    print(tally.line())
    print("faults: " + ", ".join(f"{kind} {number:,}" for kind, number in sorted(tally.injected.items())))
    seen = sorted(tally.sometimes.items())
    print("sometimes: " + "; ".join(f"{what} {number:,}" for what, number in seen))
    for what in sorted(missing(tally.sometimes)):
        print(f"never: {what}")
    if tally.failures:
        seed = tally.failures[0][0]
        with glue.installed(tells=True):
            print(story(shrunk(seed), last=150))
    return 1 if tally.failures else 0


def _mutate(seeds: int) -> int:
    left = 0
    with glue.installed():
        for mutation in MUTATIONS:
            began = time.monotonic()
            found = hunt(mutation, range(seeds))
            what = "NOT FOUND" if found is None else f"seed {found[0]}: {found[1]}"
            left += found is None
            print(f"{mutation.name}: {what} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if left else 0


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=None, help="a file that a run is gone on from")
    parser.add_argument("--story", type=int, default=None)
    parser.add_argument("--mutations", action="store_true")
    asked = parser.parse_args()
    if asked.story is not None:
        with glue.installed(tells=True):
            print(story(shrunk(asked.story)))
        return 0
    if asked.mutations:
        return _mutate(asked.seeds)
    return _run(asked.first, asked.seeds, asked.jobs, asked.kept)


if __name__ == "__main__":
    sys.exit(main())
