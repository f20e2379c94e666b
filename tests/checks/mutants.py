"""`make mutants`: whether the tests that need no server notice when the code says something else.

`python -m tests.checks.mutants [PACKAGE]... [--full] [--sample 80] [--seed 1]` has mutmut turn a comparison, an operator, a
value or an argument round, one at a time, and runs the tests that reach it. It prints how many were noticed, each that was
not, and how to look at one; exit status 1 when fewer than nine of ten were. Those in `mutants.toml` change nothing that
anybody could notice, each for the reason given there: they count as noticed, and one that is noticed after all is named.

mutmut works on a copy below .local/mutants, a folder a package, and keeps there what it found: what did not change is not
made again. It knows by one run of the tests which of them reach which function. It mutates bodies of functions, not the
constants and classes around them, and no function with a decorator.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import random
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
WORK: Final = ROOT / ".local" / "mutants"
ACCEPTED: Final = Path(__file__).with_name("mutants.toml")
LEAST: Final = 0.9  # of the mutants that tests have to notice
# The code that is mutated, and the tests below tests/unit that are run for it.
PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "domain": ("domain", "application/journal/test_reconcile.py"),
    "wire": ("wire", "application/journal/test_project.py", "application/journal/test_reconcile.py"),
    "application/journal": (
        "application/journal",
        "adapters/postgres/journal/test_batch_log.py",
        "runtime/test_relay.py",
    ),
    "application/commands": ("application/commands",),
    "application/reading": ("application/reading", "application/journal"),
    "runtime": ("runtime",),
}
# Tests that look at where the code stands: a copy is elsewhere.
_NOT_IN_A_COPY: Final = ("tests/unit/runtime/monitoring/test_watchdog.py",)
# Texts for people, which no test repeats word for word.
_NOT_MUTATED: Final = (r"log\.(debug|info|warning|error)\(", r"raise \w+", r"^\s*f?\"[^\"]* [^\"]*\"\)?$")
_NOTICED: Final = frozenset({1, 3, 37, 36, 24, 152, 255, -24})  # pytest's, and mutmut's for a mutant that never ends
_UNREACHED: Final = 33


def main() -> int:
    """Mutate what is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.checks.mutants", description=__doc__.partition("\n\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=", ".join(PACKAGES))
    parser.add_argument("--full", action="store_true", help="every mutant, not a sample: hours")
    parser.add_argument("--sample", type=int, default=80, help="mutants a package")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    arguments = parser.parse_args()
    if unknown := set(arguments.packages) - set(PACKAGES):
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    accepted: dict[str, str] = tomllib.loads(ACCEPTED.read_text())["accepted"]
    is_good = True
    for package in arguments.packages or PACKAGES:
        folder = prepare(package)
        names = sorted(results(folder))
        if not arguments.full:
            names = sorted(random.Random(arguments.seed).sample(names, min(arguments.sample, len(names))))
        if mutmut(folder, names).returncode:
            sys.exit(f"mutants: the tests of {package} fail without a mutant, or mutmut does")
        is_good &= report(package, folder, names, accepted)
    return 0 if is_good else 1


def prepare(package: str) -> Path:
    """The package's copy, with every mutant of it made and the tests that reach each function known."""
    folder = WORK / package.replace("/", "-")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    wanted = [Path(name) for name in files.stdout.decode().split("\0") if name]
    for path in wanted:
        if (ROOT / path).exists() and path.name != "pyproject.toml":
            _copy(ROOT / path, folder / path)
    for path in set(_python_files(folder)) - set(wanted):
        (folder / path).unlink()
    settings = folder / "pyproject.toml"
    text = (ROOT / "pyproject.toml").read_text() + _settings(package)
    if not settings.exists() or settings.read_text() != text:
        settings.write_text(text)
    # Asked for what is not there, it makes all mutants, sees which tests reach them, and then complains.
    said = mutmut(folder, ["none"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if b"nothing matches" not in said.stdout:
        sys.exit(f"mutants: {said.stdout.decode(errors='replace')[-4000:]}")
    return folder


def _copy(source: Path, target: Path) -> None:
    """Leave alone what is the same: by its time mutmut knows what it has to look at again."""
    if not target.exists() or not filecmp.cmp(source, target, shallow=False):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _python_files(folder: Path) -> Iterator[Path]:
    for top in ("service", "tests"):
        for path in (folder / top).rglob("*.py"):
            yield path.relative_to(folder)


def _settings(package: str) -> str:
    tests = [f"tests/unit/{each}" for each in PACKAGES[package]]
    options = [
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        "--hypothesis-profile=quick",
        *(f"--deselect={each}" for each in _NOT_IN_A_COPY),
    ]
    return "\n".join(
        (
            "\n[tool.mutmut]",
            'source_paths = ["service"]',
            f'only_mutate = ["service/{package}/*"]',
            'also_copy = ["tests", "schemas", "deploy"]',
            f"pytest_add_cli_args_test_selection = {json.dumps(tests)}",
            f"pytest_add_cli_args = {json.dumps(options)}",
            f"do_not_mutate_patterns = {json.dumps(_NOT_MUTATED)}",
            "",
        )
    )


def mutmut(folder: Path, names: Collection[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run it with one worker on these mutants."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
    return subprocess.run(command, cwd=folder, check=False, **options)


def results(folder: Path) -> dict[str, int | None]:
    """How the tests of each mutant ended; None: not tried."""
    found: dict[str, int | None] = {}
    for path in (folder / "mutants" / "service").rglob("*.meta"):
        found |= json.loads(path.read_text())["exit_code_by_key"]
    return found


def report(package: str, folder: Path, names: Collection[str], accepted: dict[str, str]) -> bool:
    """Print what was noticed and what was not; whether it was enough."""
    ends = results(folder)
    noticed = {name for name in names if ends[name] in _NOTICED}
    known = {name for name in names if name not in noticed and name in accepted}
    missed = sorted(set(names) - noticed - known)
    share = (len(noticed) + len(known)) / len(names) if names else 1.0
    print(f"\n{package}: {share:.1%} of {len(names)} mutants noticed, {len(known)} of them not for a known reason")
    for module, number in sorted(Counter(name.rpartition(".")[0] for name in missed).items()):
        print(f"  {module}: {number} not noticed")
    for name in missed:
        print(f"    {name}{' (no test reaches it)' if ends[name] == _UNREACHED else ''}")
    for name in sorted(noticed & accepted.keys()):
        print(f"  noticed after all, take it out of {ACCEPTED.name}: {name}")
    if missed:
        print(f"  to look at one: cd {folder.relative_to(ROOT)}; {sys.executable} -m mutmut show NAME")
    return share >= LEAST


if __name__ == "__main__":
    sys.exit(main())
