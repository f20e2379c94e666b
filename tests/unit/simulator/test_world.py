"""The world: repeatable, believable, and honest about what it sent."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from service.domain.events import Sense
from service.domain.journey import replay
from service.domain.milestones import RANKED, Milestone, Route
from service.errors import InvalidEvent
from service.simulator import cast
from service.simulator.answer import Answer
from service.simulator.facts import DAY
from service.simulator.messages import Message, Nature
from service.simulator.options import Options, Topics
from service.simulator.world import ENDLESS_BATCH, World
from service.wire.carriers import CarrierTables
from service.wire.inbound import Inbound, Parser
from service.wire.record import Record

pytestmark = pytest.mark.slow  # thousands of returns

NOW = 1_795_000_000
CLEAN: dict[str, Any] = {
    "late": 0,
    "in_bulk": 0,
    "repeated": 0,
    "skipped": 0,
    "wrong_code": 0,
    "recycled": 0,
    "invalid": 0,
}
PARSER = Parser(CarrierTables.load())


def messages_of(**options: Any) -> list[Message]:
    return list(World(Options(**options), lambda: NOW).messages())


def parse(message: Message) -> Inbound:
    return PARSER.parse(Record(message.topic, 0, 0, NOW * 1000, message.key, message.value, message.headers))


def test_the_same_seed_gives_the_same_messages_byte_for_byte() -> None:
    first = messages_of(returns=200, seed=5)
    again = messages_of(returns=200, seed=5)
    other = messages_of(returns=200, seed=6)

    assert first == again
    assert not {m.subject for m in first} & {m.subject for m in other}


def test_every_message_reads_as_the_world_says() -> None:
    for message in messages_of(returns=600, seed=7, invalid=0.1, wrong_code=0.1, binary=0.5):
        if message.nature is Nature.INVALID:
            with pytest.raises(InvalidEvent):
                parse(message)
        else:
            inbound = parse(message)

            assert message.event is not None
            said = message.event
            # The world knows whose a scan is, and tells its events apart by their names.
            assert replace(inbound.event, words=said.words, label=said.label) == said
            assert message.key.decode() == inbound.subject


def test_invalid_messages_are_broken_in_many_ways() -> None:
    reasons = Counter[str]()

    for message in messages_of(returns=400, seed=8, invalid=0.2):
        if message.nature is Nature.INVALID:
            try:
                parse(message)
            except InvalidEvent as error:
                reasons[error.reason] += 1

    assert reasons.keys() >= {
        "empty", "not_json", "not_utf8", "not_cloudevent", "missing_field", "wrong_type", "bad_time", "unknown_type",
    }  # fmt: skip


@pytest.mark.parametrize("carrier", list(cast.CARRIERS.values()), ids=lambda carrier: carrier.name)
def test_the_codes_that_carriers_use_are_in_their_tables_and_the_strange_ones_are_not(carrier: cast.Carrier) -> None:
    tables = CarrierTables.load()

    def means(codes: tuple[str, ...]) -> set[tuple[Sense, Milestone | None]]:
        return {(said.sense, said.milestone) for said in (tables.understand(carrier.name, code) for code in codes)}

    assert means(carrier.collected + carrier.moving) == {(Sense.ASSERTS, Milestone.RT)}
    assert means(carrier.delivered) == {(Sense.ASSERTS, Milestone.RDTPF)}
    assert means(carrier.announced + carrier.elsewhere) <= {(Sense.INFORMS, None)}
    assert means(carrier.strange) == {(Sense.UNMAPPED, None)}


def test_without_defects_everything_is_sent_in_the_order_it_happened_and_ends_about_now() -> None:
    messages = messages_of(returns=400, seed=9, **CLEAN)

    times = [message.event.at for message in messages if message.event]
    assert times == sorted(times)
    assert NOW - DAY < times[-1] / 1_000_000 < NOW
    assert {message.nature for message in messages} == {Nature.EVENT}


def test_without_defects_the_world_is_a_believable_one() -> None:
    answer = Answer(messages_of(returns=2_000, seed=10, **CLEAN))

    timelines = answer.timelines()
    routes = Counter(timeline.route for timeline in timelines.values())
    status = Counter(timeline.status for timeline in timelines.values())
    assert 0.12 < routes[Route.FIRST_MILE_ONLY] / 2_000 < 0.18
    assert status.keys() == {*RANKED, Milestone.RR}
    assert 0.015 < status[Milestone.RR] / 2_000 < 0.04
    assert 0.6 < sum(timeline.complete for timeline in timelines.values()) / 2_000 < 0.92
    assert 0 < 2_000 - len(timelines) < 15, "a few are known to a hub only"
    assert not answer.unmapped


@pytest.mark.slow
def test_items_are_processed_one_by_one_and_many_returns_leave_under_one_connote() -> None:
    messages = messages_of(returns=2_000, seed=11, **CLEAN)

    processed, members = Counter[str](), defaultdict[str, set[str]](set)
    for message in messages:
        assert message.event is not None
        if message.event.milestone is Milestone.RP:
            processed[message.subject] += 1
        if message.event.milestone is Milestone.RE:
            assert message.event.connote is not None
            members[message.event.connote].add(message.subject)
    assert {1, 2, 3} == set(processed.values())
    assert max(map(len, members.values())) > 5
    deliveries = [m.subject for m in messages if m.event and m.event.milestone is Milestone.RDBTC]
    assert len(deliveries) == len(set(deliveries))
    assert set(deliveries) < set(members)


@pytest.mark.slow
def test_the_shares_are_what_was_asked_for() -> None:
    shares = {
        "late": 0.1,
        "in_bulk": 0,
        "repeated": 0.1,
        "skipped": 0.1,
        "wrong_code": 0.05,
        "invalid": 0.02,
        "binary": 0.4,
    }

    messages = messages_of(returns=1_500, seed=12, **shares)

    natures = Counter(message.nature for message in messages)
    events = natures[Nature.EVENT]
    assert natures[Nature.REPEAT] / events == pytest.approx(0.1, abs=0.01)
    assert natures[Nature.INVALID] / events == pytest.approx(0.02, abs=0.005)
    sent = [message for message in messages if message.nature is Nature.EVENT]
    binary = sum(len(message.headers) > 1 for message in sent)
    assert binary / events == pytest.approx(0.4, abs=0.02)
    scans = [message for message in sent if message.topic == Topics().scans]
    unmapped = sum(message.event is not None and message.event.sense is Sense.UNMAPPED for message in scans)
    assert unmapped / len(scans) == pytest.approx(0.05, abs=0.01)
    base = next(m.moment - m.event.at // 1_000_000 for m in messages if m.event)
    late = sum(m.moment - m.event.at // 1_000_000 - base > 3_000 for m in sent if m.event)
    assert late / events == pytest.approx(0.1, abs=0.01)
    assert len(sent) < len(messages_of(returns=1_500, seed=12, **{**shares, "skipped": 0}))


def test_defects_do_not_change_what_happened() -> None:
    clean = Answer(messages_of(returns=300, seed=13, **CLEAN))

    defective = Answer(
        messages_of(returns=300, seed=13, late=0.2, repeated=0.2, invalid=0.1, wrong_code=0, skipped=0, recycled=0)
    )

    assert defective.timelines() == clean.timelines()
    assert defective.repeats
    assert defective.invalid


def test_a_shuffled_world_is_the_same_world_in_another_order() -> None:
    ordered = messages_of(returns=300, seed=14)

    shuffled = messages_of(returns=300, seed=14, shuffle=True)

    assert shuffled != ordered
    assert Counter(m.value for m in shuffled) == Counter(m.value for m in ordered)


def test_the_answer_is_what_the_domain_comes_to_event_by_event() -> None:
    answer = Answer(messages_of(returns=1_500, seed=15, late=0.2, repeated=0.1, skipped=0.1, wrong_code=0.1))

    for return_id, timeline in answer.timelines().items():
        assert replay(answer.events(return_id)).timeline == timeline


@pytest.mark.slow
def test_an_endless_world_goes_on_with_new_returns_that_are_never_in_the_future() -> None:
    now = NOW
    created = set[str]()

    def clock() -> float:
        nonlocal now
        now += 60
        return now

    world = World(Options(returns=0, seed=16), clock)

    moments = []
    for message in islice(world.messages(), 12 * ENDLESS_BATCH):
        assert message.event is None or message.event.at / 1_000_000 < now
        moments.append(message.moment)
        created.add(message.subject)
    assert moments == sorted(moments)
    assert len(created) > ENDLESS_BATCH * 1.1


def test_local_times_are_sent_where_the_carriers_table_has_a_zone() -> None:
    local = [m for m in messages_of(returns=300, seed=17, binary=0, **CLEAN) if b"local_time" in m.value]

    assert local
    for message in local:
        assert "time" not in json.loads(message.value)
        assert parse(message).zone_source == "carrier_table"


def test_a_carrier_scans_by_the_clock_of_the_place_where_the_parcel_is() -> None:
    """Perth is 8 hours ahead and has no summer time, Brisbane has none either, Dallas is not Los Angeles."""
    offsets = defaultdict(set)
    for message in messages_of(returns=900, seed=18, binary=0, **CLEAN):
        document = json.loads(message.value)
        code = document["data"].get("location", {}).get("code")
        if message.is_carriers and code is not None and "time" in document:
            offsets[code].add(document["time"][-6:])

    assert offsets["PER"] == {"+08:00"}
    assert offsets["BNE"] == {"+10:00"}
    assert offsets["DFW"] <= {"-06:00", "-05:00"}
    assert offsets["EWR"] <= {"-05:00", "-04:00"}
    assert offsets["LAX"] <= {"-08:00", "-07:00"}
    assert offsets["SYD"] <= {"+11:00", "+10:00"}


@pytest.mark.parametrize(
    ("options", "named"),
    (
        ({"late": 1.5}, "late"),
        ({"binary": -0.1}, "binary"),
        ({"returns": -1}, "returns"),
        ({"rate": -1}, "rate"),
        ({"returns": 0, "shuffle": True}, "shuffled"),
    ),
)
def test_impossible_options_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Options(**options)
