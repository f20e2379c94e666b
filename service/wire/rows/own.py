"""The rows that the service itself writes into histories: nobody publishes such events, and nobody can void one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.domain.events import Words
from service.wire.models import CARRIER_SCANNED
from service.wire.rows.claimed import LABEL_CLAIMED
from service.wire.rows.reassessed import REASSESSED
from service.wire.rows.reconciled import RECONCILED
from service.wire.rows.unheard import UNHEARD

OWN_TYPES: Final = frozenset({LABEL_CLAIMED, REASSESSED, RECONCILED, UNHEARD})


def words_of(event_type: str, data: Mapping[str, Any], said: bytes) -> Words:
    """What an event says; `said` is its data as JSON with sorted members."""
    is_timed = event_type != UNHEARD and not (event_type == CARRIER_SCANNED and data.get("local_time"))
    return Words(event_type, said, is_timed)
