"""The words of queues, dead letters and figures, and how the desk shows bytes and figures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from service.application.journal.replay import Fate
from service.application.lag import Lag
from service.application.reading.durations import LegDurations
from service.application.reading.exceptions.queues import MOST_COUNTED, DayCount, Size
from service.application.reading.listing import STUCK_HOURS
from service.domain.milestones import Milestone, Reason, Route
from service.web.html import drawing
from service.web.html.assets import Assets
from service.web.html.catalogue import LANGUAGES, load
from service.web.html.desk_values import DeskTemplates
from service.web.ops.desk import CATALOGUES
from service.web.ops.letters import show_bytes
from service.web.ops.queues import together
from service.wire.reasons import Invalid

WEB = Path(__file__).parents[4] / "service" / "web" / "html"
TODAY = date(2026, 11, 25)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_of_a_closed_list_has_words(language: str) -> None:
    texts = load(*CATALOGUES)[language].texts

    expected = {f"why.{reason}" for reason in Reason} | {f"letter_reason.{reason}" for reason in Invalid}
    expected |= {f"fate.{fate}" for fate in Fate} | {f"status.{m}" for m in Milestone} | {f"route.{r}" for r in Route}
    for subject in ("queue", "queue_why"):
        expected |= {f"{subject}.stuck_{status}" for status in STUCK_HOURS}
    assert expected <= texts.keys()


def test_a_status_is_called_what_consumers_see() -> None:
    for language, catalogue in load().items():
        ours = load(*CATALOGUES)[language]
        assert {m: ours(f"status.{m}") for m in Milestone} == {m: catalogue(f"status.{m}") for m in Milestone}


def test_no_text_is_left_over() -> None:
    sources = "".join(path.read_text() for path in (WEB / "templates" / "ops").iterdir())
    sources += "".join(path.read_text() for path in (WEB.parent / "ops").glob("*.py"))

    for key in load(*CATALOGUES)["en"].texts:
        subject, _, name = key.partition(".")
        if subject in ("list", "letters", "chart"):
            assert f'"{key}"' in sources or f'"{name}"' in sources, key


def test_text_is_shown_as_text_and_json_in_lines() -> None:
    shown = show_bytes(b'{"a":[1,"\xc3\xbc"]}')

    assert (shown.text, shown.is_text, shown.size, shown.left_out) == ('{"a":[1,"ü"]}', True, 14, 0)
    assert shown.laid_out == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}'


@pytest.mark.parametrize("value", (b"", b"{", b"7", b'"x"', b"[" * 5000, b"1" * 6000))
def test_what_is_not_an_object_or_a_list_is_not_laid_out(value: bytes) -> None:
    assert show_bytes(value).laid_out is None


def test_what_cannot_be_seen_is_written_out() -> None:
    assert show_bytes("a\u202eb\0\r".encode()).text == "a\\u202eb\\u0000\\u000d"


def test_bytes_that_are_no_text_are_shown_in_rows_of_sixteen() -> None:
    rows = show_bytes(bytes(range(0xF0, 0x100)) + b"A").text.split("\n")

    assert rows[0] == "000000  f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 fa fb fc fd fe ff  ................"
    assert rows[1].startswith("000010  41 ")
    assert rows[1].endswith("  A")


def test_of_a_long_value_the_beginning_is_shown_and_no_character_is_cut() -> None:
    shown = show_bytes(("x" + "ü" * 20_000).encode())

    assert shown.left_out == 40_001 - 16 * 1024
    assert shown.text == "x" + "ü" * (8 * 1024 - 1)


def test_queues_together_are_as_old_as_the_oldest() -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)

    assert together([Size(2, new), Size(0, None), Size(1, old)]) == Size(3, old)
    assert together([]) == Size(0, None)
    assert together([Size(MOST_COUNTED + 1, old)]).is_more


def test_a_funnel_counts_who_is_in_a_status_and_who_has_passed_it() -> None:
    counts = {("omnirps", "RC"): 10, ("omnirps", "RP"): 30, ("omnirps", "RDBTC"): 50, ("omnirps", "RR"): 10}

    (funnel,) = drawing.funnels(counts, rtl=False)

    assert funnel.total == 100
    assert {row.status: (row.here, row.reached) for row in funnel.rows} == {
        "RC": (10, 90),
        "RT": (0, 80),
        "RDTPF": (0, 80),
        "DS": (0, 80),
        "RP": (30, 80),
        "RE": (0, 50),
        "RDBTC": (50, 50),
        "RR": (10, 10),
    }
    assert funnel.rows[4].share == 0.8
    assert drawing.funnels({}, rtl=False) == ()


def test_the_first_mile_has_a_funnel_of_three() -> None:
    (funnel,) = drawing.funnels({("first_mile_only", "RDTPF"): 3}, rtl=True)

    assert [(row.status, row.reached) for row in funnel.rows] == [("RC", 3), ("RT", 3), ("RDTPF", 3)]


def test_days_without_returns_are_days_all_the_same() -> None:
    counts = [
        DayCount(TODAY, "RC", "omnirps", 3),
        DayCount(TODAY, "RC", "first_mile_only", 2),
        DayCount(TODAY - timedelta(days=29), "RT", "omnirps", 10),
    ]

    days = drawing.days(counts, TODAY, 60, rtl=False)

    by_name = {row.milestone: row for row in days.rows}
    assert len(days.days) == 30
    assert (days.days[0], days.days[-1]) == (TODAY - timedelta(days=29), TODAY)
    assert by_name["RC"].values == (0,) * 29 + (5,)
    assert by_name["RT"].total == 10
    # One scale for all: the highest column of all rows is as high as there is room.
    assert (by_name["RT"].series.columns[0].height, by_name["RC"].series.columns[-1].height) == (44, 22)
    assert drawing.days([], TODAY, 60, rtl=False).is_empty


def test_the_minute_that_is_not_over_is_not_drawn() -> None:
    now = datetime(2026, 11, 25, 12, 30, 40, tzinfo=UTC)
    counts = {now.replace(second=0): 99, now.replace(minute=29, second=0): 7, now.replace(hour=11, second=0): 1}

    minutes = drawing.minutes(counts, now, 100, rtl=False)

    assert len(minutes.values) == 60
    assert (minutes.latest, minutes.total, minutes.values[0]) == (7, 8, 1)


def step(route: Route, *hours: float) -> LegDurations:
    return LegDurations(route, Milestone.RC, Milestone.RT, 20, *(timedelta(hours=each) for each in hours))


def test_steps_of_all_routes_are_drawn_on_one_axis() -> None:
    hub, first_mile = drawing.legs([step(Route.OMNIRPS, 2, 20, 200), step(Route.FIRST_MILE_ONLY, 1, 2, 3)], rtl=False)

    assert hub.marks == first_mile.marks
    assert hub.marks[0].x == "0%"
    assert first_mile.rows[0].p50 == "0%"
    assert drawing.legs([], rtl=False) == ()


def test_steps_without_any_duration_can_be_drawn() -> None:
    (chart,) = drawing.legs([step(Route.OMNIRPS, 0, 0, 0)], rtl=True)

    assert chart.rows[0].p99 == "100%"


def test_a_lag_that_is_not_known_has_no_bar() -> None:
    known, unknown = drawing.lags([Lag("a", 10), Lag("b", None)], rtl=False)

    assert known.bar[0].width == "100%"
    assert (unknown.messages, unknown.bar[0].width) == (None, "0%")


@pytest.mark.parametrize(
    ("lasted", "said"),
    (
        ({"seconds": 50}, "1 minute"),
        ({"hours": 30}, "30 hours"),
        ({"days": 11}, "11 days"),
        ({"days": 400}, "400 days"),
    ),
)
def test_what_lasts_is_said_in_days_however_long_it_is(lasted: dict[str, float], said: str) -> None:
    templates = DeskTemplates(Assets(), CATALOGUES)
    template = templates._environment.from_string("{{ seconds | lasting }}")

    assert template.render(seconds=timedelta(**lasted).total_seconds(), t=templates.catalogues["en"]) == said
