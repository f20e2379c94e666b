"""Events that come over HTTP: judged as ingestion judges them, each in the name of its publisher alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.commands.accepting import MAY_SEND, Accepting, InputMessage, Sender, publisher_name
from service.domain.journey import State, replay
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser, SubjectKind
from tests.support.journals import RP, VOID, creation, event, scan
from tests.unit.wire.events import record

PARSER = Parser(CarrierTables.load())
TOPICS = {event_type: setting for setting, types in models.TYPES_BY_TOPIC_SETTING.items() for event_type in types}
SCANNER = Sender("nzpost", {"scan"}, UNBOUND)


class Returns:
    """One return, known by its creation and a scan."""

    def states(self, bounds: Bounds, kind: SubjectKind, subject: str, limit: int) -> Sequence[tuple[str, State]]:
        assert bounds == UNBOUND
        assert kind is SubjectKind.LABEL
        known = [creation(), {**scan("COLLECTED", "10:00"), "source": "/nzpost/depot"}]
        state = replay([PARSER.parse(record(each)).event for each in known])
        return [("R-1001", state)][:limit] if "R-1001" in subject else []


def accepting(published: list[InputMessage] | None = None) -> Accepting:
    kept: list[InputMessage] = [] if published is None else published
    return Accepting(PARSER, TOPICS, kept.extend, Returns())


def sent(document: dict[str, Any], source: str = "/depot") -> dict[str, Any]:
    return {**document, "source": source}


@pytest.mark.parametrize("source", ("/depot", "depot", "/nzpost/depot"))
def test_a_source_is_below_its_publishers_name_once(source: str) -> None:
    (judged,) = accepting().judge([sent(scan("COLLECTED", "11:00"), source)], SCANNER)

    assert judged.source == source
    assert judged.message is not None
    assert json.loads(judged.message.value)["source"] == "/nzpost/depot"


def test_nobody_voids_in_anothers_name() -> None:
    void = sent(event(VOID, "v", "12:00", return_id="R-1001", source="/other/depot", id="x", by="Ann", reason="r"))
    void["data"] = {"return_id": "R-1001", "source": "/other/depot", "id": "x", "by": "Ann", "reason": "a mistake"}

    (judged,) = accepting().judge([void], Sender("akl1", {"hub"}, UNBOUND))

    assert judged.message is not None
    assert json.loads(judged.message.value)["data"]["source"] == "/akl1/other/depot"


def test_what_a_scope_does_not_allow_is_told_and_not_published() -> None:
    published: list[InputMessage] = []
    found = accepting(published).accept([sent(creation()), sent(event(RP, "p", "12:00", return_id="R-1001"))], SCANNER)

    assert [each.error and each.error.reason for each in found] == ["not_allowed", "not_allowed"]
    assert published == []


def test_every_type_may_be_sent_by_some_scope_and_goes_to_its_topic() -> None:
    assert {each for types in MAY_SEND.values() for each in types} == set(models.MODELS) == set(TOPICS)


def test_what_could_not_be_read_keeps_its_place_and_its_words() -> None:
    error = InvalidEvent("not_json", "not JSON at line 1")

    first, second = accepting().judge([error, sent(scan("COLLECTED", "11:00"))], SCANNER)

    assert (first.error, first.status) == (error, "invalid")
    assert second.status == "accepted"


@pytest.mark.parametrize(
    ("document", "verdict"),
    (
        (scan("COLLECTED", "10:00"), "duplicate"),
        (scan("COLLECTED", "09:30"), "repeated"),
        (scan("DELIVERED", "11:00"), "advanced"),
        (scan("WHAT", "11:00"), "unmapped"),
    ),
)
def test_a_check_says_what_the_event_would_be(document: dict[str, Any], verdict: str) -> None:
    use_case = accepting()
    (judged,) = use_case.judge([sent(document)], SCANNER)
    assert judged.inbound is not None

    (concerned,) = use_case.concerned(UNBOUND, judged.inbound)

    assert (concerned.return_id, concerned.verdict) == ("R-1001", verdict)


@pytest.mark.parametrize(
    ("text", "name"),
    (("NZ Post (feed)", "nz-post-feed"), ("", ""), ("--", ""), ("a" * 50, "a" * 40), ("Ärger", "rger")),
)
def test_a_publishers_name_is_made_of_small_letters_digits_and_dashes(text: str, name: str) -> None:
    assert publisher_name(text) == name
