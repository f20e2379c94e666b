"""What is kept of states and entries that are rare: of earlier rules, and of subscribers who held something else."""

from __future__ import annotations

from dataclasses import replace

from pydantic_core import from_json

from service.domain.events import Event, Published, Sense
from service.domain.evidence import Sighting
from service.domain.journey import NEW, record, replay
from service.domain.milestones import Milestone, Reason
from service.domain.rules import EARLIEST, VERSION
from service.wire.stored import decode_state, encode_moves, encode_state
from tests.unit.domain.histories import ACME, in_order, play, story
from tests.unit.wire.test_stored import changes_stored_and_read, moves_stored_and_read, stored_and_read


def test_what_a_row_settled_is_read_as_it_was_stored_and_to_move_nothing_is_to_say_nothing() -> None:
    _, exported, processed = (step.entry for step in play(in_order(story("RC@1 RE@6 RP@4"))).steps)

    assert encode_moves(exported) is None
    assert moves_stored_and_read(processed) == ((), (Reason.AWAITING_PROCESSED,))
    ahead = replace(exported, raised=(Reason.CLOCK_AHEAD,))
    assert moves_stored_and_read(ahead) == ((Reason.CLOCK_AHEAD,), ())


def test_a_change_after_which_nothing_counts_is_read_as_it_was_stored() -> None:
    """Subscribers hold one step, and it is another one that counts."""
    held = Published(5, {Milestone.RP: (4, "s", None)}, ACME, None)

    entry = record(replay(story("RC@1")), Event("ops", "r", 9, Sense.RECONCILES, published=held))

    assert entry is not None
    assert [change.status for change in entry.changes] == [None, Milestone.RC]
    assert changes_stored_and_read(entry) == entry.changes


def test_a_state_is_read_from_its_text_as_from_what_is_parsed_of_it() -> None:
    state = replay(story("RC@1 RP@4 RE@6"))

    assert decode_state(encode_state(state).decode(), state.seq, state.version, state.seen) == state


def test_a_state_is_of_the_rules_that_it_names_or_of_the_earliest() -> None:
    state = replay(story("RC@1"))

    for rules in (EARLIEST, VERSION, 4711):
        assert stored_and_read(replace(state, rules=rules)).rules == rules
    assert b'"r"' not in encode_state(replace(state, rules=EARLIEST))


def test_a_state_of_the_first_rules_has_the_delivery_of_its_connote_and_of_no_other() -> None:
    state = replay(story("RC@1 RP@4 RE@6/CN-A"))
    delivered = {name: [at, "s", f"delivered {name}", None] for name, at in (("CN-A", 8), ("CN-B", 7))}

    read = decode_state(from_json(encode_state(state)) | {"d": delivered}, state.seq, state.version, state.seen)

    assert read.evidence.earliest == {
        **state.evidence.earliest,
        Milestone.RDBTC: Sighting(8, "s", "delivered CN-A", None),
    }
    assert read.timeline.status is Milestone.RDBTC


def test_what_a_state_has_not_takes_no_room() -> None:
    assert from_json(encode_state(NEW)).keys() == {"m", "a", "r"}
