"""What a process shows from the moment of a fault on: each check that speaks up, and the second at which it first did."""

from __future__ import annotations

import http.client
import json
import math
import re
import threading
import time
from collections import Counter
from typing import Final

from tests.support.telling import Sample, Teller

_EVERY_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 2.0
_PASSING: Final = re.compile(
    r"has tried again for [\d,]+ s: |(, the oldest)?,? for [\d,]+ s|t[0-9a-f]{10}\."
)  # and a test's prefix
_LONGEST: Final = 90  # characters of what a check says
_NAMED: Final = 3  # checks in a cell
_LAG_SECONDS: Final = 3.0  # less is no lag
_LAGS: Final = ("returns_lag_seconds", "returns_cursor_lag_seconds")
_FLAGS: Final = ("returns_relay_refuses", "returns_fuse_tripped")


class Diary(threading.Thread):
    """Asks one process for what it says, again and again."""

    def __init__(self, teller: Teller, began: float, until_seconds: float) -> None:
        super().__init__(name=f"diary-{teller.name}", daemon=True)
        self._teller, self._began = teller, began
        self._until = until_seconds
        self._before = teller.scrape()
        self._metrics: list[str] = []
        self.said: dict[str, tuple[float, str]] = {}  # by check: when it first spoke up, what it said last
        self.not_ready: list[float] = []
        self.ready_at: float | None = None  # when it was seen to be ready again
        self.dead: list[float] = []
        self.stuck: list[float] = []  # when /livez said that it does not live

    def run(self) -> None:
        """Until so many seconds are over."""
        while (left := self._until - self._seconds()) > 0:
            self._look()
            time.sleep(max(0.0, min(left, _EVERY_SECONDS)))
        self._metrics = self._figures()

    @property
    def text(self) -> str:
        """All that was said, to look for words in."""
        return "; ".join([*(says for _, says in self.said.values()), *self._metrics])

    def cell(self) -> str:
        """What it showed, in a few words, with the seconds at which it first did."""
        parts = []
        if self.not_ready:
            again = "" if self.ready_at is None else f" to {self.ready_at:.0f} s"
            parts.append(f"**not ready** from {self.not_ready[0]:.0f} s{again}")
        else:
            parts.append("ready")
        if self.stuck:
            parts.append(f"**not live** from {self.stuck[0]:.0f} s")
        if self.dead:
            parts.append(f"no answer from {self.dead[0]:.0f} s")
        firsts: dict[str, float] = {}  # two checks may say the same
        for at, says in sorted(self.said.values()):
            firsts.setdefault(says, at)
        parts += [f"{_cut(says)} ({at:.0f} s)" for says, at in list(firsts.items())[:_NAMED]]
        return "; ".join([*parts, *self._metrics])

    def _look(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._teller.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            status, checks = answer.status, json.loads(answer.read())["checks"]
            connection.close()  # it takes one request
            connection.request("GET", "/livez")
            is_live = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            self.dead.append(self._seconds())
            return
        finally:
            connection.close()
        seconds = self._seconds()
        if not is_live:
            self.stuck.append(seconds)
        if status == 200:
            if self.not_ready and self.ready_at is None:
                self.ready_at = seconds
        else:
            self.not_ready.append(seconds)
            self.ready_at = None
        for check, says in checks.items():
            if not says.startswith("ok"):
                first, _ = self.said.get(check, (seconds, ""))
                self.said[check] = (first, _PASSING.sub("", says))

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _figures(self) -> list[str]:
        """What its metrics say now that they did not say before."""
        try:
            now = self._teller.scrape()
        except AssertionError:
            return ["no metrics"]
        figures = []
        lags = [each.value for each in now if each.name in _LAGS and not math.isnan(each.value)]
        if (most := max(lags, default=0)) >= _LAG_SECONDS:
            figures.append(f"lag {most:.0f} s")
        for name, label, words in (
            ("returns_retries_total", "cause", "retries"),
            ("returns_offsets_out_of_range_total", "reason", "offsets out of range"),
        ):
            if rose := self._risen(now, name, label):
                figures.append(f"{words}: {', '.join(sorted(rose))}")
        on = {each.name for each in now if each.name in _FLAGS and each.value == 1}
        return [*figures, *(f"`{name}` 1" for name in sorted(on))]

    def _risen(self, now: list[Sample], name: str, label: str) -> list[str]:
        sums: Counter[str] = Counter()
        for samples, sign in ((now, 1), (self._before, -1)):
            for each in samples:
                if each.name == name:
                    sums[each.labels[label]] += sign * round(each.value)
        return [value for value, rise in sums.items() if rise > 0]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rpartition(' ')[0]} …"
