"""Where the marks of a chart go: pure geometry, in the reading direction of the page.

Along the page a place is a percentage, so that a chart is as wide as its place and its texts keep their size; down the
page it is pixels. Nothing here knows a colour or a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log, log10
from typing import Final, NamedTuple

_ROUND: Final = (1, 2, 5, 10)
_GAP: Final = 0.22  # of a column's pitch
_LEAST_PIXELS: Final = 2.0  # what is not nothing can be seen
_LEAST_PERCENT: Final = 0.6
_LABEL_PERCENT: Final = 6.0  # so near to an edge a label is not centred, or it would be cut off


class Column(NamedTuple):
    """One value of a series as an upright bar."""

    value: int
    x: str
    width: str
    y: float
    height: float


class Line(NamedTuple):
    """A line across the chart, and the value that it stands for."""

    value: int
    y: float


class Label(NamedTuple):
    """A text at a column; `anchor` keeps it inside the chart."""

    column: int
    x: str
    anchor: str


class Series(NamedTuple):
    """Upright bars from a common ground, and the lines behind them.

    `peak` is where the greatest value stands, `peak_label` its text above; None where all are nothing.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    ground: float
    peak: int | None
    peak_label: Label | None


class Span(NamedTuple):
    """A piece of a row, from `x` on."""

    x: str
    width: str


def round_top(most: int) -> int:
    """The end of an axis that holds this value: 1, 2 or 5 and zeros."""
    if most <= 1:
        return 1
    unit: int = 10 ** floor(log10(most))
    return next(each * unit for each in _ROUND if each * unit >= most)


def lines(top: int, height: float, head: float) -> tuple[Line, ...]:
    """The top of the axis and its half, where that is a whole number."""
    values = [top, top // 2] if top % 2 == 0 else [top]
    return tuple(Line(value, round(head + (height - head) * (1 - value / top), 2)) for value in values)


def series(values: Sequence[int], height: float, *, head: float = 0.0, top: int = 0, rtl: bool = False) -> Series:
    """Upright bars; `head` pixels above them stay free for labels, `top` is the end of an axis shared with others."""
    end = top or round_top(max(values, default=0))
    room, pitch = height - head, 100 / max(len(values), 1)
    columns = []
    for number, value in enumerate(values):
        tall = 0.0 if value <= 0 else max(_LEAST_PIXELS, room * value / end)
        left = pitch * (len(values) - 1 - number if rtl else number)
        x, width = left + pitch * _GAP / 2, pitch * (1 - _GAP)
        columns.append(Column(value, percent(x), percent(width), round(height - tall, 2), round(tall, 2)))
    most = max(values, default=0)
    peak = values.index(most) if most > 0 else None
    label = None if peak is None else labels([peak], len(values), rtl=rtl)[0]
    return Series(tuple(columns), lines(end, height, head), height, peak, label)


def labels(columns: Sequence[int], number: int, *, rtl: bool = False) -> tuple[Label, ...]:
    """Where the texts of these columns, of so many, go below the axis."""
    found = []
    for column in columns:
        middle = 100 * (column + 0.5) / number
        middle = 100 - middle if rtl else middle
        near_left, near_right = middle < _LABEL_PERCENT, middle > 100 - _LABEL_PERCENT
        # In a page that is read from right to left a text starts at its right end.
        begin, end = ("end", "start") if rtl else ("start", "end")
        if near_left or near_right:
            found.append(Label(column, percent(0 if near_left else 100), begin if near_left else end))
        else:
            found.append(Label(column, percent(middle), "middle"))
    return tuple(found)


def spread(number: int, most: int) -> tuple[int, ...]:
    """So many columns at most to put a text below, at equal distances, the last one among them."""
    step = max(1, -(-number // most))
    return tuple(range((number - 1) % step, number, step))


def spans(parts: Sequence[int], whole: int, *, rtl: bool = False) -> tuple[Span, ...]:
    """Pieces of a row, one after the other, each as long as its share of the whole."""
    found, at = [], 0.0
    for part in parts:
        width = 0.0 if part <= 0 or whole <= 0 else max(_LEAST_PERCENT, 100 * part / whole)
        width = min(width, 100 - at)
        found.append(Span(percent(100 - at - width if rtl else at), percent(width)))
        at += width
    return tuple(found)


class Scale(NamedTuple):
    """A logarithmic axis between two durations, in seconds."""

    low: float
    high: float
    rtl: bool = False

    def percent_of(self, seconds: float) -> float:
        """Where a duration is, in percent from the left."""
        within = min(max(seconds, self.low), self.high)
        share = 100 * log(within / self.low) / log(self.high / self.low)
        return 100 - share if self.rtl else share

    def at(self, seconds: float) -> str:
        """The same, as an attribute."""
        return percent(self.percent_of(seconds))

    def between(self, first: float, last: float) -> Span:
        """The piece from one duration to another."""
        left, right = sorted((self.percent_of(first), self.percent_of(last)))
        return Span(percent(left), percent(right - left))


def percent(value: float) -> str:
    """As an attribute; -0 is 0."""
    return f"{round(value, 3) + 0.0:g}%"
