from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.application.journal.remap import Remapped
from service.application.journal.replay import Tally
from service.cli import command_output as mending
from service.domain.milestones import Verdict
from service.wire.carriers import CarrierTables


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_live_line_which_goes_at_the_end() -> None:
    moments = iter((0.0, 1.0, 1.01, 2.0))
    terminal = Terminal()

    with mending.progress(terminal, lambda: next(moments)) as tell:
        for number in (1, 2, 3):
            tell(f"{number} of 3")

    assert terminal.getvalue() == "\r\x1b[K1 of 3\r\x1b[K3 of 3\r\x1b[K"


def test_a_file_gets_a_line_every_few_seconds() -> None:
    moments = iter((0.0, 1.0, 5.0, 9.9, 10.0))
    file = io.StringIO()

    with mending.progress(file, lambda: next(moments)) as tell:
        for number in (1, 2, 3, 4):
            tell(f"{number} of 4")

    assert file.getvalue() == "2 of 4\n4 of 4\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T10:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00+13:00", datetime(2026, 11, 20, 10, tzinfo=timezone(timedelta(hours=13)))),
        (None, None),
    ),
)
def test_a_moment_is_in_utc_unless_it_says_otherwise(text: str | None, expected: datetime | None) -> None:
    assert mending.moment(text) == expected


def test_a_summary_says_what_became_of_every_letter() -> None:
    tally = Tally(9, 9, 0, 2, 1, Counter({Verdict.ADVANCED: 3, Verdict.HELD: 1}), Counter(bad_time=2))

    lines = list(mending.replay_summary(tally, dry_run=False))

    assert lines == [
        "9 of 9 letters tried: 7 resolved",
        "  4 recorded: advanced 3, held 1",
        "  2 wait for their return, or for the members of their connote",
        "  1 had come by other means",
        "  2 failed again: bad_time 2",
    ]


def test_a_table_says_what_codes_mean_today() -> None:
    rows = [
        Remapped("generic", "COLLECTED", 1200, 1200, 0),
        Remapped("generic", "X", 1, None, 1),
        Remapped("who", "1", 2, None, 2),
    ]

    lines = list(mending.remap_table(rows, CarrierTables.load(), dry_run=False))

    assert [line.split(None, 5)[2:5] for line in lines[1:]] == [
        ["1,200", "1,200", "0"],
        ["1", "-", "1"],
        ["2", "-", "2"],
    ]
    assert lines[1].split(None, 5)[5].startswith("RT: ")
    assert [line.split(None, 5)[5] for line in lines[2:]] == ["unknown code", "carrier without a table"]
    assert list(mending.remap_table([], CarrierTables.load(), dry_run=False)) == ["nothing is unmapped"]
