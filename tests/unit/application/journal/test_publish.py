"""A slice of the journal as messages: what goes where, in which order, and what goes in the place of what is too large."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import from_json

from service.application.journal.publish import Outgoing, OutputTopics, messages_of, of_letter
from service.application.journal.slices import Position, Slice
from service.domain.journey import NEW, record
from service.domain.whole import Whole
from service.wire import models
from service.wire.outbound import current_status, dead_letter, waiting
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow
from service.wire.rows.waits import WaitMove
from service.wire.stored import encode_changes, encode_moves, encode_state
from service.wire.stubs import LARGEST, stub_of
from tests.unit.domain.histories import story

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOPICS = OutputTopics("changes", "current", "exceptions", "dead")
LETTER = KeptLetter(12, "in", None, 3, 17, AT, b"k", b"{", 1, [["a", "eA=="]], "not_json", "not JSON", 1, AT)


def rows(return_no: int, words: str) -> list[LogRow]:
    """The rows of return R-number with these events."""
    state, found, whole = NEW, list[LogRow](), Whole()
    for event in story(words):
        whole.add(event)
        entry = record(state, event, whole)
        assert entry is not None
        state = entry.state
        changes = encode_changes(entry.changes)
        found.append(
            LogRow(
                state.seq, return_no, state.seq, f"R-{return_no}", AT.replace(second=state.seq), event.source, event.id,
                models.HUB_PROCESSED, AT, event.milestone, None, entry.verdict, entry.reason,
                None if changes is None else from_json(changes), state.version, from_json(encode_state(state)), "in", 0, 1,
                from_json(encode_moves(entry) or b"null"),
            )
        )  # fmt: skip
    return found


def piece(*found: LogRow, letters: tuple[KeptLetter, ...] = ()) -> list[Outgoing]:
    return messages_of(Slice(Position(9), found, letters), TOPICS)


def summary(outgoing: list[Outgoing]) -> list[tuple[str, Any]]:
    """Where each goes, and its id; of a dead letter its value."""
    return [
        (each.topic, each.message.value if each.topic == "dead" else from_json(each.message.value or b"")["id"])
        for each in outgoing
    ]


def test_changes_come_in_the_order_of_versions_and_the_newest_document_of_each_return_behind_them() -> None:
    first, second = rows(1, "RC@1 RT@2"), rows(2, "RC@1")

    assert summary(piece(first[0], second[0], first[1])) == [
        ("changes", "R-1/1"),
        ("changes", "R-2/1"),
        ("changes", "R-1/2"),
        ("current", "R-1/current/2"),
        ("current", "R-2/current/1"),
    ]


def test_the_document_is_that_of_the_last_row_and_says_when_that_was_recorded() -> None:
    created, moved = rows(1, "RC@1 RT@2")

    current = piece(created, moved)[-1]

    assert current == Outgoing("current", current_status("R-1", moved.state_after(), moved.recorded_at))
    assert from_json(current.message.value or b"")["time"] == "2026-11-25T12:00:02Z"


def test_the_document_says_where_the_return_is_followed_where_there_are_pages_for_it() -> None:
    (created,) = rows(1, "RC@1")

    outgoing = messages_of(Slice(Position(9), [created], ()), TOPICS, "https://returns.example")

    told = [from_json(each.message.value or b"")["data"]["tracking_url"] for each in outgoing]
    assert told == ["https://returns.example/track/R-1"] * 2


def test_what_is_held_is_told_and_its_return_as_well_though_nothing_moved() -> None:
    held = rows(1, "RC@1 RE@5")[1]

    outgoing = piece(held)

    assert summary(outgoing) == [("exceptions", "R-1/exception/2"), ("current", "R-1/current/2")]
    data = from_json(outgoing[0].message.value or b"")["data"]
    assert (data["reason"], data["connote"], data["carrier"]) == ("awaiting_processed", "CN-A", "omniparcel")
    assert from_json(outgoing[1].message.value or b"")["data"]["connote"] == "CN-A"


def test_what_waits_is_told_where_exceptions_are_behind_all_documents() -> None:
    (created,) = rows(1, "RC@1")
    event: dict[str, Any] = {"type": models.CARRIER_SCANNED, "source": "/s", "id": "1", "milestone": "RT", "code": "X"}
    event |= {"occurred_at": "2026-11-25T10:00:00Z", "origin": {"topic": "scans", "partition": 2, "offset": 7}}
    waits = [WaitMove(9, f"{n}", "label", f"generic/{n}", "open", AT, event, AT) for n in range(2)]

    outgoing = messages_of(Slice(Position(9), [created], [LETTER], waits), TOPICS)

    assert outgoing[2:4] == [Outgoing("exceptions", waiting(wait)) for wait in waits]
    assert [each.topic for each in outgoing] == ["changes", "current", "exceptions", "exceptions", "dead"]


def test_dead_letters_come_last_as_they_came_in() -> None:
    outgoing = piece(rows(1, "RC@1")[0], letters=(LETTER, LETTER._replace(value=b"[")))

    assert summary(outgoing)[1:] == [("current", "R-1/current/1"), ("dead", b"{"), ("dead", b"[")]
    assert outgoing[2].message == dead_letter(LETTER.record(), "not_json", "not JSON")
    assert [each.stub is None for each in outgoing] == [True, True, False, False]


@pytest.mark.parametrize("size", (0, 1, None))
def test_in_the_place_of_a_letter_that_a_topic_does_not_take_there_is_a_stub(size: int | None) -> None:
    letter = LETTER._replace(value=None if size is None else b"x" * size, size=size)

    outgoing = of_letter(letter, TOPICS)

    assert outgoing.topic == "dead"
    assert outgoing.stub is not None
    assert outgoing.stub(4096) == stub_of(letter.record(), "not_json", "not JSON", 12, size or 0, 4096)


def test_a_letter_that_is_larger_than_any_message_may_be_goes_out_as_a_stub_at_once() -> None:
    letter = LETTER._replace(value=None, size=9_000_000, key=b"k" * (LARGEST // 4))

    outgoing = of_letter(letter, TOPICS)

    assert outgoing.topic == "dead"
    assert outgoing.message == stub_of(letter.record(), "not_json", "not JSON", 12, 9_000_000, LARGEST)
    assert outgoing.message.key == letter.key
    assert outgoing.stub is not None
    assert outgoing.stub(4096).key is None
