"""Views to HTML in a reader's language: templates, and how dates, durations and countries are said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from babel.dates import format_skeleton, format_time, format_timedelta
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from service.application.reading.local_time import LocalTime
from service.application.reading.public import FirstMileView, Happening, ReturnView
from service.domain.milestones import ASSERTED_BY, Milestone, Publisher, Route
from service.web.html.assets import Assets
from service.web.html.catalogue import Catalogue, load

# From here on a duration is said in days.
_DAY: Final = timedelta(hours=20)
_FIRST_STRONG, _POP = "\u2068", "\u2069"


class Templates:
    """All templates, with the texts of these catalogues."""

    def __init__(self, assets: Assets, catalogues: Mapping[str, Catalogue]) -> None:
        self.catalogues = catalogues
        self._environment = Environment(
            loader=PackageLoader("service.web.html"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.address
        self.add_filters(date=_date, day=_day, clock=_clock, country=_country, isolate=isolate)

    def add_filters(self, **filters: Callable[..., Any]) -> None:
        """Further ways to say values."""
        self._environment.filters.update(filters)

    def page(self, template: str, language: str, *, explicit: bool, **values: Any) -> str:
        """A page; `explicit` says that the reader chose the language, which links then keep."""
        catalogue = self.catalogues[language]
        return self._environment.get_template(template).render(
            t=catalogue,
            explicit=explicit,
            suffix=f"?lang={language}" if explicit else "",
            languages=tuple(self.catalogues.values()),
            **values,
        )


class Renderer(Templates):
    """The public pages."""

    def __init__(self, assets: Assets) -> None:
        super().__init__(assets, load())

    def return_page(
        self, view: ReturnView, typical: timedelta | None, language: str, *, explicit: bool, typed: str | None = None
    ) -> str:
        """What a consumer sees; `typed`: the number that they had looked for, where it is not quite this one."""
        catalogue = self.catalogues[language]

        def words(subject: str) -> str:
            only = f"{subject}.{view.status}_only"
            is_only = view.route is Route.FIRST_MILE_ONLY and only in catalogue.texts
            return only if is_only else f"{subject}.{view.status}"

        def happened(each: Happening) -> str:
            if each.milestone is Milestone.RDTPF and view.route is Route.FIRST_MILE_ONLY:
                return "event.RDTPF_only"
            return f"event.{each.milestone}" if each.is_first else f"event.{each.milestone}_again"

        def said_by(each: Happening) -> str:
            publisher = ASSERTED_BY[each.milestone]
            if publisher is Publisher.FIRST_MILE_CARRIER:
                return view.carrier or catalogue("who.carrier")
            return catalogue("who.hub" if publisher is Publisher.HUB else f"who.{each.milestone}")

        duration = None if typical is None else _duration(catalogue, typical)
        return self.page(
            "return.html",
            language,
            explicit=explicit,
            view=view,
            words=words,
            happened=happened,
            said_by=said_by,
            typical=duration,
            typed=typed,
        )

    def first_mile_page(self, view: FirstMileView, language: str, *, explicit: bool, typed: str | None = None) -> str:
        """What OmniParcel shows; `typed` as above."""
        return self.page("first_mile.html", language, explicit=explicit, view=view, typed=typed)


def _duration(catalogue: Catalogue, typical: timedelta) -> str:
    if typical < _DAY:
        return catalogue("next.typical_hours")
    days = timedelta(days=max(1, round(typical / timedelta(days=1))))
    # A threshold beyond reach keeps it in days: "10 days" tells more than "1 week".
    said = format_timedelta(days, granularity="day", threshold=1e9, locale=catalogue.locale)
    return catalogue("next.typical", duration=said)


def catalogue_of(context: Context) -> Catalogue:
    """The words of the page that is being made."""
    found: Catalogue = context["t"]
    return found


@pass_context
def _date(context: Context, at: LocalTime) -> str:
    return format_skeleton("MMMd", at.moment, locale=catalogue_of(context).locale)


@pass_context
def _day(context: Context, at: LocalTime) -> str:
    return format_skeleton("yMMMEd", at.moment, locale=catalogue_of(context).locale)


@pass_context
def _clock(context: Context, at: LocalTime) -> str:
    """The time of day, and by which clock."""
    told = format_time(at.moment, "short", tzinfo=at.moment.tzinfo, locale=catalogue_of(context).locale)
    return f"{told} {isolate(zone_name(at))}"


def zone_name(at: LocalTime) -> str:
    """The offset of a clock, as people write it."""
    minutes = int((at.moment.utcoffset() or timedelta()).total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02d}' if rest else ''}"


@pass_context
def _country(context: Context, code: str) -> str:
    return str(catalogue_of(context).locale.territories.get(code, code))


def isolate(text: str) -> str:
    """The text, kept from changing the direction of what is around it."""
    return f"{_FIRST_STRONG}{text}{_POP}"
