"""A row of the log: what it changed, and by which label and connote its event is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic_core import from_json

from service.domain.events import Event
from service.domain.journey import NEW, record, replay
from service.domain.milestones import Reason, Verdict
from service.domain.whole import Whole
from service.wire import models
from service.wire.rows.logged import Given, LogRow, Named
from service.wire.stored import encode_changes, encode_moves, encode_state
from tests.unit.domain.histories import happened, story, void

AT = datetime(2026, 11, 25, tzinfo=UTC)


def row(words: str, type_: str = models.HUB_EXPORTED, data: dict[str, Any] | None = None, *more: Event) -> LogRow:
    """The last row of a history, of these words and what comes behind them."""
    past = [*story(words), *more]
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


def of_sighting(number: int, reason: Reason, verdict: str, milestone: str, type_: str, at: int) -> Given:
    """What is filed under an event that was there before: the first of its milestone, so many microseconds after 1970."""
    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    return Given(number, reason, verdict, milestone, None, type_, "s", f"{milestone}@{at}", since)


def test_an_exception_of_the_event_itself_has_its_verdict_and_the_number_of_its_row() -> None:
    held = row("RC@1 RE@6")

    assert held.given(held.state_after()) == [
        Given(2, Reason.AWAITING_PROCESSED, "held", "RE", None, models.HUB_EXPORTED, "s", "RE@6", AT)
    ]


def test_what_a_row_denies_is_filed_under_the_events_that_are_denied_each_by_a_number_of_its_own() -> None:
    voided = row("RC@1 RP@4 RE@6 RDBTC@9", models.EVENT_VOIDED, None, void(("s", "RP@4")))
    rejected = row("RC@1 RP@4 RE@6 RR@5", models.HUB_REJECTED)

    assert voided.given(voided.state_after()) == [
        of_sighting(-5 * len(Reason), Reason.AWAITING_PROCESSED, "held", "RE", models.HUB_EXPORTED, 6),
        of_sighting(-5 * len(Reason) - 1, Reason.AWAITING_EXPORTED, "held", "RDBTC", models.CONNOTE_DELIVERED, 9),
    ]
    assert rejected.given(rejected.state_after()) == [
        of_sighting(-4 * len(Reason), Reason.ALREADY_REJECTED, "refused", "RE", models.HUB_EXPORTED, 6)
    ]


@pytest.mark.parametrize(
    ("words", "verdict", "reason"),
    (
        ("RC@1 RP@4 RE@6 RE@5/CN-B", "repeated", Reason.OTHER_CONNOTE),
        ("RC@1 RT@9 RDTPF@5", "advanced", Reason.RETURNING_AFTER_DELIVERED),
        ("RC@1 RDTPF@5 RT@9", "backfilled", Reason.RETURNING_AFTER_DELIVERED),
    ),
)
def test_a_circumstance_is_filed_under_the_event_that_made_it_with_the_verdict_of_that(
    words: str, verdict: str, reason: Reason
) -> None:
    last = row(words)

    (given,) = last.given(last.state_after())

    assert (given.reason, given.verdict, given.id) == (reason, verdict, last.id)
    assert given.number < 0


@pytest.mark.parametrize(
    ("verdict", "reason", "begins"),
    (
        (Verdict.REFUSED, Reason.VOIDED, False),
        (Verdict.REFUSED, Reason.ALREADY_EXPORTED, True),
        (Verdict.ADVANCED, Reason.TRACKING_NUMBER_IN_USE, True),
        (Verdict.INFORMATIONAL, Reason.LABEL_CLAIMED, False),
    ),
)
def test_not_every_reason_of_a_row_is_an_exception(verdict: Verdict, reason: Reason, *, begins: bool) -> None:
    last = row("RC@1 RT@2")._replace(verdict=verdict, reason=reason)

    assert [given.reason for given in last.given(last.state_after())] == [reason] * begins


def test_what_ends_is_told_under_the_event_that_ends_it() -> None:
    processed = row("RC@1 RE@6 RP@4", models.HUB_PROCESSED)
    again = row("RC@1 RP@4 RE@6 RE@5/CN-B")
    of_event = "RP", None, models.HUB_PROCESSED, "s", "RP@4", AT

    assert processed.settled == [Reason.AWAITING_PROCESSED]
    assert processed.ended(Reason.AWAITING_PROCESSED) == Given(3, Reason.AWAITING_PROCESSED, "held", *of_event)
    assert processed.ended(Reason.ALREADY_REJECTED).verdict == "refused"
    assert again.ended(Reason.OTHER_CONNOTE).verdict == "repeated"
