"""How a dead letter is read that is sent through again: fetched where it is thin, corrected where somebody says how."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.application.commands.resending import (
    LONGEST_PATH,
    MOST_CHANGES,
    Correcting,
    Correction,
    Fetching,
    changes_of,
    put,
)
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.judging.publishers import parse_publishers
from service.wire.record import Record, Unread
from tests.unit.wire.events import binary, envelope, record, with_data

PARSER = Parser(CarrierTables.load())
THIN = Record("t", 3, 17, 1_795_600_000_000, None, None, unread=Unread("wrong_type", "data: wrong", 17))


class Kafka:
    def __init__(self, *records: Record) -> None:
        self.records = {each.offset: each for each in records}

    def fetch(self, record: Record) -> Record | None:
        return self.records.get(record.offset)


class TestFetching:
    def test_reads_the_body_that_kafka_has(self) -> None:
        whole = record(envelope(models.HUB_REJECTED))

        found = Fetching(PARSER, Kafka(Record("t", 3, 17, THIN.timestamp, None, whole.value, whole.headers))).parse(
            THIN
        )

        assert found.type == models.HUB_REJECTED

    def test_asks_for_nothing_that_is_there(self) -> None:
        assert Fetching(PARSER, Kafka()).parse(record(envelope(models.HUB_REJECTED))).type == models.HUB_REJECTED

    def test_says_of_a_body_that_is_gone_what_was_wrong_and_that_it_is_gone_once(self) -> None:
        with pytest.raises(InvalidEvent) as caught:
            Fetching(PARSER, Kafka()).parse(THIN)

        first = caught.value
        assert (first.reason, first.detail) == (
            "wrong_type",
            "data: wrong; its body was not kept, and Kafka does not have it any more",
        )
        again = Record("t", 3, 17, 0, None, None, unread=Unread(first.reason, first.detail, 17))
        with pytest.raises(InvalidEvent) as caught:
            Fetching(PARSER, Kafka()).parse(again)
        assert caught.value.detail == first.detail


class TestCorrecting:
    @pytest.mark.parametrize("mode", (record, binary))
    def test_reads_the_event_as_it_is_with_the_changes(self, mode: Any) -> None:
        wrong = with_data(models.HUB_REJECTED, hub="AKL 1")
        changes = {"data.hub": "akl-1", "time": "2026-11-20T10:00:00+13:00"}

        found = Correcting(PARSER, changes).parse(mode(wrong))

        assert json.loads(found.data)["hub"] == "akl-1"
        assert json.loads(found.data)["reason"] == "not ours"
        assert (found.utc_offset, found.event.id) == (780, wrong["id"])

    def test_says_that_it_is_still_wrong_as_corrected(self) -> None:
        with pytest.raises(InvalidEvent) as caught:
            Correcting(PARSER, {"data.hub": "AKL 2"}).parse(record(with_data(models.HUB_REJECTED, hub="AKL 1")))

        assert (caught.value.reason, caught.value.detail[:22]) == ("bad_value", "as corrected: data.hub")

    def test_says_that_it_is_no_event_any_more_as_corrected(self) -> None:
        with pytest.raises(InvalidEvent) as caught:
            Correcting(PARSER, {"data_base64": "AA=="}).parse(record(envelope(models.HUB_REJECTED)))

        assert caught.value.reason == "unsupported_content_type"
        assert caught.value.detail.startswith("as corrected: data_base64: ")

    def test_cannot_mend_what_is_no_event_at_all(self) -> None:
        with pytest.raises(InvalidEvent, match="not_json: not JSON"):
            Correcting(PARSER, {"data.hub": "akl-1"}).parse(record(b"{"))

    def test_a_key_is_the_originals_and_binds_nothing_and_who_may_say_what_still_does(self) -> None:
        publishers = parse_publishers("[a]\ntopics = ['t']\nsources = ['/tests']\nhubs = ['akl-1']", "f")
        bound = Parser(CarrierTables.load(), publishers=publishers)
        other = record(with_data(models.HUB_REJECTED, return_id="R-1001"), topic="t")  # its key is another return's

        with pytest.raises(InvalidEvent, match="key_mismatch"):
            bound.parse(other)
        assert Correcting(bound, {"data.return_id": "R-1002"}).parse(other).subject == "R-1002"
        with pytest.raises(InvalidEvent, match=r"not_allowed: as corrected: data\.hub"):
            Correcting(bound, {"data.hub": "syd-1"}).parse(other)


class TestPut:
    @pytest.mark.parametrize(
        ("path", "expected"),
        (
            ("data.hub", {"data": {"hub": 7, "items": [{"sku": "S"}], "location": None}}),
            ("data.items[0].sku", {"data": {"items": [{"sku": 7}], "location": None}}),
            ("data.items[0]", {"data": {"items": [7], "location": None}}),
            ("data.location.code", {"data": {"items": [{"sku": "S"}], "location": {"code": 7}}}),
            ("ext", {"data": {"items": [{"sku": "S"}], "location": None}, "ext": 7}),
        ),
    )
    def test_puts_a_value_where_the_path_says(self, path: str, expected: dict[str, Any]) -> None:
        event: dict[str, Any] = {"data": {"items": [{"sku": "S"}], "location": None}}

        put(event, path, 7)

        assert event == expected

    @pytest.mark.parametrize("absent", ({}, {"location": None}, {"location": ""}))
    def test_makes_an_object_where_there_is_as_good_as_none(self, absent: dict[str, Any]) -> None:
        event = {"data": absent}

        put(event, "data.location.code", "AKL")

        assert event == {"data": {"location": {"code": "AKL"}}}

    @pytest.mark.parametrize(
        "path", ("data.items[1].sku", "data.items[1]", "data.items.sku", "data[0]", "id.x", "a[0].b")
    )
    def test_says_where_there_is_nothing_to_put_it_into(self, path: str) -> None:
        with pytest.raises(InvalidEvent, match="there is nothing that could have such a member"):
            put({"id": "1", "data": {"items": [{"sku": "S"}]}}, path, 7)


class TestChanges:
    def test_are_texts_or_json(self) -> None:
        given = [
            "data.hub=akl-1",
            "data.note=a=b:=c",
            "data.items[0].quantity:=2",
            "data.location:=null",
            "data.note2=",
        ]

        assert changes_of(given) == {
            "data.hub": "akl-1",
            "data.note": "a=b:=c",
            "data.items[0].quantity": 2,
            "data.location": None,
            "data.note2": "",
        }

    @pytest.mark.parametrize(
        "given", ("data.hub", "=x", ".hub=x", "data..hub=x", "data[x]=1", "data.hub:=akl", "a:=NaN", "x" * 300 + "=1")
    )
    def test_that_are_none_are_told(self, given: str) -> None:
        with pytest.raises(ValueError, match="expected"):
            changes_of([given])

    def test_may_be_so_many_with_paths_so_long(self) -> None:
        most = [f"data.m{n}=1" for n in range(MOST_CHANGES - 1)]
        longest = "x" * LONGEST_PATH

        assert changes_of([*most, f"{longest}=1"]) == {each.removesuffix("=1"): "1" for each in [*most, longest]}
        with pytest.raises(ValueError, match="PATH=VALUE or PATH:=JSON is expected"):
            changes_of([f"x{longest}=1"])

    def test_are_so_many_at_most(self) -> None:
        with pytest.raises(ValueError, match="50 members at most"):
            changes_of(f"data.m{n}=1" for n in range(MOST_CHANGES + 1))

    def test_are_noted_by_their_names_and_never_by_what_they_became(self) -> None:
        noted = Correction({"data.signed_by": "J. Doe", "time": "x"}, "A. Agent").noted()

        assert noted == {"changed": "data.signed_by, time", "by": "A. Agent"}
