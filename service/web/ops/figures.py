"""Figures to look at: how far returns are, what happened day by day, how long it takes, and how busy the service is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from fastapi.responses import Response

from service.application.access.bounds import Everything
from service.application.lag import lag_by_topic, own
from service.application.reading.exceptions.queues import ProjectionLag
from service.web.html import drawing
from service.web.ops.desk import Desk, Visit

# Pixels down the page.
_DAY_HEIGHT: Final = 60
_MINUTES_HEIGHT: Final = 180
_SMALL_MINUTES_HEIGHT: Final = 96


class Pulse(NamedTuple):
    """How the service is doing: charts of its work of the last hour, and how far its readers are."""

    minutes: drawing.Minutes
    lags: tuple[drawing.LagRow, ...]
    is_kafka_away: bool
    projection_lag: ProjectionLag


def pulse(visit: Visit, everything: Everything, *, large: bool) -> Pulse:
    """The last hour."""
    parts, rtl = visit.parts, is_rtl(visit)
    now = parts.services.now()
    counts = parts.queues.minutes(everything, drawing.minutes_until(now)[0])
    height = _MINUTES_HEIGHT if large else _SMALL_MINUTES_HEIGHT
    bounds = parts.ends.bounds()
    lags = drawing.lags(
        lag_by_topic(parts.topics, bounds, own(parts.queues.offsets(everything), parts.ends.topic_ids)), rtl=rtl
    )
    return Pulse(
        drawing.minutes(counts, now, height, rtl=rtl), lags, bounds is None, parts.queues.projection_lag(everything)
    )


def funnels(visit: Visit, everything: Everything) -> tuple[drawing.Funnel, ...]:
    """How far returns are."""
    return drawing.funnels(visit.parts.queues.counts(everything), rtl=is_rtl(visit))


def is_rtl(visit: Visit) -> bool:
    """Whether the page is read from right to left."""
    return visit.catalogue.direction == "rtl"


class FiguresPage:
    """All charts, large."""

    def __init__(self, desk: Desk) -> None:
        desk.whole_page("/ops/figures", self.show, section="figures")

    def show(self, visit: Visit, everything: Everything) -> Response:
        parts, rtl = visit.parts, is_rtl(visit)
        today = parts.services.now().date()
        since = today - timedelta(days=drawing.DAYS - 1)
        return visit.show(
            "ops/figures.html",
            funnels=funnels(visit, everything),
            days=drawing.days(parts.queues.days(everything, since), today, _DAY_HEIGHT, rtl=rtl),
            legs=drawing.legs(parts.durations.legs(everything), rtl=rtl),
            pulse=pulse(visit, everything, large=True),
        )
