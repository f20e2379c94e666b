"""The rows that the service itself writes into histories: nobody publishes such events, and nobody can void one."""

from __future__ import annotations

from typing import Final

from service.wire.rows.claimed import LABEL_CLAIMED
from service.wire.rows.reassessed import REASSESSED
from service.wire.rows.reconciled import RECONCILED
from service.wire.rows.unheard import UNHEARD

OWN_TYPES: Final = frozenset({LABEL_CLAIMED, REASSESSED, RECONCILED, UNHEARD})
