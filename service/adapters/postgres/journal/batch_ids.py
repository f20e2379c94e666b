"""What a batch is known by: an id that a dump carries and that never comes again, in this server or any other."""

from __future__ import annotations

import secrets
import time
from typing import Final

_EPOCH_MS: Final = 1_577_836_800_000  # 2020-01-01 UTC, in milliseconds since 1970
_RANDOM_BITS: Final = 22  # of 64; what is left counts milliseconds until 2159


def new_batch_id() -> int:
    """A positive number of 63 bits: milliseconds and chance.

    Ids grow with the time, so that the newest rows stand together in an index. No clock is trusted for more than that:
    should an id ever come by twice, `batches_batch_id_key` refuses the second batch.
    """
    return (time.time_ns() // 1_000_000 - _EPOCH_MS) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
