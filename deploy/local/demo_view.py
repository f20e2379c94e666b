"""How the demo looks: figures to lines of text, with or without colour, and a screen that redraws them in place."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from deploy.local.demo_figures import Figures
from service.domain.milestones import NAMES, RANKS, Milestone, Verdict

# Columns; with the number behind them a line fits 80.
NAME: Final = 36
BAR: Final = 28
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_RESET: Final = "\x1b[0m"
_STYLES: Final = {"dim": "\x1b[2m", "bold": "\x1b[1m", "blue": "\x1b[34m", "green": "\x1b[32m", "red": "\x1b[31m"}
_MOVING: Final = (Verdict.ADVANCED, Verdict.BACKFILLED, Verdict.REPEATED)
_COLOURS: Final = {Milestone.RDBTC: "green", Milestone.RR: "red"}


class Paint:
    """Puts colour on a text, or does not."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, style: str, text: str) -> str:
        """The text in a style of _STYLES."""
        return f"{_STYLES[style]}{text}{_RESET}" if self._colour and text else text


def bar(value: int, largest: int, width: int = BAR) -> str:
    """A bar of block characters, exact to an eighth of one; anything above nothing shows."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(value / largest * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def live(figures: Figures, seconds: float, paint: Paint, addresses: Mapping[str, str]) -> list[str]:
    """The view that is redrawn: one line each, none longer than it has to be."""
    lag = "?" if figures.lag is None else f"{figures.lag:,}"
    clock = f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    head = f"{paint('bold', f'{figures.returns:,}')} returns    {paint('bold', f'{figures.events_per_second:,.0f}')} events/s"
    lines = [f"  {head}    lag {paint('bold', lag)}    {paint('dim', clock)}", ""]
    largest = max(figures.statuses.values(), default=0)
    for milestone in RANKS:
        number = figures.statuses[milestone.value]
        drawn = bar(number, largest)
        coloured = paint(_COLOURS.get(milestone, "blue"), drawn) + " " * (BAR - len(drawn))
        lines.append(f"  {NAMES[milestone]:<{NAME}}{coloured}{number:>9,}")
    words = {
        "history": {verdict.value: figures.verdicts[verdict.value] for verdict in _MOVING},
        "": {verdict.value: figures.verdicts[verdict.value] for verdict in Verdict if verdict not in _MOVING},
        "aside": {"parked": figures.parked, "dead letters": figures.dead_letters},
    }
    lines += ["", *(f"  {paint('dim', f'{name:<10}')}{_numbers(counted, paint)}" for name, counted in words.items())]
    if addresses:
        lines += ["", *(f"  {paint('dim', f'{name:<10}')}{address}" for name, address in addresses.items())]
    return lines


def _numbers(counted: Mapping[str, int], paint: Paint) -> str:
    return "   ".join(f"{paint('bold', f'{number:,}')} {name}" for name, number in counted.items())


def plain(figures: Figures, seconds: float) -> str:
    """The same in one line, for logs and pipes."""
    statuses = " ".join(f"{m.value}={figures.statuses[m.value]}" for m in RANKS)
    verdicts = " ".join(f"{v.value}={figures.verdicts[v.value]}" for v in Verdict)
    lag = "?" if figures.lag is None else figures.lag
    return (
        f"{seconds:.0f}s returns={figures.returns} events_per_second={figures.events_per_second:.0f} lag={lag} "
        f"{statuses} {verdicts} parked={figures.parked} dead_letters={figures.dead_letters}"
    )


class Screen:
    """Writes lines that stay, and below them lines that the next drawing replaces."""

    def __init__(self, out: TextIO, *, is_live: bool) -> None:
        self._out = out
        self._is_live = is_live
        self._drawn = 0

    def say(self, *lines: str) -> None:
        """Print lines that stay, above what is drawn."""
        self._erase()
        self._write(*lines)

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what was drawn; what does not fit the terminal is left out."""
        self._erase()
        # A line that wraps or scrolls cannot be found again.
        columns, rows = shutil.get_terminal_size()
        fitting = [clip(line, columns - 1) for line in lines[: max(1, rows - 1)]]
        self._write(*fitting)
        self._drawn = len(fitting)

    def hide_cursor(self) -> None:
        """While lines are redrawn."""
        if self._is_live:
            self._out.write("\x1b[?25l")

    def close(self) -> None:
        """Leave the last drawing where it is, and the terminal as it was."""
        if self._is_live:
            self._out.write("\x1b[?25h")
        self._out.flush()
        self._drawn = 0

    def _erase(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _write(self, *lines: str) -> None:
        self._out.write("".join(f"{line}\n" for line in lines))
        self._out.flush()


def clip(line: str, width: int) -> str:
    """The line without what is beyond `width` visible characters."""
    shown, at = 0, 0
    while at < len(line):
        if line[at] == "\x1b":
            at = line.index("m", at) + 1
            continue
        if shown == width:
            return line[:at] + (_RESET if "\x1b" in line else "")
        shown, at = shown + 1, at + 1
    return line
