"""What the demo draws: aligned, within the terminal, and nothing invented."""

from __future__ import annotations

import io
import re
from collections import Counter

import pytest

from deploy.local.demo_figures import Figures
from deploy.local.demo_view import BAR, NAME, Paint, Screen, bar, clip, live, plain
from service.domain.milestones import NAMES

PAINTED, BARE = Paint(colour=True), Paint(colour=False)


def figures() -> Figures:
    return Figures(
        statuses=Counter({"RC": 1_200, "RT": 300, "RDTPF": 7, "RDBTC": 1, "RR": 0}),
        verdicts=Counter({"advanced": 5_000, "backfilled": 31}),
        dead_letters=4,
        lag=12,
        events_per_second=249.6,
    )


def without_colour(line: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", line)


def test_every_status_has_a_line_with_its_name_bar_and_number_in_columns() -> None:
    lines = live(figures(), 75, BARE, {})

    status_lines = [line for line in lines if line.strip().startswith(tuple(NAMES.values()))]
    assert len(status_lines) == 8
    assert max(map(len, lines)) < 80
    assert {len(line) for line in status_lines} == {2 + NAME + BAR + 9}
    assert any(line.endswith("1,200") and "█" * BAR in line for line in status_lines)
    assert any("1,508 returns    250 events/s    lag 12    1:15" in line for line in lines)
    assert any("5,000 advanced   31 backfilled   0 repeated" in line for line in lines)
    assert any("0 parked   4 dead letters" in line for line in lines)


def test_colour_changes_no_column() -> None:
    addresses = {"complete": "http://127.0.0.1:8080/track/TK1"}

    assert [without_colour(line) for line in live(figures(), 5, PAINTED, addresses)] == live(
        figures(), 5, BARE, addresses
    )


@pytest.mark.parametrize(
    ("value", "drawn"), ((0, ""), (1, "▏"), (500, "█" * (BAR // 2)), (1_000, "█" * BAR), (250, "█" * (BAR // 4)))
)
def test_a_bar_is_as_long_as_its_share_and_never_hides_something(value: int, drawn: str) -> None:
    assert bar(value, 1_000) == drawn


def test_a_plain_line_has_every_figure() -> None:
    line = plain(figures(), 9.7)

    assert line.startswith("10s returns=1508 events_per_second=250 lag=12 RC=1200 RT=300 RDTPF=7 DS=0 ")
    assert line.endswith("parked=0 dead_letters=4")


def test_a_lag_that_nobody_knows_is_not_called_zero() -> None:
    assert "lag=?" in plain(Figures(), 1)


def test_a_line_is_clipped_by_what_is_seen_of_it() -> None:
    line = PAINTED("bold", "0123456789") + "abc"

    assert without_colour(clip(line, 4)) == "0123"
    assert clip(line, 4).endswith("\x1b[0m")
    assert clip(line, 13) == line


def test_drawing_again_takes_back_as_many_lines_as_were_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "4")
    out = io.StringIO()
    screen = Screen(out, is_live=True)

    screen.draw(["x" * 50] * 10)
    screen.draw(["second"])
    screen.say("stays")

    first, second, stays = re.split(r"\x1b\[\d+F\x1b\[J", out.getvalue())
    assert first == f"{'x' * 19}\n" * 3
    assert "\x1b[3F" in out.getvalue()
    assert (second, stays) == ("second\n", "stays\n")
