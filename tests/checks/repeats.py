"""Finds places in a tree that say the same: six lines or more, to the letter, or of one shape with other names and values.

Comments, docstrings, imports, blank lines and lone brackets do not count. A run of lines is of one shape where its tokens
are the same once every name, text and number is taken for any other; decorators and signatures are passed over there, and
it must be varied enough to be a thought, and not a list of declarations.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

LINES: Final = 6
_MOST_PLACES: Final = 8  # what stands in more places than that is a way of speaking
_KINDS: Final = 5  # of so many shapes at least is a run, else it is a list
_WORDS: Final = 5  # in so many lines of a run something is done: called, returned, assigned, decided


class Line(NamedTuple):
    """A line that counts: its number, its text with white space folded, its shape, whether it is of a signature."""

    number: int
    text: str
    shape: str
    is_declaration: bool = False


class Place(NamedTuple):
    """Lines of a file, both included."""

    file: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file}:{self.first}-{self.last}"


class Repeat(NamedTuple):
    """Two places that say the same."""

    one: Place
    other: Place

    @property
    def files(self) -> tuple[str, str]:
        """What a reason for it to stay is known by: lines move, files seldom."""
        return (self.one.file, self.other.file)

    def __str__(self) -> str:
        return f"{self.one} ~ {self.other}"


def python_lines(source: str) -> list[Line]:
    """The lines of a module that count."""
    tree = ast.parse(source)
    passed_over, declared = set(_statements_without_thought(tree)), set(_signatures(tree))
    tokens: defaultdict[int, list[tokenize.TokenInfo]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in {tokenize.NAME, tokenize.OP, tokenize.STRING, tokenize.NUMBER}:
            tokens[token.start[0]].append(token)
    return [
        Line(number, " ".join(token.string for token in found), " ".join(map(_shape, found)), number in declared)
        for number, found in sorted(tokens.items())
        if number not in passed_over and any(token.type != tokenize.OP for token in found)
    ]


def sql_lines(source: str) -> list[Line]:
    """The lines of a file of queries that count."""
    lines = ((number, re.sub(r"--.*", "", line).split()) for number, line in enumerate(source.splitlines(), 1))
    return [Line(number, text := " ".join(words), text) for number, words in lines if any(map(str.isalpha, words))]


def repeats(files: Iterable[Path], root: Path) -> list[Repeat]:
    """The pairs of places, the longest first; of two files' runs that overlap the longest only."""
    read = {
        str(file.relative_to(root)): (sql_lines if file.suffix == ".sql" else python_lines)(file.read_text("utf-8"))
        for file in files
    }
    deeds = {file: [line for line in lines if not line.is_declaration] for file, lines in read.items()}
    found = [*_runs(read, by_shape=False), *_runs(deeds, by_shape=True)]
    found.sort(key=lambda repeat: repeat.one.first - repeat.one.last)
    kept: list[Repeat] = []
    for repeat in found:
        if not any(_overlap(repeat, longer) for longer in kept):
            kept.append(repeat)
    return kept


def _statements_without_thought(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            assert isinstance(node, ast.stmt)
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _signatures(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
            yield from range(first, node.body[0].lineno)


def _shape(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
        return "n"
    return {tokenize.STRING: "s", tokenize.NUMBER: "0"}.get(token.type, token.string)


def _runs(read: dict[str, list[Line]], *, by_shape: bool) -> Iterator[Repeat]:
    """Every maximal run that stands in two places."""
    windows: defaultdict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for file, lines in read.items():
        said = [line.shape if by_shape else line.text for line in lines]
        for at in range(len(said) - LINES + 1):
            windows[tuple(said[at : at + LINES])].append((file, at))
    pairs: set[tuple[str, int, str, int]] = set()
    for said_here, places in windows.items():
        if len(places) <= _MOST_PLACES and (not by_shape or _is_a_thought(said_here)):
            pairs |= {(*one, *other) for n, one in enumerate(places) for other in places[n + 1 :]}
    for file, at, other_file, other_at in pairs:
        if (file, at - 1, other_file, other_at - 1) in pairs:
            continue  # the middle of a run
        length = LINES
        while (file, at + length - LINES + 1, other_file, other_at + length - LINES + 1) in pairs:
            length += 1
        one, other = read[file][at : at + length], read[other_file][other_at : other_at + length]
        if file != other_file or one[-1].number < other[0].number:
            yield Repeat(_place(file, one), _place(other_file, other))


def _is_a_thought(shapes: Sequence[str]) -> bool:
    deeds = sum(len(re.findall(r"n \(|return|raise|if|for|with|yield|=", shape)) for shape in shapes)
    return len(set(shapes)) >= _KINDS and deeds >= _WORDS


def _place(file: str, lines: Sequence[Line]) -> Place:
    return Place(file, lines[0].number, lines[-1].number)


def _overlap(one: Repeat, other: Repeat) -> bool:
    return one.files == other.files and all(
        a.first <= b.last and b.first <= a.last for a, b in ((one.one, other.one), (one.other, other.other))
    )
