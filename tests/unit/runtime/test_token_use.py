"""When tokens were used last is noted by a thread of its own, and never in the way of a request."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from structlog.testing import capture_logs

from service.errors import Retryable
from service.runtime.token_use import TokenUse
from tests.support.waiting import eventually

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Notes:
    """Keeps notes, unless it is away."""

    def __init__(self) -> None:
        self.kept: list[dict[int, datetime]] = []
        self.is_away = False

    def __call__(self, used: Mapping[int, datetime]) -> None:
        if self.is_away:
            raise Retryable("away")
        self.kept.append(dict(used))


def test_many_uses_of_a_minute_are_one_note() -> None:
    notes = Notes()
    use = TokenUse(notes, every_seconds=3600, now=lambda: NOON)

    with use.noting():
        use.used(1)
        eventually(lambda: notes.kept == [{1: NOON}])
        for _ in range(1000):
            use.used(1)
        use.used(2)

    assert notes.kept == [{1: NOON}, {1: NOON, 2: NOON}]


def test_what_is_used_after_a_note_is_in_the_next_one_while_the_process_goes_on() -> None:
    notes = Notes()

    use = TokenUse(notes, every_seconds=0.01, now=lambda: NOON)
    with use.noting():
        for number in range(3):
            use.used(number)
            eventually(lambda: len(notes.kept) == number + 1)  # noqa: B023 - called at once

    assert notes.kept == [{0: NOON}, {1: NOON}, {2: NOON}]


def test_what_could_not_be_noted_is_noted_later() -> None:
    notes = Notes()
    use = TokenUse(notes, now=lambda: NOON)
    use.used(1)

    notes.is_away = True
    with capture_logs() as lines:
        use.write()
    use.used(2)
    notes.is_away = False
    use.write()
    use.write()

    assert notes.kept == [{1: NOON, 2: NOON}]
    assert lines == [{"event": "token_use_not_noted", "log_level": "info", "part": "web", "cause": "away"}]


def test_who_uses_a_token_does_not_wait_for_a_note_that_takes_long() -> None:
    slow, began = threading.Event(), threading.Event()

    def note(_: Mapping[int, datetime]) -> None:
        began.set()
        slow.wait(10)

    use = TokenUse(note, now=lambda: NOON)
    with use.noting():
        use.used(1)
        assert began.wait(10)

        use.used(2)  # would wait here

        slow.set()


def test_no_more_than_so_many_tokens_are_remembered() -> None:
    notes = Notes()
    use = TokenUse(notes, now=lambda: NOON)

    for number in range(100_010):
        use.used(number)
    use.write()

    assert len(notes.kept[0]) == 100_000
