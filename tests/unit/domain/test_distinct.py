"""What tells the facts of one name apart, and that its list follows the models."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NotRequired, get_origin, get_type_hints

import pytest

from service.domain.distinct import FACTS, fact_of
from service.domain.events import Event, Sense, Words
from service.domain.evidence import REUSED
from service.domain.labels import Window
from service.domain.whole import Whole, gather
from service.wire import models
from tests.unit.domain.histories import ACME, OTHER, happened, void, worded

SCANNED = models.CARRIER_SCANNED


def test_the_members_that_are_facts_are_those_that_a_type_requires_and_the_time_that_stands_among_them() -> None:
    for event_type, model in models.MODELS.items():
        hints = get_type_hints(get_type_hints(model)["data"], include_extras=True)
        required = {member for member, hint in hints.items() if get_origin(hint) is not NotRequired}

        # Each of these is required where another member is not there.
        either = {"return_id", "connote"} if event_type == models.EVENT_VOIDED else {"local_time"}
        assert set(FACTS[event_type]) - either == required


def test_what_describes_and_what_nobody_knows_is_no_fact() -> None:
    event = happened("RT", 1)

    def said(data: bytes) -> bytes:
        return fact_of(replace(event, words=Words(SCANNED, data)))

    assert said(b'{"carrier":"c","code":"X","new":1}') == said(b'{"carrier":"c","code":"X","location":{"name":"A"}}')
    assert said(b'{"carrier":"c","code":"X"}') != said(b'{"carrier":"c","code":"Y"}')
    assert said(b'{"carrier":"c","code":" X\\n","local_time":""}') == said(
        b'{"carrier":"c","code":"X","local_time":null}'
    )
    assert fact_of(replace(event, at=2)) != fact_of(event)
    untimed = replace(event, words=Words(SCANNED, b"{}", is_timed=False))
    assert fact_of(replace(untimed, at=2)) == fact_of(untimed)  # its time is told in its data, if at all


def test_a_name_tells_of_two_facts_for_as_long_as_both_are_the_return_s() -> None:
    scan = worded(replace(happened("RT", 3, id="ours"), label=ACME.label))
    whole = Whole([worded(happened("RC", 1, id="ours")), scan])

    def is_reused() -> bool:
        return bool(whole.evidence().flags & REUSED)

    def look(window: Window) -> None:
        whole.add(Event("labels", "w", 0, Sense.INFORMS, label=ACME.label, window=window))

    assert is_reused()
    for _ in range(2):
        look(Window(gaps=((3, 4),)))
        assert not is_reused()
        look(Window())
        assert is_reused()


def _looked(*others: Event, is_scan_first: bool) -> list[bool]:
    """Whether a name tells of two facts while a window takes a scan of it away, and gives it back; others are there before."""
    scan = worded(replace(happened("RT", 3, id="ours"), label=ACME.label))
    whole, found = Whole(others), list[bool]()
    whole.evidence()
    both = [scan, worded(happened("DS", 9, id="ours"))]
    for event in both if is_scan_first else both[::-1]:
        whole.add(event)
    for window in (Window(gaps=((3, 4),)), Window(gaps=((2, 3),))):
        whole.add(Event("labels", "w", 0, Sense.INFORMS, label=ACME.label, window=window))
        found.append(bool(whole.evidence().flags & REUSED))
    return found


@pytest.mark.parametrize("is_scan_first", (True, False))
def test_that_the_first_fact_of_a_name_or_a_scan_beside_it_is_anothers_is_no_other_fact(*, is_scan_first: bool) -> None:
    created = worded(happened("RC", 1))
    beside = worded(replace(happened("RT", 2, id="beside"), label=ACME.label))
    away = Event("labels", "w", 0, Sense.INFORMS, label=ACME.label, window=Window(gaps=((2, 3),)))

    assert _looked(created, is_scan_first=is_scan_first) == [False, True]
    assert _looked(created, away, beside, is_scan_first=is_scan_first) == [False, True]


def test_of_a_name_that_is_void_the_voids_tell_their_facts_and_creations_only_where_none_is_out() -> None:
    one, other = (worded(happened("RC", at, attributes=attributes)) for at, attributes in ((1, ACME), (2, OTHER)))
    twice = [worded(void(target, id="v")) for target in (("s", other.id), ("s", "none"))]
    void_of_both = worded(void(("ops", "v"), id="w"))
    again = [worded(happened("RC", 3, id="x", attributes=attributes)) for attributes in (ACME, OTHER)]

    assert gather([one, other, *twice, void_of_both]).flags & REUSED
    assert gather([one, *again]).flags & REUSED
    assert not gather([one, *again, worded(void(("s", "x")))]).flags & REUSED


def test_an_event_of_a_type_that_nobody_knows_is_the_same_fact_in_whatever_order_its_members_stand() -> None:
    one, other = (replace(happened("RT", 1), words=Words("t", data)) for data in (b'{"a":1,"b":2}', b'{"b":2,"a":1}'))

    assert fact_of(one) == fact_of(other)


def test_around_a_code_only_that_means_nothing_which_means_nothing_to_its_table() -> None:
    plain, wide, control = (
        fact_of(replace(happened("RT", 1), words=Words(SCANNED, json.dumps({"code": code}).encode())))
        for code in ("X", "\ufeffX\u202f", "\x1fX")
    )

    assert plain == wide
    assert plain != control


@pytest.mark.parametrize(
    ("event", "name", "identity"),
    (
        (Event("/s", "i", 5, Sense.INFORMS, words=Words("t", b'{"a":1}')), "fc70772b069dd28c", "afeb5b098cfe9a65"),
        (
            Event("/s", "i", 5, Sense.INFORMS, words=Words("t", b'{"a":1}', is_timed=False)),
            "fc70772b069dd28c",
            "a7c6467e3a406acb",
        ),
        (
            Event("/s", "i", 5, Sense.INFORMS, words=Words("t", b'{"a":1}'), retailers=("acme", "b")),
            "fc70772b069dd28c",
            "1d777f11b1e69e77",
        ),
    ),
)
def test_an_event_is_known_by_the_digests_that_histories_hold_of_it(event: Event, name: str, identity: str) -> None:
    """Others would take every event that is published again for a new one."""
    assert (event.key.hex(), event.identity.hex()) == (name, identity)
    assert event.digests == (event.key, event.identity)
