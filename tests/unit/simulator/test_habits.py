"""What carriers, hubs and numbers do: taken back, contradicted, sent in bulk, given again; shifts and flights."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from service.domain.events import Effect
from service.domain.journey import replay
from service.domain.milestones import Milestone
from service.simulator import cast
from service.simulator.answer import Answer
from service.simulator.clocks import at_work
from service.simulator.facts import DAY, Oddity
from service.simulator.messages import Message
from service.simulator.options import Options
from service.simulator.silences import Silences
from service.simulator.world import World

pytestmark = pytest.mark.slow  # thousands of returns

NOW = 1_795_000_000
CLEAN: dict[str, Any] = {
    "late": 0, "in_bulk": 0, "repeated": 0, "skipped": 0, "wrong_code": 0, "recycled": 0, "invalid": 0, "binary": 0,
}  # fmt: skip


def messages_of(**options: Any) -> list[Message]:
    return list(World(Options(**options), lambda: NOW).messages())


@cache
def clean() -> list[Message]:
    """Enough for every habit."""
    return messages_of(returns=1_200, seed=21, **CLEAN)


def test_a_parcel_that_comes_back_to_its_sender_is_not_delivered_until_it_is_sent_again() -> None:
    answer = Answer(clean())

    back = {m.subject for m in clean() if Oddity.SENT_BACK.value in m.flaws}
    assert 5 < len(back) < 40
    ended = Counter[bool]()
    for return_id in back & answer.returns:
        events = answer.events(return_id)
        returned = min(event.at for event in events if event.effect is Effect.RETURNING)
        at_the_senders = min(e.at for e in events if e.milestone is Milestone.RDTPF and e.at > returned)
        timeline, recorded = answer.timeline(return_id), replay(events)
        assert timeline == recorded.timeline
        delivered = timeline.counts.get(Milestone.RDTPF)
        assert delivered is None or delivered.at > at_the_senders
        ended[delivered is None] += 1
    assert ended.keys() == {True, False}


def test_what_carriers_say_after_a_delivery_contradicts_it_and_changes_nothing() -> None:
    answer = Answer(clean())

    for oddity in (Oddity.MOVED_AFTER_DELIVERY, Oddity.DELIVERED_TWICE, Oddity.RETURNING_AFTER_DELIVERY):
        odd = [m for m in clean() if oddity.value in m.flaws]
        assert odd, oddity
        for message in odd:
            assert message.event is not None
            timeline = answer.timeline(message.subject)
            if timeline.route is not None:  # else nobody uploaded it
                assert timeline.counts[Milestone.RDTPF].at < message.event.at


def test_hubs_scan_in_their_shifts() -> None:
    events = defaultdict[str, set[tuple[int, int]]](set)
    for message in clean():
        document = json.loads(message.value)
        if "hub" in document["data"] and document["type"] != "com.omnirps.hub.exported.v1":
            local = datetime.fromisoformat(document["time"])
            events[document["data"]["hub"]].add((local.weekday(), local.hour))

    for hub, seen in events.items():
        shift = cast.SHIFTS[hub]
        assert {day for day, _ in seen} == shift.days
        # What was begun before the end of a shift is finished.
        assert all(shift.begins <= hour <= shift.ends for _, hour in seen)


def test_at_night_and_on_sundays_the_gate_waits_for_the_next_shift() -> None:
    akl, zone = cast.SHIFTS["akl"], cast.COUNTRIES["NZ"].zone

    def local(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())

    assert at_work(local("2026-11-25T12:00:00"), zone, akl) == local("2026-11-25T12:00:00")
    assert 0 <= at_work(local("2026-11-25T03:00:00"), zone, akl) - local("2026-11-25T06:00:00") < 1_800
    assert 0 <= at_work(local("2026-11-28T22:30:00"), zone, akl) - local("2026-11-30T06:00:00") < 1_800
    assert 0 <= at_work(local("2026-11-29T12:00:00"), zone, akl) - local("2026-11-30T06:00:00") < 1_800


def test_what_leaves_a_country_flies_and_pallets_of_one_flight_share_its_waybill() -> None:
    connotes, by_road = defaultdict[str, set[str]](set), set[bool]()
    flights = defaultdict[str, set[str]](set)
    for message in clean():
        data = json.loads(message.value)["data"]
        if "mawb" in data:
            connotes[data["mawb"]].add(data["connote"])
            at_home = (
                next(c.code for c in cast.COUNTRIES.values() if c.hub == data["hub"]) == data["destination_country"]
            )
            assert at_home == ("flight" not in data)
            by_road.add(at_home)
            if not at_home:
                flights[data["mawb"]].add(data["flight"])

    assert by_road == {True, False}
    assert max(map(len, connotes.values())) > 1
    assert {len(of_one) for of_one in flights.values()} == {1}


def test_a_feed_that_was_silent_says_everything_at_once_and_in_its_order() -> None:
    silences = Silences(seed=3, share=0.2)
    moments = [number * 60.0 for number in range(20 * DAY // 60)]

    sent = [silences.sent("generic", moment) for moment in moments]

    late = [(at, moment) for at, moment in zip(sent, moments, strict=True) if at != moment]
    assert len(late) / len(moments) == pytest.approx(0.2, abs=0.01)
    assert late == sorted(late)
    assert len({int(at // 3_600) for at, _ in late}) <= 8, "four silences end within a minute each"
    assert [silences.sent("omniparcel", moment) for moment in moments] != sent
    assert Silences(seed=3, share=0).sent("generic", 5.0) == 5.0


def test_scans_in_bulk_are_the_same_scans() -> None:
    flawless = Answer(messages_of(returns=200, seed=22, **CLEAN))

    bulk = messages_of(returns=200, seed=22, **{**CLEAN, "in_bulk": 0.3})

    assert Answer(bulk).timelines() == flawless.timelines()
    scans = [m for m in bulk if m.is_carriers]
    assert sum("in_bulk" in m.flaws for m in scans) / len(scans) == pytest.approx(0.3, abs=0.15)
    moments = [message.moment for message in bulk]
    assert moments == sorted(moments)


def test_a_number_is_given_again_months_later_and_each_return_is_told_by_its_own_scans() -> None:
    messages = messages_of(returns=200, seed=23, **{**CLEAN, "recycled": 0.2})

    claims = defaultdict[str, dict[str, int]](dict)
    for message in messages:
        if message.event is not None and message.event.attributes is not None:
            label = f"{message.event.attributes.carrier}/{message.event.attributes.tracking_number}"
            claims[label].setdefault(message.subject, message.event.at)
    shared = {label: by_return for label, by_return in claims.items() if len(by_return) > 1}
    again = sum(Oddity.RECYCLED_NUMBER.value in message.flaws for message in messages)
    assert again == len(shared) == pytest.approx(40, abs=15)
    assert messages[0].subject.startswith("TB")
    assert [message.moment for message in messages] == sorted(message.moment for message in messages)
    for label, by_return in shared.items():
        earlier, later = sorted(by_return.values())
        assert later - earlier > 80 * DAY * 1_000_000
        last_of_the_first = max(
            m.event.at
            for m in messages
            if m.event and m.is_carriers and m.key.decode() == label and m.subject.startswith("TB")
        )
        assert last_of_the_first < later - DAY * 1_000_000
    assert not any(message.subject.startswith("TB") for message in clean())


@pytest.mark.parametrize("speed", (1, 60, 1_000))
def test_the_worlds_clock_runs_as_fast_as_asked(speed: float) -> None:
    from service.simulator.play import play

    time, sent = 0.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal time
        time += seconds if seconds < 0.1 else 3_600 / speed / 10  # naps are short, and this test too

    tally = play(
        lambda *_: sent.append(time),
        Options(returns=2, seed=24, rate=0, speed=speed, **CLEAN),
        now=lambda: NOW,
        clock=lambda: time,
        sleep=sleep,
    )

    moments = [m.moment for m in messages_of(returns=2, seed=24, **CLEAN)]
    assert tally.messages == len(moments) == len(sent)
    expected = [(moment - moments[0]) / speed for moment in moments]
    assert sent == pytest.approx(expected, abs=0.2 + 3_600 / speed / 10)
