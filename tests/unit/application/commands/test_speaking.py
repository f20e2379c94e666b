"""For whom a token may speak, and what a refusal says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.access.within import state_within
from service.application.commands.speaking import Speaking, narrowed, require_creation
from service.domain.journey import State, replay
from service.domain.labels import Windows
from service.errors import InvalidEvent
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser, SubjectKind
from service.wire.judging.publishers import parse_publishers
from tests.support.journals import CLOSED, DELIVERED, DS, REOPENED, RP, VOID, creation, event, scan
from tests.unit.application.access.test_bounds import bounds
from tests.unit.wire.events import record

PARSER = Parser(CarrierTables.load())
FILE = """
[acme]
topics = ["in"]
sources = ["/test"]
retailers = ["acme", "bravo"]
"""
BOUND = Parser(CarrierTables.load(), publishers=parse_publishers(FILE, "f"))
VOIDED = event(VOID, "v", "12:00", return_id="R-1001", source="/test", id="x", by="Ann", reason="r")
ENDS = event(CLOSED, "e", "12:00", return_id="R-1001", by="Ann", reason="lost")
GOES_ON = event(REOPENED, "o", "12:00", return_id="R-1001", by="Ann", reason="found")
TWO = event(DS, "d", "11:00", return_id="R-1001", hub="akl1")


class Returns:
    """R-1001 of retailer acme, carrier generic, and nothing else."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    @property
    def asked(self) -> int:
        return len(self.limits)

    def windows(self, return_ids: Sequence[str]) -> dict[str, Windows]:
        raise NotImplementedError("no label is claimed by several returns")

    def states(self, bounds: Bounds, kind: SubjectKind, subject: str, limit: int) -> Sequence[tuple[str, State]]:
        self.limits.append(limit)
        assert kind is (SubjectKind.LABEL if "/" in subject else SubjectKind.RETURN)
        state = state_within(bounds, replay([PARSER.parse(record(creation())).event]))
        found = [("R-1001", state)] if state is not None else []
        return found[:limit] if subject in ("R-1001", "generic/TR-1001") else []


def refused(bound: Bounds, said: dict[str, Any]) -> list[tuple[str, str]]:
    """The faults of an event, by these bounds."""
    try:
        Speaking(Returns()).require(bound, PARSER.parse(record(said)))
    except InvalidEvent as error:
        return list(error.faults) if error.reason == "not_allowed" else [("reason", error.reason)]
    return []


@pytest.mark.parametrize(
    ("bound", "said"),
    (
        (bounds(carriers="generic"), scan("COLLECTED", "10:00", "R-9")),
        (bounds(carriers="nzpost generic"), scan("WHAT", "10:00")),
        (bounds(carriers="generic"), event(DELIVERED, "c", "10:00", connote="CN-1", carrier="generic")),
        (bounds(hubs="mel1"), event(DELIVERED, "c", "10:00", connote="CN-1")),
        (bounds(carriers="generic"), creation("R-2")),
        (bounds(carriers="generic"), VOIDED),
        (bounds(carriers="generic"), ENDS),
        (bounds(carriers="generic", hubs="akl1"), GOES_ON),
        (bounds(hubs="akl1"), TWO),
        (bounds(hubs="akl1"), event(RP, "p", "10:00", return_id="R-9", hub="akl1")),
        (bounds(hubs="akl1"), VOIDED),
        (bounds("acme"), creation()),
        (bounds("acme"), creation("R-2")),
        (bounds("acme"), scan("COLLECTED", "10:00")),
        (bounds("acme"), TWO),
        (bounds("acme"), VOIDED),
        (bounds("acme"), ENDS),
        (bounds("acme", "generic"), scan("COLLECTED", "10:00")),
        (bounds(carriers="generic", hubs="akl1"), scan("COLLECTED", "10:00")),
        (bounds(carriers="generic", hubs="akl1"), TWO),
    ),
)
def test_what_is_its_own_a_token_may_say(bound: Bounds, said: dict[str, Any]) -> None:
    assert refused(bound, said) == []


@pytest.mark.parametrize(
    ("bound", "said", "where", "what"),
    (
        (bounds(carriers="nzpost"), scan("COLLECTED", "10:00"), "data.carrier", "the token is bound to nzpost"),
        (bounds(carriers="a b"), event(DELIVERED, "c", "10:00", connote="CN-1"), "data.carrier", "bound to a, b"),
        (bounds(carriers="nzpost"), creation("R-2"), "data.carrier", "bound to nzpost"),
        (bounds(carriers="nzpost"), TWO, "type", "said by a hub, and the token is bound to nzpost"),
        (bounds(carriers="nzpost"), VOIDED, "data.return_id", "bound to nzpost"),
        (bounds(carriers="nzpost"), ENDS, "data.return_id", "bound to nzpost"),
        (bounds(carriers="nzpost", hubs="akl1"), GOES_ON, "data.return_id", "bound to nzpost"),
        (bounds(hubs="akl1"), ENDS, "type", "a hub closes no returns, and the token is bound to akl1"),
        (bounds(hubs="akl1"), GOES_ON, "type", "a hub closes no returns"),
        (bounds("bravo"), ENDS, "data.return_id", "bound to bravo"),
        (bounds(hubs="mel1"), TWO, "data.hub", "bound to mel1"),
        (bounds(hubs="mel1"), scan("COLLECTED", "10:00"), "type", "said by a carrier, and the token is bound to mel1"),
        (bounds(hubs="mel1"), creation("R-2"), "type", "a hub creates no returns"),
        (bounds("bravo"), creation("R-2"), "data.retailer", "bound to bravo"),
        (bounds("bravo"), creation("R-1001", retailer="bravo"), "data.return_id", "the number is taken"),
        (bounds("bravo"), scan("COLLECTED", "10:00"), "data.tracking_number", "bound to bravo"),
        (bounds("bravo"), TWO, "data.return_id", "bound to bravo"),
        (bounds("bravo"), VOIDED, "data.return_id", "bound to bravo"),
        (bounds("acme"), event(DELIVERED, "c", "10:00", connote="CN-1"), "data.connote", "bound to acme"),
    ),
)
def test_what_is_anothers_it_may_not_and_is_told_where_and_why(
    bound: Bounds, said: dict[str, Any], where: str, what: str
) -> None:
    ((path, detail),) = refused(bound, said)

    assert path == where
    assert what in detail


@pytest.mark.parametrize("carrier", (["generic"], {"generic": 1}, 7, None))
def test_a_member_that_is_no_text_names_nobody(carrier: object) -> None:
    said = event(DELIVERED, "c", "10:00", connote="CN-1", carrier=carrier)

    assert refused(bounds(carriers="generic"), said) == [("data.carrier", "the token is bound to generic")]


def test_a_return_that_is_not_seen_is_refused_as_one_that_is_not_there() -> None:
    assert refused(bounds("bravo"), TWO) == refused(
        bounds("bravo"), {**TWO, "data": {**TWO["data"], "return_id": "R-77"}}
    )


def test_who_is_not_bound_is_not_looked_up() -> None:
    returns = Returns()

    Speaking(returns).require(UNBOUND, PARSER.parse(record(TWO)))

    assert returns.asked == 0


def test_of_a_label_that_many_may_claim_one_return_within_the_bounds_is_enough() -> None:
    returns = Returns()

    Speaking(returns).require(bounds("acme"), PARSER.parse(record(scan("COLLECTED", "10:00"))))

    assert returns.limits == [1]


def test_a_creation_is_judged_before_anything_is_known_of_its_numbers() -> None:
    require_creation(bounds("acme", "generic"), creation()["data"])
    with pytest.raises(InvalidEvent, match=r"data\.retailer: the token is bound to bravo"):
        require_creation(bounds("bravo"), creation()["data"])


@pytest.mark.parametrize(
    ("bound", "within"),
    (
        (bounds("acme"), bounds("acme")),
        (bounds("acme zenith"), bounds("acme")),
        (bounds("zenith"), None),
        (bounds(carriers="generic"), bounds("acme bravo", "generic")),
        (UNBOUND, bounds("acme bravo")),
    ),
)
def test_what_a_publisher_is_bound_to_bounds_its_scans_by_a_token_too(bound: Bounds, within: Bounds | None) -> None:
    came = BOUND.parse(msgspec.structs.replace(record(scan("COLLECTED", "10:00"), topic="in"), key=None))

    assert narrowed(bound, came) == within
    assert narrowed(bound, PARSER.parse(record(scan("COLLECTED", "10:00")))) == bound


def test_a_token_says_no_scan_that_would_count_for_none_of_its_returns() -> None:
    came = BOUND.parse(msgspec.structs.replace(record(scan("COLLECTED", "10:00"), topic="in"), key=None))

    Speaking(Returns()).require(bounds("acme zenith"), came)
    with pytest.raises(InvalidEvent, match=r"data\.tracking_number: no return of it is known"):
        Speaking(Returns()).require(bounds("bravo"), came)
