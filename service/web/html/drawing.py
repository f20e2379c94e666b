"""The charts of the desk: figures, put in order and given their places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from service.application.lag import Lag
from service.application.reading.durations import LegDurations
from service.application.reading.exceptions.queues import DayCount
from service.domain.milestones import FIRST_MILE, RANKED, Milestone, Route
from service.web.html.charts import Label, Scale, Series, Span, labels, series, spans, spread

DAYS: Final = 30
MINUTES: Final = 60
_DAY_LABELS: Final = 4
_MINUTE_LABELS: Final = 4
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Where a logarithmic axis of durations may begin, end and have a mark.
_MARKS: Final = (
    1,
    10,
    _MINUTE,
    10 * _MINUTE,
    _HOUR,
    6 * _HOUR,
    _DAY,
    3 * _DAY,
    7 * _DAY,
    14 * _DAY,
    30 * _DAY,
    90 * _DAY,
)
_MARKS_APART: Final = 20.0  # percent


class FunnelRow(NamedTuple):
    """A status: how many returns are in it, and how many are in it or further; as two pieces of a bar."""

    status: str
    here: int
    reached: int
    share: float
    bar: tuple[Span, ...]


class Funnel(NamedTuple):
    """How far the returns of a route are; rejected ones are a row by themselves."""

    route: str
    total: int
    rows: tuple[FunnelRow, ...]


class DayRow(NamedTuple):
    """How many returns reached a milestone, day by day."""

    milestone: str
    total: int
    values: tuple[int, ...]
    series: Series


class Days(NamedTuple):
    """The last days, the present one among them; all rows are drawn to one scale."""

    days: tuple[date, ...]
    rows: tuple[DayRow, ...]
    labels: tuple[Label, ...]
    is_empty: bool


class Minutes(NamedTuple):
    """Events in each of the last whole minutes; `latest` is the newest one's number."""

    minutes: tuple[datetime, ...]
    values: tuple[int, ...]
    series: Series
    labels: tuple[Label, ...]
    latest: int
    total: int


class LegRow(NamedTuple):
    """How long a leg takes: marks on a logarithmic axis."""

    leg: LegDurations
    body: Span
    tail: Span
    p50: str
    p90: str
    p99: str


class Mark(NamedTuple):
    """A duration on the axis."""

    duration: timedelta
    x: str
    anchor: str


class Legs(NamedTuple):
    """The legs of a route on one axis."""

    route: str
    rows: tuple[LegRow, ...]
    marks: tuple[Mark, ...]


class LagRow(NamedTuple):
    """A topic's lag; without a number, it is not known."""

    topic: str
    messages: int | None
    bar: tuple[Span, ...]


def funnels(counts: Mapping[tuple[str, str], int], *, rtl: bool) -> tuple[Funnel, ...]:
    """One a route that has returns."""
    found = []
    for route in Route:
        here = {status: counts.get((route.value, status.value), 0) for status in Milestone}
        total = sum(here.values())
        if not total:
            continue
        way = [status for status in RANKED if route is Route.OMNIRPS or status in FIRST_MILE]
        rows = []
        for number, status in enumerate(way):
            reached = sum(here[each] for each in way[number:])
            parts = (here[status], reached - here[status])
            bar = spans(parts, total, rtl=rtl)
            rows.append(FunnelRow(status.value, here[status], reached, reached / total, bar))
        rejected = here[Milestone.RR]
        if route is Route.OMNIRPS:
            bar = spans((rejected,), total, rtl=rtl)
            rows.append(FunnelRow(Milestone.RR.value, rejected, rejected, rejected / total, bar))
        found.append(Funnel(route.value, total, tuple(rows)))
    return tuple(found)


def days_until(today: date, number: int = DAYS) -> tuple[date, ...]:
    """So many days, the last one today."""
    return tuple(today - timedelta(days=back) for back in reversed(range(number)))


def days(counts: Iterable[DayCount], today: date, height: float, *, head: float = 16, rtl: bool) -> Days:
    """Small charts on top of each other, one a milestone."""
    every = days_until(today)
    by_day: Counter[tuple[str, date]] = Counter()
    for each in counts:
        by_day[each.milestone, each.day] += each.returns
    values = {m: tuple(by_day[m.value, day] for day in every) for m in Milestone}
    most = max(max(of) for of in values.values())
    rows = tuple(
        DayRow(m.value, sum(of), of, series(of, height, head=head, top=most, rtl=rtl)) for m, of in values.items()
    )
    found = labels(spread(len(every), _DAY_LABELS), len(every), rtl=rtl)
    return Days(every, rows, found, most == 0)


def minutes_until(now: datetime, number: int = MINUTES) -> tuple[datetime, ...]:
    """The last so many whole minutes; the present one is not over."""
    end = now.replace(second=0, microsecond=0)
    return tuple(end - timedelta(minutes=back) for back in range(number, 0, -1))


def minutes(counts: Mapping[datetime, int], now: datetime, height: float, *, head: float = 18, rtl: bool) -> Minutes:
    """Events per minute."""
    every = minutes_until(now)
    values = tuple(counts.get(minute, 0) for minute in every)
    found = labels(spread(len(every), _MINUTE_LABELS), len(every), rtl=rtl)
    return Minutes(every, values, series(values, height, head=head, rtl=rtl), found, values[-1], sum(values))


def legs(times: Sequence[LegDurations], *, rtl: bool) -> tuple[Legs, ...]:
    """One chart a route, all on one axis, so that they can be compared."""
    if not times:
        return ()
    least = min(leg.p50.total_seconds() for leg in times)
    most = max(leg.p99.total_seconds() for leg in times)
    low = max((mark for mark in _MARKS if mark <= least), default=_MARKS[0])
    high = min((mark for mark in _MARKS if mark >= most and mark > low), default=_MARKS[-1] * 4)
    scale = Scale(low, high, rtl)
    return tuple(
        Legs(route.value, tuple(_leg(scale, each) for each in times if each.route is route), _marks(scale))
        for route in Route
        if any(each.route is route for each in times)
    )


def _leg(scale: Scale, leg: LegDurations) -> LegRow:
    p50, p90, p99 = (value.total_seconds() for value in (leg.p50, leg.p90, leg.p99))
    return LegRow(leg, scale.between(p50, p90), scale.between(p90, p99), scale.at(p50), scale.at(p90), scale.at(p99))


def _marks(scale: Scale) -> tuple[Mark, ...]:
    """Marks with room for their texts between them, the end of the axis among them."""
    chosen: list[int] = []
    for seconds in reversed([mark for mark in _MARKS if scale.low <= mark <= scale.high]):
        if not chosen or abs(scale.percent_of(seconds) - scale.percent_of(chosen[-1])) >= _MARKS_APART:
            chosen.append(seconds)
    found = []
    for seconds in reversed(chosen):
        at = scale.percent_of(seconds)
        first, last = ("end", "start") if scale.rtl else ("start", "end")
        anchor = first if at < 1 else last if at > 99 else "middle"
        found.append(Mark(timedelta(seconds=seconds), scale.at(seconds), anchor))
    return tuple(found)


def lags(found: Iterable[Lag], *, rtl: bool) -> tuple[LagRow, ...]:
    """Bars of one scale."""
    topics = list(found)
    most = max((each.messages or 0 for each in topics), default=0)
    return tuple(LagRow(each.topic, each.messages, spans((each.messages or 0,), most, rtl=rtl)) for each in topics)
