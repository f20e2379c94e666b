"""A row of the log: what it changed, and by which label and connote its event is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import from_json

from service.domain.journey import NEW, record, replay
from service.domain.whole import Whole
from service.wire import models
from service.wire.rows.logged import LogRow, Named
from service.wire.stored import encode_changes, encode_moves, encode_state
from tests.unit.domain.histories import happened, story

AT = datetime(2026, 11, 25, tzinfo=UTC)


def row(words: str, type_: str = models.HUB_EXPORTED, data: dict[str, Any] | None = None) -> LogRow:
    """The last row of a history."""
    past = story(words)
    event = past[-1]
    entry = record(replay(past[:-1]), event, Whole(past))
    assert entry is not None
    changes, state = encode_changes(entry.changes), entry.state
    return LogRow(
        1, 1, state.seq, "R-1", AT, event.source, event.id, type_, AT, event.milestone, None, entry.verdict, entry.reason,
        None if changes is None else from_json(changes), state.version, from_json(encode_state(state)), "t", 0, 1,
        from_json(encode_moves(entry) or b"null"), data,
    )  # fmt: skip


def test_the_state_after_a_row_and_what_it_changed_are_read_from_it() -> None:
    last = row("RC@1 RT@2 RP@4")
    state = last.state_after()

    assert (state.seq, state.version, state.seen) == (3, 3, b"")
    (change,) = last.changes_given(state)
    assert (change.version, change.milestone, change.cause) == (3, "RP", ("s", "RP@4"))
    assert last._replace(changes=None).changes_given(state) == []


def test_what_no_longer_counts_was_revoked_by_the_event_of_the_row() -> None:
    last = row("RC@1 RP@4 RE@6 RR@5", models.HUB_REJECTED)

    revoked, reached = last.changes_given(last.state_after())

    assert (revoked.kind, revoked.milestone, revoked.cause) == ("revoked", "RE", ("s", "RR@5"))
    assert (reached.milestone, reached.cause) == ("RR", ("s", "RR@5"))


LABEL = {"carrier": "ups", "tracking_number": "1Z", "connote": "CN-X"}


@pytest.mark.parametrize(
    ("type_", "data", "named"),
    (
        (models.CARRIER_SCANNED, LABEL, ("ups", "1Z", "CN-A")),
        (models.RETURN_CREATED, LABEL, ("ups", "1Z", "CN-A")),
        (models.HUB_EXPORTED, LABEL, ("omniparcel", "OP1", "CN-X")),
        (models.CONNOTE_DELIVERED, LABEL, ("omniparcel", "OP1", "CN-X")),
        # Members of these names mean nothing in others.
        (models.HUB_PROCESSED, LABEL, ("omniparcel", "OP1", "CN-A")),
        (models.CARRIER_SCANNED, {}, ("omniparcel", "OP1", "CN-A")),
        (models.CARRIER_SCANNED, None, ("omniparcel", "OP1", "CN-A")),
    ),
)
def test_an_event_is_known_by_what_it_named_itself_and_else_by_what_its_return_is(
    type_: str, data: dict[str, Any] | None, named: tuple[str, str, str]
) -> None:
    last = row("RC@1 RP@4 RE@6", type_, data)

    assert last.named(last.state_after()) == Named(*named)


def test_a_return_that_is_not_known_names_nothing() -> None:
    entry = record(NEW, happened("RP", 4))
    assert entry is not None

    with pytest.raises(ValueError, match="the return is not known"):
        row("RC@1").named(entry.state)
