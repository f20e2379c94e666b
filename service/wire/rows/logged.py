"""The journal's rows as a reader of the log gets them: what somebody is told of is made from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from service.domain.journey import Change, State
from service.wire.models import CARRIER_SCANNED, CONNOTE_DELIVERED, HUB_EXPORTED, RETURN_CREATED
from service.wire.stored import decode_changes, decode_state


class Named(NamedTuple):
    """What an exceptional event is filed under: its label, a (carrier, tracking number) pair, and its connote."""

    carrier: str
    tracking_number: str
    connote: str | None


class LogRow(NamedTuple):
    """A row of the history with its return's id. `data` is set where somebody must be told what the event said.

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
    data: Mapping[str, Any] | None = None

    def state_after(self) -> State:
        """The return's state once this row is applied, but for the keys of the events seen."""
        return decode_state(dict(self.state), self.seq, self.version, b"")

    def changes_given(self, state: State) -> list[Change]:
        """What the row changed; `state` is the one after it."""
        return decode_changes(self.changes, state, (self.source, self.id)) if self.changes else []

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
