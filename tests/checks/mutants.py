"""`make mutants`: whether the tests that need no server notice when the code says something else.

`python -m tests.checks.mutants [PACKAGE]... [--full] [--sample 80] [--seed 1] [--match PATTERN]` has mutmut turn a comparison, an operator, a
value or an argument round, one at a time, and runs the tests that reach it. It prints how many were noticed, each that was
not, and how to look at one; exit status 1 when fewer than nine of ten were. Those in `mutants.toml` change nothing that
anybody could notice, or what only tests with a server notice, each for the reason given there: they count as noticed, and one
that is noticed after all is named. They stand there by their function and by the lines that are other ones in the mutant.

mutmut makes them in a copy below .local/mutants, a folder a package: what did not change is not made again. It knows by one
run of the tests which of them reach which function. It mutates bodies of functions, not the constants and classes around
them, and no function with a decorator. forked.py runs them, the mutated module's own tests first, in a tenth of the time that
mutmut takes, which starts pytest anew for each.
"""

from __future__ import annotations

import argparse
import ast
import filecmp
import json
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WORK: Final = ROOT / ".local" / "mutants"
ACCEPTED: Final = Path(__file__).with_name("mutants.toml")
LEAST: Final = 0.9  # of the mutants that tests have to notice
# The code that is mutated, and the tests below tests/unit that are run for it.
PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "domain": ("domain", "application/journal/test_reconcile.py"),
    "wire": (
        "wire",
        "application/journal/test_project.py",
        "application/journal/test_publish.py",
        "application/journal/test_reconcile.py",
    ),
    "application/journal": (
        "application/journal",
        "adapters/postgres/journal/test_batch_log.py",
        "runtime/test_relay.py",
    ),
    "application/commands": ("application/commands",),
    "application/reading": ("application/reading",),
    "application/access": ("application/access",),
    # What stands in the folder itself, and what scan stations are told.
    "application": (
        "application/hubs",
        "application/test_clocks.py",
        "application/test_health.py",
        "application/test_lag.py",
        "application/test_safety.py",
    ),
    "runtime": ("runtime",),
}
# Tests that look at where the code stands: a copy is elsewhere.
_NOT_IN_A_COPY: Final[tuple[str, ...]] = ()
_OPTIONS: Final = (
    "-p",
    "no:randomly",
    "-p",
    "no:xdist",
    "--hypothesis-profile=mutants",
    *(f"--deselect={each}" for each in _NOT_IN_A_COPY),
)
# A mutant that does not end is noticed: by how long a test computes (see forked.py), or, where it waits for something, takes. All
# together may take so many times as long as without a mutant. Both are generous, for a machine may be busy with something else.
_TEST_SECONDS: Final = 60
_PATIENCE: Final = 20
# Texts for people, which no test repeats word for word; and the coordinates of a message that is judged before it is sent:
# it stands nowhere yet, so that whatever is said of its place, and of its key, changes nothing.
_NOT_MUTATED: Final = (
    r"log\.(debug|info|warning|error)\(",
    r"raise \w+",
    r"^\s*(return )?f?\"[^\"]* [^\"]*\"\)?$",
    r"Record\((self\._)?topic, 0, 0, at",
    r"return Field\(",  # called where a module is imported, which is before anything is changed
)
_PASSED: Final = 0  # how the tests of a mutant end that none of them notices
_UNREACHED: Final = None  # by any test


def main() -> int:
    """Mutate what is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.checks.mutants", description=__doc__.partition("\n\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=", ".join(PACKAGES))
    parser.add_argument("--full", action="store_true", help="every mutant, not a sample")
    parser.add_argument("--sample", type=int, default=80, help="mutants a package")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--match", default="", metavar="PATTERN", help="only mutants in whose names this is found")
    arguments = parser.parse_args()
    if unknown := set(arguments.packages) - set(PACKAGES):
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    accepted: dict[str, str] = tomllib.loads(ACCEPTED.read_text())["accepted"]
    is_good = True
    for package in arguments.packages or PACKAGES:
        folder = prepare(package)
        names = sorted(name for name in mutants(folder) if re.search(arguments.match, name))
        if not arguments.full:
            names = sorted(random.Random(arguments.seed).sample(names, min(arguments.sample, len(names))))
        is_good &= report(package, folder, ends_of(package, folder, names), accepted)
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
    gone = {path for path in set(_files(folder)) - set(wanted) if path.suffix != ".pyc"}
    for path in gone:
        (folder / path).unlink()
    settings = folder / "pyproject.toml"
    text = (ROOT / "pyproject.toml").read_text() + _settings(package)
    if gone or not settings.exists() or settings.read_text() != text:
        settings.write_text(text)
        # By the times of the code mutmut sees neither that other mutants are wanted of it nor that a file is no more.
        shutil.rmtree(folder / "mutants", ignore_errors=True)
    # Asked for what is not there, it makes all mutants, sees which tests reach them, and then complains.
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", "none"]
    said = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if b"nothing matches" not in said.stdout:
        sys.exit(f"mutants: {said.stdout.decode(errors='replace')[-4000:]}")
    return folder


def _copy(source: Path, target: Path) -> None:
    """Leave alone what is the same: by its time mutmut knows what it has to look at again."""
    if not target.exists() or not filecmp.cmp(source, target, shallow=False):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _files(folder: Path) -> Iterator[Path]:
    for top in ("service", "tests", "schemas", "deploy"):
        for path in (folder / top).rglob("*.*"):
            if path.is_file():
                yield path.relative_to(folder)


def _tests(package: str) -> list[str]:
    return [f"tests/unit/{each}" for each in PACKAGES[package]]


def _settings(package: str) -> str:
    return "\n".join(
        (
            "\n[tool.mutmut]",
            'source_paths = ["service"]',
            f'only_mutate = ["service/{package}/*"]',
            f"do_not_mutate = {json.dumps([f'service/{each}/*' for each in PACKAGES if each.startswith(f'{package}/')])}",
            'also_copy = ["tests", "schemas", "deploy"]',
            f"pytest_add_cli_args_test_selection = {json.dumps(_tests(package))}",
            f"pytest_add_cli_args = {json.dumps(_OPTIONS)}",
            f"do_not_mutate_patterns = {json.dumps(_NOT_MUTATED)}",
            "",
        )
    )


def mutants(folder: Path) -> list[str]:
    """The names of all."""
    found: list[str] = []
    for path in (folder / "mutants" / "service").rglob("*.meta"):
        found += json.loads(path.read_text())["exit_code_by_key"]
    return found


def ends_of(package: str, folder: Path, names: Collection[str]) -> dict[str, int | None]:
    """How the tests of each mutant ended, by forked.py's words. Exits where they fail without one."""
    known = json.loads((folder / "mutants" / "mutmut-stats.json").read_text())
    reached, seconds = known["tests_by_mangled_function_name"], known["duration_by_test"]
    work, results = folder / "work.jsonl", folder / "results.jsonl"
    tried = set[str]()
    with work.open("w") as lines:
        for name in ("", *names):
            function = name.rpartition("__mutmut_")[0]
            own = f"/test_{function.rpartition('.')[0].rpartition('.')[2]}"
            # Of the module's own tests also those that reach it in a process of theirs.
            tests = {*reached.get(function, ()), *(test for test in seconds if own in test)} if name else seconds.keys()
            if tests:
                order = sorted(tests, key=lambda test: (own not in test, seconds[test], test))
                print(json.dumps([name, order, _TEST_SECONDS + _PATIENCE * sum(map(seconds.get, tests))]), file=lines)
                tried.add(name)
    command = [sys.executable, "-m", "tests.checks.forked", str(work), str(results), "-q", "--tb=no"]
    command += [f"--timeout={_TEST_SECONDS}", *_OPTIONS, *_tests(package)]
    with (folder / "forked.log").open("w") as log:
        subprocess.run(command, cwd=folder / "mutants", check=False, stdout=log, stderr=subprocess.STDOUT)
    found = dict(json.loads(line) for line in results.read_text().splitlines())
    if found.keys() != tried or found.pop("") != _PASSED:
        sys.exit(f"mutants: the tests of {package} fail without a mutant, see {folder / 'forked.log'}")
    return dict.fromkeys(names, _UNREACHED) | found


def report(package: str, folder: Path, ends: Mapping[str, int | None], accepted: dict[str, str]) -> bool:
    """Print what was noticed and what was not; whether it was enough."""
    noticed = {name for name, end in ends.items() if end not in {_PASSED, _UNREACHED}}
    named = dict(_named(folder))
    known = {name for name in ends if name not in noticed and named[name] in accepted}
    missed = sorted(ends.keys() - noticed - known)
    share = (len(noticed) + len(known)) / len(ends) if ends else 1.0
    print(f"\n{package}: {share:.1%} of {len(ends)} mutants noticed, {len(known)} of them not for a known reason")
    for module, number in sorted(Counter(map(_module, ends)).items()):
        of_it = Counter(_module(name) for name in missed)[module]
        print(f"  {module}: {number - of_it} of {number}")
    for name in missed:
        print(f"    {named[name]}{' (no test reaches it)' if ends[name] == _UNREACHED else ''}  # {name}")
    for key in sorted(accepted.keys() - set(named.values())):
        if key.replace(".", "/").startswith(f"service/{package}/") and not _is_of_another(package, key):
            print(f"  is none any more, take it out of {ACCEPTED.name}: {key}")
    for key in sorted({named[name] for name in noticed} & accepted.keys() - {named[name] for name in known}):
        print(f"  noticed after all, take it out of {ACCEPTED.name}: {key}")
    if missed:
        print(f"  to look at one: cd {folder.relative_to(ROOT)}; {sys.executable} -m mutmut show NAME")
    return share >= LEAST


def _named(folder: Path) -> Iterator[tuple[str, str]]:
    """mutmut's name of each mutant, which counts those of a function, and one that stays: what is other there, and where."""
    for path in (folder / "mutants" / "service").rglob("*.meta"):
        names = json.loads(path.read_text())["exit_code_by_key"]
        texts = dict(_functions(path.with_suffix("").read_text()))
        for name in names:
            module, _, of = name.rpartition(".")
            function = of.rpartition("__mutmut_")[0]
            before = Counter(texts[f"{function}__mutmut_orig"])
            lines = [
                line for line in texts[of] if not before[line] or before.subtract([line])
            ]  # those that were there not
            where = function.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
            yield name, f"{module}.{where}: {' '.join(lines) or 'a line less'}"


def _functions(text: str) -> Iterator[tuple[str, list[str]]]:
    """The functions of a module that has been mutated, by their names: the lines of their bodies."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            yield node.name, [line.strip() for line in lines[node.lineno : node.end_lineno]]


def _is_of_another(package: str, name: str) -> bool:
    """Whether a mutant of something below the package is one of a package of its own."""
    path = name.replace(".", "/")
    return any(each.startswith(f"{package}/") and path.startswith(f"service/{each}/") for each in PACKAGES)


def _module(name: str) -> str:
    return name.rpartition(".")[0]


if __name__ == "__main__":
    sys.exit(main())
