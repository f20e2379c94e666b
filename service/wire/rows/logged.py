"""The journal's rows as a reader of the log gets them: what somebody is told of is made from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from service.domain.changes import Change
from service.domain.exceptional import CIRCUMSTANCES, HELD_REASONS, is_exceptional
from service.domain.journey import State
from service.domain.milestones import Milestone, Reason, Verdict
from service.wire.models import CARRIER_SCANNED, CONNOTE_DELIVERED, HUB_EXPORTED, RETURN_CREATED
from service.wire.stored import TYPES, decode_changes, decode_moves, decode_state, from_micros


class Named(NamedTuple):
    """What an exceptional event is filed under: its label, a (carrier, tracking number) pair, and its connote."""

    carrier: str
    tracking_number: str
    connote: str | None


class Given(NamedTuple):
    """An exception that begins: its reason, and the event that it is filed under, which need not be its row's.

    `number` tells it from the other exceptions of its return.
    """

    number: int
    reason: Reason
    verdict: str
    milestone: str | None
    code: str | None
    type: str
    source: str
    id: str
    occurred_at: datetime


class LogRow(NamedTuple):
    """A row of the history with its return's id. `data` is set where somebody must be told what the event said.

    `exceptions` are the reasons that it raised and settled for its return, its event's own aside.
    `n` is the number of the row's batch: rows are read in the order of (`n`, `return_no`, `seq`). `version` and `state`
    are those after the row, `changes` is None where it changed nothing.
    """

    n: int
    return_no: int
    seq: int
    return_id: str
    recorded_at: datetime
    source: str
    id: str
    type: str
    occurred_at: datetime
    milestone: str | None
    code: str | None
    verdict: str
    reason: str | None
    changes: Sequence[Sequence[Any]] | None
    version: int
    state: Mapping[str, Any]
    topic: str
    partition: int
    offset: int
    exceptions: Sequence[str] | None = None
    data: Mapping[str, Any] | None = None

    def state_after(self) -> State:
        """The return's state once this row is applied, but for the keys of the events seen."""
        return decode_state(dict(self.state), self.seq, self.version, b"")

    def changes_given(self, state: State) -> list[Change]:
        """What the row changed; `state` is the one after it."""
        return decode_changes(self.changes, state, (self.source, self.id)) if self.changes else []

    def given(self, state: State) -> list[Given]:
        """The exceptions that begin with the row: its event's own, and those that it raised for what was there before."""
        begun = list[Given]()
        if self.reason is not None and is_exceptional(self.verdict, self.reason):
            begun.append(self._given(self.seq, Reason(self.reason), self.verdict))
        for place, reason in enumerate(self.raised):
            number = -(self.seq * len(Reason) + place)  # nothing else is below zero
            denied = [m for m, why in state.timeline.denied.items() if why is reason]
            if denied:  # not what came now, but what it denies
                begun.append(_of_sighting(number, reason, denied[-1], state))
            else:
                begun.append(self._given(number, reason, _verdict(reason, self.verdict)))
        return begun

    def ended(self, reason: Reason) -> Given:
        """An exception that ends with the row."""
        return self._given(self.seq, reason, _verdict(reason, self.verdict))

    def _given(self, number: int, reason: Reason, verdict: str) -> Given:
        named = self.type, self.source, self.id, self.occurred_at
        return Given(number, reason, verdict, self.milestone, self.code, *named)

    @property
    def raised(self) -> list[Reason]:
        """The reasons that the return has since this row, its event's own aside."""
        return decode_moves(self.exceptions)[0]

    @property
    def settled(self) -> list[Reason]:
        """The reasons that nothing gives any more."""
        return decode_moves(self.exceptions)[1]

    def named(self, state: State) -> Named:
        """The label and the connote that the event itself named, which need not be what counts; else its return's.

        `state` is the one after the row. Raises ValueError for a return whose creation is not known.
        """
        attributes = state.evidence.attributes
        if attributes is None:
            raise ValueError("a row names what its return is known by, and the return is not known")
        # Other types may carry members of these names.
        said = self.data or {}
        labelled = said if self.type in (RETURN_CREATED, CARRIER_SCANNED) else {}
        consigned = said if self.type in (HUB_EXPORTED, CONNOTE_DELIVERED) else {}
        return Named(
            labelled.get("carrier", attributes.carrier),
            labelled.get("tracking_number", attributes.tracking_number),
            consigned.get("connote", state.evidence.connote),
        )


def _of_sighting(number: int, reason: Reason, milestone: Milestone, state: State) -> Given:
    sighting = state.evidence.earliest[milestone]
    named = TYPES[milestone], sighting.source, sighting.id, from_micros(sighting.at)
    return Given(number, reason, _verdict(reason, ""), milestone.value, None, *named)


def _verdict(reason: Reason, of_row: str) -> str:
    """What was found of the events that give the reason; where they count, what was found of the row's own."""
    if reason in CIRCUMSTANCES:
        return Verdict.REPEATED.value if of_row == Verdict.INFORMATIONAL else of_row
    return (Verdict.HELD if reason in HELD_REASONS else Verdict.REFUSED).value
