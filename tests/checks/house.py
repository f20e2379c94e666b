"""Holds the house in order: how large folders, modules, functions and constructors are, and what is said twice.

python -m tests.checks.house            the figures
python -m tests.checks.house --check    the same, and exit status 1 where one is over its limit

What may be over a limit is named in EXCEPTIONS, with the reason. That imports do not run upward is lint-imports' business.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from tests.checks.repeats import Repeat, repeats

ROOT: Final = Path(__file__).parents[2] / "service"

MODULES: Final = 15  # in a folder, without its __init__.py
MODULE_LINES: Final = 300
FUNCTION_LINES: Final = 46
FUNCTION_MEDIAN: Final = 5
PARAMETERS: Final = 7  # of a constructor, without self
REPEATS: Final = 10

# By what is over a limit: a folder, a module, a function or constructor (module:Class.function), a pair of modules.
EXCEPTIONS: Final[Mapping[str, str]] = {
    "adapters/postgres/online.py ~ adapters/postgres/online.py": "two ways of waiting that end for other reasons",
    "adapters/postgres/sql/letters.sql ~ adapters/postgres/sql/letters.sql": "queries have no parts to share",
    "application/journal/project.py ~ application/reading/listing.py": "what is written and what is read of one row",
}


class Function(NamedTuple):
    """A function or method: `module:Class.name`, its lines without decorators, its parameters without self."""

    name: str
    lines: int
    parameters: int


class House(NamedTuple):
    """What was counted."""

    modules: Mapping[str, int]  # of each folder
    lines: Mapping[str, int]  # of each module
    functions: list[Function]
    repeats: list[Repeat]

    @property
    def constructors(self) -> list[Function]:
        """What makes an object."""
        return [function for function in self.functions if function.name.endswith(".__init__")]

    def figures(self) -> Iterator[str]:
        """A line for each limit, with the largest that there is."""
        yield f"modules in a folder: at most {MODULES}; most: {_largest(self.modules.items())}"
        yield f"lines of a module: at most {MODULE_LINES}; most: {_largest(self.lines.items())}; {len(self.lines)} modules"
        longest = _largest((function.name, function.lines) for function in self.functions)
        yield f"lines of a function: at most {FUNCTION_LINES}; most: {longest}"
        yield f"median of {len(self.functions)} functions: at most {FUNCTION_MEDIAN}; {self.median:g}"
        most = _largest((constructor.name, constructor.parameters) for constructor in self.constructors)
        yield f"parameters of a constructor: at most {PARAMETERS}; most: {most}"
        yield f"pairs of places that say the same: under {REPEATS}, each with its reason; {len(self.repeats)}"

    @property
    def median(self) -> float:
        """How many lines half of the functions have at most."""
        return median(function.lines for function in self.functions) if self.functions else 0.0

    def over(self) -> dict[str, str]:
        """What is over a limit, and by how much."""
        found = {f: f"{n} modules, {MODULES} at most" for f, n in self.modules.items() if n > MODULES}
        found |= {m: f"{n} lines, {MODULE_LINES} at most" for m, n in self.lines.items() if n > MODULE_LINES}
        for name, lines, _ in self.functions:
            if lines > FUNCTION_LINES:
                found[name] = f"{lines} lines, {FUNCTION_LINES} at most"
        for name, _, parameters in self.constructors:
            if parameters > PARAMETERS:
                found[name] = f"{parameters} parameters, {PARAMETERS} at most"
        found |= {" ~ ".join(repeat.files): f"{repeat} say the same" for repeat in self.repeats}
        return found

    def complaints(self, exceptions: Mapping[str, str]) -> list[str]:
        """What is not as it should be, and has no reason."""
        found = [f"{name}: {what}" for name, what in self.over().items() if name not in exceptions]
        if self.median > FUNCTION_MEDIAN:
            found.append(f"the median of functions: {self.median:g} lines, {FUNCTION_MEDIAN} at most")
        if len(self.repeats) >= REPEATS:
            found.append(f"{len(self.repeats)} pairs of places that say the same, fewer than {REPEATS} allowed")
        return found


def counted(root: Path) -> House:
    """The figures of a tree of modules and queries. Migrations are left out: they are history."""
    modules = {str(path.relative_to(root)): path.read_text("utf-8") for path in sorted(root.rglob("*.py"))}
    folders = Counter(str(Path(name).parent) for name in modules if Path(name).name != "__init__.py")
    queries = (path for path in sorted(root.rglob("*.sql")) if "migrations" not in path.parts)
    return House(
        folders,
        {name: len(text.splitlines()) for name, text in modules.items()},
        [function for name, text in modules.items() for function in _functions(name, ast.parse(text))],
        repeats([*(root / name for name in modules), *queries], root),
    )


def _functions(module: str, tree: ast.AST, inside: str = "") -> Iterator[Function]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{inside}{node.name}"
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            is_method = bool(given) and given[0].arg in {"self", "cls"}
            yield Function(f"{module}:{name}", (node.end_lineno or 0) - node.lineno + 1, len(given) - is_method)
            yield from _functions(module, node, f"{name}.")
        else:
            yield from _functions(module, node, f"{inside}{node.name}." if isinstance(node, ast.ClassDef) else inside)


def _largest(numbers: Iterable[tuple[str, int]]) -> str:
    name, number = max(numbers, key=lambda each: each[1], default=("none", 0))
    return f"{number} ({name})"


def main(arguments: list[str]) -> int:
    """The command line; answers with the exit status."""
    house = counted(ROOT)
    if not arguments:
        print(*house.figures(), sep="\n")
        print(*(f"allowed: {name}: {EXCEPTIONS[name]}" for name in house.over() if name in EXCEPTIONS), sep="\n")
        return 0
    if arguments != ["--check"]:
        print(__doc__, file=sys.stderr)
        return 2
    for name in EXCEPTIONS.keys() - house.over().keys():
        print(f"tests/checks/house.py: {name} needs no exception any more", file=sys.stderr)
    complaints = house.complaints(EXCEPTIONS)
    for complaint in complaints:
        print(f"service/{complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
