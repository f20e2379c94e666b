"""A dead letter as it is kept, and the message that it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from service.wire.record import Record, Unread
from service.wire.rows.letters import KeptLetter, headers_of, headers_text

AT = datetime(2026, 11, 25, 12, 0, 0, 250_999, UTC)
TOPIC_ID = UUID("00000000-0000-0000-0000-00000000002a")
LETTER = KeptLetter(
    12, "topic", TOPIC_ID, 3, 17, AT, b"k", b"v", 1, [["a", "eA=="], ["b", None]], "not_json", "not JSON", 1, AT
)


def test_the_message_is_as_it_came_in_with_its_time_in_milliseconds() -> None:
    assert LETTER.record() == Record(
        "topic", 3, 17, 1_795_608_000_250, b"k", b"v", (("a", b"x"), ("b", None)), TOPIC_ID.bytes
    )
    assert LETTER._replace(topic_id=None).record().topic_id is None


@pytest.mark.parametrize(
    ("value", "size", "reason", "is_whole", "is_unread"),
    (
        (b"v", 1, "not_json", True, False),
        (b"", 0, "empty", True, False),
        (None, None, "empty", True, False),  # a tombstone is a tombstone again
        (None, 0, "empty", True, False),
        (None, None, "batch_too_large", True, True),  # it was never read, and is no tombstone
        (None, 9_000_000, "too_large", False, True),
    ),
)
def test_a_value_that_is_left_out_is_none_that_was_never_there(
    value: bytes | None, size: int | None, reason: str, is_whole: bool, is_unread: bool
) -> None:
    letter = LETTER._replace(value=value, size=size, reason=reason)

    assert letter.is_whole is is_whole
    assert letter.record().value == value
    assert letter.record().unread == (Unread(reason, "not JSON", 17) if is_unread else None)


def test_a_letter_is_resolved_from_some_time_on() -> None:
    assert not LETTER.is_resolved
    assert LETTER._replace(resolved_at=AT + timedelta(hours=1)).is_resolved


def test_headers_are_kept_byte_for_byte_in_their_order() -> None:
    headers = (("b", b"\xff\x00"), ("a", None), ("b", b""), ("é", b"x"))

    assert headers_text(headers) == '[["b","/wA="],["a",null],["b",""],["é","eA=="]]'
    assert headers_of([["b", "/wA="], ["a", None], ["b", ""], ["é", "eA=="]]) == headers
    assert headers_of([]) == ()
