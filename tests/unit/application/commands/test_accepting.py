"""Events that come over HTTP: judged as ingestion judges them, each in the name of its publisher alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.access.bounds import UNBOUND, Bounds
from service.application.commands.accepting import (
    MAY_SEND,
    Accepting,
    InputMessage,
    Judged,
    Sender,
    is_reserved,
    publisher_name,
    told,
)
from service.domain.journey import State, replay
from service.domain.labels import Windows
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.http_events import read_events
from service.wire.inbound import Parser, SubjectKind
from tests.support.journals import RP, VOID, creation, event, scan
from tests.unit.wire.events import record

PARSER = Parser(CarrierTables.load(), models.TYPES_BY_TOPIC_SETTING)
TOPICS = {event_type: setting for setting, types in models.TYPES_BY_TOPIC_SETTING.items() for event_type in types}
SCANNER = Sender("nzpost", {"scan"}, UNBOUND)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Returns:
    """One return, known by its creation and a scan."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    def windows(self, return_ids: Sequence[str]) -> dict[str, Windows]:
        raise NotImplementedError("no label is claimed by several returns")

    def states(self, bounds: Bounds, kind: SubjectKind, subject: str, limit: int) -> Sequence[tuple[str, State]]:
        self.limits.append(limit)
        assert bounds == UNBOUND
        known = [creation(), {**scan("COLLECTED", "10:00"), "source": "/nzpost/depot"}]
        state = replay([PARSER.parse(record(each)).event for each in known])
        names = {SubjectKind.LABEL: "generic/TR-1001", SubjectKind.RETURN: "R-1001", SubjectKind.CONNOTE: "C-1"}
        return [("R-1001", state)][:limit] if subject == names[kind] else []


def accepting(
    published: list[InputMessage] | None = None, returns: Returns | None = None, now: datetime = NOW
) -> Accepting:
    kept: list[InputMessage] = [] if published is None else published
    return Accepting(PARSER, TOPICS, kept.extend, returns or Returns(), lambda: now)


def sent(document: dict[str, Any], source: str = "/depot") -> dict[str, Any]:
    return {**document, "source": source}


@pytest.mark.parametrize("source", ("/depot", "depot", "/nzpost/depot"))
def test_a_source_is_below_its_publishers_name_once(source: str) -> None:
    (judged,) = accepting().judge([sent(scan("COLLECTED", "11:00"), source)], SCANNER)

    assert judged.source == source
    assert judged.message is not None
    assert json.loads(judged.message.value)["source"] == "/nzpost/depot"


@pytest.mark.parametrize(
    ("source", "published"),
    (
        ("//depot", "/nzpost/depot"),
        ("X/depot", "/nzpost/X/depot"),
        ("/other/depot", "/nzpost/other/depot"),
        ("/nzpost", "/nzpost/nzpost"),
        ("/nzposted/depot", "/nzpost/nzposted/depot"),
    ),
)
def test_a_source_keeps_its_own_name_below_its_publishers(source: str, published: str) -> None:
    (judged,) = accepting().judge([sent(scan("COLLECTED", "11:00"), source)], SCANNER)

    assert judged.inbound is not None
    assert judged.inbound.event.source == published


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
    ("text", "name"),
    (
        ("NZ Post (feed)", "nz-post-feed"),
        ("", ""),
        ("--", ""),
        ("a" * 50, "a" * 40),
        ("a" * 39 + " b", "a" * 39),
        ("(" + "a" * 40, "a" * 40),
        ("Ärger", "rger"),
    ),
)
def test_a_publishers_name_is_made_of_small_letters_digits_and_dashes(text: str, name: str) -> None:
    assert publisher_name(text) == name


@pytest.mark.parametrize(
    ("name", "is_so"),
    (
        ("omnireturns", True),
        ("returns-status", True),
        ("token-7", True),
        ("token-4711", True),
        ("nzpost", False),
        ("token-", False),
        ("token-7-feed", False),
        ("my-token-7", False),
    ),
)
def test_the_names_of_the_service_and_of_tokens_without_one_are_nobody_s_to_take(name: str, *, is_so: bool) -> None:
    assert is_reserved(name) is is_so


LABEL = "generic/TR-1001"


def test_what_is_accepted_goes_to_the_topic_of_its_type_under_what_it_is_about() -> None:
    published: list[InputMessage] = []

    (judged,) = accepting(published).accept([sent(scan("COLLECTED", "11:00"))], SCANNER)

    assert published == [judged.message]
    assert (published[0].topic, published[0].key) == ("topic_scans", LABEL.encode())
    assert judged.inbound is not None
    assert (judged.inbound.subject, judged.inbound.event.source) == (LABEL, "/nzpost/depot")
    (created,) = accepting(published).accept([sent(creation())], Sender("shop", {"create"}, UNBOUND))
    assert (published[1].topic, published[1].key) == ("topic_returns", b"R-1001")
    assert created.status == "accepted"


def test_what_is_wrong_is_published_nowhere_and_the_others_are() -> None:
    published: list[InputMessage] = []

    found = accepting(published).accept([{"id": 7}, sent(scan("COLLECTED", "11:00")), sent(scan("", "11:00"))], SCANNER)

    assert [each.status for each in found] == ["invalid", "accepted", "invalid"]
    assert len(published) == 1
    assert accepting(published).accept([{"id": 7}], SCANNER)[0].status == "invalid"
    assert len(published) == 1


def test_an_event_of_the_future_is_judged_by_the_clock() -> None:
    later = sent(scan("COLLECTED", "11:00")) | {"time": "2026-11-22T12:00:00.000001Z"}

    (judged,) = accepting().judge([later], SCANNER)

    assert judged.error is not None
    assert judged.error.reason == "time_out_of_range"
    assert accepting().judge([later | {"time": "2026-11-22T12:00:00Z"}], SCANNER)[0].error is None


def test_an_event_is_judged_as_of_the_millisecond_that_kafka_stamps() -> None:
    later = sent(scan("COLLECTED", "11:00")) | {"time": "2026-11-22T12:00:00.0005Z"}

    (judged,) = accepting(now=NOW.replace(microsecond=999)).judge([later], SCANNER)

    assert judged.error is not None
    assert judged.error.reason == "time_out_of_range"


def test_what_comes_in_nobody_s_name_is_judged_as_it_stands() -> None:
    said = sent(scan("COLLECTED", "11:00"))

    (judged,) = accepting().judge([said], SCANNER._replace(publisher=None))

    assert judged.message is not None
    assert json.loads(judged.message.value) == said


def test_a_description_that_nobody_can_read_is_told_and_costs_nothing_else() -> None:
    body = json.dumps(sent(scan("COLLECTED", "11:00", signed_by="A\ud83d", location={"country": "Oceania"}))).encode()

    (judged,) = accepting().judge(read_events("application/cloudevents+json", (), body), SCANNER)

    assert told(0, judged)["status"] == "accepted"
    assert told(0, judged)["not_understood"] == ["location.country", "signed_by"]


@pytest.mark.parametrize("source", ("", 7, None))
def test_a_source_that_is_none_is_no_ones_and_is_refused(source: object) -> None:
    event_ = sent(scan("COLLECTED", "11:00")) | {"source": source}

    (judged,) = accepting().judge([event_], SCANNER)

    assert judged.error is not None
    assert judged.error.faults[0][0] == "source"


def test_only_a_voids_data_names_the_source_of_another_event() -> None:
    with_source = scan("COLLECTED", "11:00", source="/other")
    void = sent(event(VOID, "v", "12:00")) | {"data": {"return_id": "R-1001", "source": "", "id": "x"}}

    (judged,) = accepting().judge([sent(with_source)], SCANNER)
    (wrong,) = accepting().judge([void], Sender("akl1", {"hub"}, UNBOUND))

    assert judged.message is not None
    assert json.loads(judged.message.value)["data"]["source"] == "/other"
    assert wrong.error is not None
    assert ("data.source", "string should have at least 1 character") in wrong.error.faults


@pytest.mark.parametrize(
    ("scopes", "is_allowed"),
    (({"scan"}, True), ({"hub"}, True), ({"hub", "read"}, True), ({"create"}, False), ((), False)),
)
def test_any_scope_that_allows_a_type_is_enough(scopes: set[str], is_allowed: bool) -> None:
    delivered = sent(event(models.CONNOTE_DELIVERED, "d", "11:00", connote="C-1"))

    (judged,) = accepting().judge([delivered], Sender("nzpost", scopes, UNBOUND))

    assert judged.error is None if is_allowed else judged.error is not None
    if judged.error is not None:
        assert judged.error.detail == "type: the token may not send it, it lacks the scope scan or hub"


def test_a_type_that_nobody_knows_is_refused_as_that_whatever_the_token() -> None:
    (judged,) = accepting().judge([sent(scan("X", "11:00")) | {"type": "x"}], Sender("nobody", (), UNBOUND))

    assert judged.error is not None
    assert judged.error.reason == "unknown_type"


def test_what_became_of_an_event_is_told_with_what_it_called_itself() -> None:
    good, bad = accepting().judge([sent(scan("COLLECTED", "11:00")), {"id": "i", "source": 7, "type": None}], SCANNER)

    assert told(0, good) == {
        "index": 0,
        "id": "R-1001-COLLECTED-11:00",
        "source": "/depot",
        "type": models.CARRIER_SCANNED,
        "status": "accepted",
        "reason": None,
        "faults": [],
        "not_understood": [],
    }
    assert told(7, bad) == {
        "index": 7,
        "id": "i",
        "source": None,
        "type": None,
        "status": "invalid",
        "reason": "not_cloudevent",
        "faults": [{"path": "", "detail": bad.error.detail if bad.error else ""}],
        "not_understood": [],
    }
    (described,) = accepting().judge(
        [sent(scan("COLLECTED", "11:00", location={"country": "Oceania"}, signed_by=7))], SCANNER
    )
    assert told(0, described)["not_understood"] == ["location.country", "signed_by"]
    unread = Judged(None, None, None, error=InvalidEvent("not_json", "x", [("a", "b"), ("c", "d")]))
    assert told(1, unread)["faults"] == [{"path": "a", "detail": "b"}, {"path": "c", "detail": "d"}]
