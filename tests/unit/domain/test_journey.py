"""What a row of the history says beside milestones: of what earlier rules told, of names that many voids give, of digests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.events import KEY_DIGEST_BYTES, Effect, Event, Published, Sense, Words, has_digest
from service.domain.evidence import AHEAD, CONFLICT, UNCREATED, VOIDS_UNLISTED, PastNeeded
from service.domain.journey import NEW, Entry, State, continued, re_evaluate, record, replay
from service.domain.milestones import Milestone, Reason
from service.domain.rules import DEFAULT, VERSION, Rules
from service.domain.whole import MAX_VOIDS, Whole, gather
from tests.unit.domain.histories import ACME, DAY, OTHER, happened, not_understood, story, void, worded

AHEAD_OF_TIME = replace(happened("RT", 2), is_ahead=True)
PAST = [happened("RC", 1), AHEAD_OF_TIME]


def reassessed(state: State, **found: tuple[Reason, ...]) -> Entry:
    """The row that says that the return, which has these events, was looked at anew."""
    event = Event("/reassess", "R/1", 9, Sense.INFORMS, words=Words("reassessed", b"{}"), **found)  # type: ignore[arg-type]
    entry = record(state, event, Whole([*PAST, event]))
    assert entry is not None
    return entry


def test_what_earlier_rules_told_and_nothing_gives_is_over_and_what_is_so_is_not() -> None:
    entry = reassessed(replay(PAST), over=(Reason.CREATION_CONFLICT, Reason.CLOCK_AHEAD))

    assert (entry.raised, entry.settled) == ((), (Reason.CREATION_CONFLICT,))


def test_what_no_row_told_and_is_so_is_told_and_what_is_not_is_not() -> None:
    entry = reassessed(replay(PAST), found=(Reason.CREATION_CONFLICT, Reason.CLOCK_AHEAD))

    assert (entry.raised, entry.settled) == ((Reason.CLOCK_AHEAD,), ())


def test_what_the_rules_of_today_say_by_themselves_is_told_once() -> None:
    today = replay(PAST)
    of_before = replace(today, rules=VERSION - 1)
    blind = replace(of_before, evidence=replace(today.evidence, flags=0))
    conflict = replace(of_before, evidence=replace(today.evidence, flags=AHEAD | CONFLICT))

    assert reassessed(blind, found=(Reason.CLOCK_AHEAD,)).raised == (Reason.CLOCK_AHEAD,)
    assert reassessed(blind).raised == (Reason.CLOCK_AHEAD,)
    assert reassessed(conflict, over=(Reason.CREATION_CONFLICT,)).settled == (Reason.CREATION_CONFLICT,)


@pytest.mark.parametrize("voids", (MAX_VOIDS - 1, MAX_VOIDS, MAX_VOIDS + 1))
def test_a_state_names_voids_up_to_a_number_and_by_either_way_says_when_there_are_more(voids: int) -> None:
    told = [happened("RC", 1), *(void(("s", f"none {n}")) for n in range(voids))]

    step_by_step, at_once = replay(told), gather(told)

    assert step_by_step.evidence == at_once
    assert bool(at_once.flags & VOIDS_UNLISTED) == (voids > MAX_VOIDS)
    assert len(step_by_step.voided) == (0 if voids > MAX_VOIDS else voids)


def test_by_the_whole_set_a_state_names_the_same_voids() -> None:
    told = [happened("RC", 1), *(void(("s", f"none {n}")) for n in range(MAX_VOIDS - 1)), void(("s", "RC@1"))]

    assert len(replay(told).voided) == MAX_VOIDS
    assert replay([*told, void(("ops", "void ('s', 'RC@1')"), id="of a void")]).voided == frozenset()


def test_a_state_knows_that_a_creation_is_void_while_another_one_stands() -> None:
    ours, theirs = happened("RC", 1, id="ours"), happened("RC", 2, id="theirs", attributes=OTHER)

    def is_known(*events: Event) -> bool:
        return bool(replay([worded(event) for event in events]).evidence.flags & UNCREATED)

    assert is_known(ours, theirs, void(("s", "ours")))
    assert not is_known(ours, theirs)
    assert not is_known(ours, void(("s", "ours")))
    assert not is_known(ours, theirs, void(("s", "ours")), void(("s", "theirs")))


@pytest.mark.parametrize(
    ("past", "event"),
    (
        ("RC@2 RT@3", happened("RC", 1)),
        ("RC@2 RT@3", happened("RC", 4)),
        ("RC@2 RE@3", happened("RP", 1)),
        ("RC@2 RP@3", happened("RE", 4)),
        ("RC@2 RP@3 RE@4", happened("RDBTC", 5)),
        ("RC@2 RP@3 RE@4 RDBTC@5", happened("RDBTC", 4)),
        ("RC@2 RDTPF@4", happened("RT", 3)),
        ("RC@2 RP@3 RE@4", happened("RR", 1)),
    ),
)
def test_what_follows_from_the_state_alone_is_decided_without_the_past(past: str, event: Event) -> None:
    told = story(past)
    whole = Whole([*told, event])

    alone, known = record(replay(told), event), record(replay(told), event, whole)

    assert alone == known is not None


@pytest.mark.parametrize(
    ("past", "event"),
    (
        ("", happened("RT", 1)),
        ("RT@3", happened("RC", 1)),
        ("RC@2", happened("RC", 1, attributes=OTHER)),
        ("RC@2", happened("RC", 3, attributes=ACME._replace(retailer="zenith"))),
        ("RC@2", happened("RC", 3, attributes=ACME._replace(tracking_number="OP2"))),
        ("RC@2 RP@3 RE@4", happened("RE", 5)),
        ("RC@2 RP@3 RDBTC@5", happened("RE", 4)),
        ("RC@2 RDTPF@4", replace(happened("RT", 3), milestone=None, sense=Sense.INFORMS, effect=Effect.RETURNING)),
        ("RC@2 RT@3", replace(happened("RT", 4), label=OTHER.label)),
    ),
)
def test_what_does_not_is_decided_by_all_events(past: str, event: Event) -> None:
    told = story(past)
    state = replay(told)

    if past:
        with pytest.raises(PastNeeded):
            record(state, event)
    assert record(state, event, Whole([*told, event])) is not None


def test_a_name_is_only_found_where_one_begins() -> None:
    one, other = bytes(range(KEY_DIGEST_BYTES)), bytes(range(100, 100 + KEY_DIGEST_BYTES))
    across = (one + other)[3 : 3 + KEY_DIGEST_BYTES]
    state = replace(NEW, seen=one + other)

    assert has_digest(state.seen, one)
    assert has_digest(state.seen, other)
    assert not has_digest(state.seen, across)
    assert has_digest(one + other + across, across)
    assert not has_digest(NEW.seen, one)
    assert has_digest(b"abababab" + b"xabababa" + b"bxxxxxxx", b"abababab"), (
        "also where it stands across two later ones"
    )
    assert has_digest(b"xxxxxxxa" + b"aaaaaaaa" + b"axxxxxxx", b"aaaaaaaa"), "and across those around it"


@pytest.mark.parametrize("event", (happened("RT", 2), AHEAD_OF_TIME), ids=("the short way", "the long way"))
def test_of_an_event_whose_digests_stand_across_two_others_nothing_is_recorded_yet(event: Event) -> None:
    state = replay(story("RC@1"))
    name, identity = event.digests

    entry = record(replace(state, seen=state.seen + b"xxx" + name + b"yy" + identity + b"zzz"), event)

    assert entry is not None
    assert entry.verdict == "advanced"


def test_a_scan_that_asserts_nothing_is_refused_where_it_is_from_before_its_label_by_all_events_too() -> None:
    told = [happened("RC", 9 * DAY), happened("RT", 9 * DAY + 1)]
    scan = Event("c", "told", 1, Sense.INFORMS, label=ACME.label)
    old = replace(replay(told), rules=VERSION - 1)  # so that the whole set is looked at

    by_step, by_all = record(replay(told), scan), record(old, scan, Whole([*told, scan]))

    for entry in (by_step, by_all):
        assert entry is not None
        assert (entry.verdict, entry.reason) == ("refused", "before_label")


def test_a_collection_tells_of_the_delivery_that_it_moves_as_well() -> None:
    told = [
        happened("RC", 1),
        Event("s", "back", 2, Sense.INFORMS, effect=Effect.RETURNING),
        happened("RDTPF", 5),
        replace(happened("RT", 7), effect=Effect.COLLECTED),
        happened("RDTPF", 8),
    ]
    collected = replace(happened("RT", 4), effect=Effect.COLLECTED)

    entry = record(replay(told), collected, Whole([*told, collected]))

    assert entry is not None
    assert [(c.kind, c.milestone, c.occurred_at) for c in entry.changes] == [
        ("retimed", "RT", 4),
        ("retimed", "RDTPF", 5),
    ]


def test_a_state_tells_by_which_settings_it_was_found() -> None:
    other = Rules(label_lead_hours=1)

    assert replay(PAST).rules == replay(PAST, DEFAULT).rules == VERSION
    assert replay(PAST, other).rules == other.mark != VERSION
    for usual in (story("RC@1"), story("RC@1 RT@2")):
        assert replay(usual, other).rules == other.mark
        assert replay(usual).rules == VERSION
    assert replay([*PAST, void(("s", "RT@2"))], other).rules == other.mark
    assert replay([*PAST, void(("s", "RT@2"))]).rules == VERSION


def test_a_return_that_only_subscribers_know_goes_on_from_their_version() -> None:
    held = Published(7, {Milestone.RC: (1, "s", None), Milestone.DS: (2, "hub", {"code": "AKL"})}, ACME, None)

    state = continued(held)

    assert (state.seq, state.version, state.seen, state.voided) == (0, 7, b"", frozenset())
    assert state.timeline.status is Milestone.DS
    assert [(s.at, s.source, s.location) for s in state.timeline.counts.values()] == [
        (1, "s", None),
        (2, "hub", {"code": "AKL"}),
    ]
    assert record(state, story("RC@1")[0]) is not None


def test_what_subscribers_hold_rightly_is_not_told_again() -> None:
    second = happened("RC", 3, attributes=ACME._replace(tracking_number="OP2"))
    state = replay([happened("RC", 1), second])
    held = Published(7, {Milestone.RC: (1, "s", None)}, ACME, None, labels=(("omniparcel", "OP2"),))
    event = Event("/reconcile", "R/1", 9, Sense.RECONCILES, published=held)

    entry = record(state, event)

    assert entry is not None
    assert (entry.changes, entry.event) == ((), event)


def test_what_subscribers_hold_wrongly_is_told_by_a_row_that_is_information_and_moves_nothing_in_the_return() -> None:
    state = replay(story("RC@1 RT@2"))
    held = Published(7, {Milestone.RC: (1, "s", None), Milestone.DS: (2, "hub", None)}, ACME, None)

    entry = record(state, Event("/reconcile", "R/1", 9, Sense.RECONCILES, published=held))

    assert entry is not None
    assert (entry.verdict, entry.reason, entry.raised, entry.settled) == ("informational", None, (), ())
    assert [(c.version, c.kind, c.milestone) for c in entry.changes] == [(8, "revoked", "DS"), (9, "reached", "RT")]
    assert (entry.state.seq, entry.state.version) == (3, 9)
    assert (entry.state.evidence, entry.state.timeline) == (state.evidence, state.timeline)


@pytest.mark.parametrize(
    ("one", "other"),
    (
        pytest.param(happened("RT", 2, id="1"), happened("RT", 2, id="2"), id="another name"),
        pytest.param(happened("RT", 2, id="1"), happened("RT", 3, id="1"), id="another time"),
        pytest.param(happened("RT", 2, id="1"), happened("RT", 2, source="t", id="1"), id="another source"),
    ),
)
def test_two_scans_that_are_understood_later_are_so_each_by_itself(one: Event, other: Event) -> None:
    recorded = [happened("RC", 1), not_understood(one), not_understood(other)]
    first = re_evaluate(replay(recorded), one, Whole([*recorded, one]))
    assert first is not None

    second = re_evaluate(first.state, other, Whole([*recorded, one, other]))

    assert second is not None
    assert (first.verdict, second.verdict, second.state.seq) == ("advanced", "repeated", 5)
    assert re_evaluate(second.state, one, Whole([*recorded, one, other])) is None


def test_what_comes_again_changes_nothing_however_often() -> None:
    told = story("RC@1 RT@2")

    assert replay([*told, *told, *told]) == replay(told)
