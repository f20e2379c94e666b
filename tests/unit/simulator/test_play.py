"""Playing a world at a rate, with a clock of the test's own."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from service.simulator.messages import Nature
from service.simulator.options import Options, Topics
from service.simulator.play import play

NOW = 1_795_000_000.0


class Stage:
    """Time that passes only in naps, and what was published when."""

    def __init__(self) -> None:
        self.time = 100.0
        self.published: list[tuple[float, str, bytes]] = []

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def publish(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        assert key
        assert headers
        self.published.append((self.time, topic, value))


def test_it_sends_all_and_says_what_it_sent() -> None:
    stage = Stage()

    tally = play(stage.publish, Options(returns=50, rate=0), now=lambda: NOW, clock=stage.clock, sleep=stage.sleep)

    assert tally.messages == len(stage.published) > 300
    assert tally.by_way.keys() == set(Topics())
    assert f"sent {tally.messages:,} messages" in tally.summary()
    assert f"{tally.by_nature[Nature.EVENT]:,} events" in tally.summary()
    assert stage.time == 100.0, "without a rate it does not wait"


def test_it_reports_which_share_of_what_it_sent_had_which_flaw() -> None:
    options = Options(returns=300, rate=0, late=0.2, repeated=0.1, skipped=0.1, wrong_code=0.3, invalid=0.05, binary=0)

    tally = play(Stage().publish, options, now=lambda: NOW)

    events, lines = tally.by_nature[Nature.EVENT], dict(line.split(maxsplit=1) for line in tally.report().splitlines())
    for flaw, asked in (("late", 0.2), ("repeated", 0.1), ("invalid", 0.05)):
        found = re.fullmatch(rf"([0-9,]+)  ([0-9.]+)% of {events:,} events", lines[flaw])
        assert found is not None
        number, share = found.groups()
        assert float(share) / 100 == pytest.approx(int(number.replace(",", "")) / events, abs=0.0001)
        assert float(share) / 100 == pytest.approx(asked, rel=0.3)
    assert lines["invalid"].startswith(f"{tally.by_nature[Nature.INVALID]:,} ")
    assert lines["repeated"].startswith(f"{tally.by_nature[Nature.REPEAT]:,} ")
    assert lines["wrong_code"].endswith(f"of {tally.scans:,} carrier scans")
    assert 0 < tally.scans < events
    assert lines["binary"] == f"0  0.00% of {events:,} events"
    assert lines["moved_after_delivery"] != lines["binary"]
    assert lines["skipped"] == f"{tally.skipped:,}  scans that never happened" != "0  scans that never happened"
    assert play(Stage().publish, replace(options, returns=1, late=0), should_stop=lambda: True).report()


def test_it_keeps_the_rate() -> None:
    stage = Stage()

    tally = play(stage.publish, Options(returns=50, rate=100), now=lambda: NOW, clock=stage.clock, sleep=stage.sleep)

    assert tally.seconds == pytest.approx(tally.messages / 100, abs=0.1)
    halfway = stage.published[tally.messages // 2][0] - 100.0
    assert halfway == pytest.approx(tally.seconds / 2, abs=0.1)


def test_it_catches_up_after_a_slow_publisher() -> None:
    stage = Stage()

    def publish(topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        if not stage.published:
            stage.time += 1.0
        stage.publish(topic, key, value, headers)

    tally = play(publish, Options(returns=50, rate=100), now=lambda: NOW, clock=stage.clock, sleep=stage.sleep)

    assert tally.seconds == pytest.approx(tally.messages / 100, abs=0.1)


@pytest.mark.parametrize("rate", (0, 50))
def test_it_stops_when_told_even_in_an_endless_world(rate: float) -> None:
    stage = Stage()

    tally = play(
        stage.publish,
        Options(returns=0, rate=rate),
        now=lambda: NOW,
        clock=stage.clock,
        sleep=stage.sleep,
        should_stop=lambda: len(stage.published) >= 200,
    )

    assert 200 <= tally.messages < 500


def test_the_topics_are_settings() -> None:
    stage = Stage()
    topics = Topics("a", "b", "c", "d")

    play(stage.publish, Options(returns=50, rate=0), topics=topics, now=lambda: NOW)

    assert {topic for _, topic, _ in stage.published} == {"a", "b", "c", "d"}


def test_what_the_publisher_raises_ends_the_play() -> None:
    def publish(topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        play(publish, Options(returns=50, rate=0), now=lambda: NOW)
