"""Which recorded events a person should see, and what a held one waits for: decided here and nowhere else.

`reconcile.sql` and `queues.sql` say the same in SQL; tests hold them to it.
"""

from __future__ import annotations

from typing import Final

from service.domain.milestones import Reason, Verdict

EXCEPTIONAL_VERDICTS: Final[tuple[Verdict, ...]] = (Verdict.HELD, Verdict.REFUSED, Verdict.UNMAPPED)
"""An event with one of these does not count, whatever its reason is."""

EXCEPTIONAL_REASONS: Final[tuple[Reason, ...]] = (Reason.TRACKING_NUMBER_IN_USE,)
"""With one of these an event counts, and is to be looked at all the same."""

HELD_REASONS: Final[tuple[Reason, ...]] = (Reason.AWAITING_PROCESSED, Reason.AWAITING_EXPORTED)
"""What an event is held for: another one that is expected to come. Every other reason against one refuses it."""


def is_exceptional(verdict: str, reason: str | None) -> bool:
    """Whether an event with this verdict and reason is an exception: listed, published, counted in a queue.

    Takes the words as they are stored as well as members of `Verdict` and `Reason`, which are the same texts:

    >>> is_exceptional("held", "awaiting_processed")
    True
    >>> is_exceptional(Verdict.ADVANCED, Reason.TRACKING_NUMBER_IN_USE)
    True
    >>> is_exceptional("repeated", None)
    False
    """
    return verdict in EXCEPTIONAL_VERDICTS or reason in EXCEPTIONAL_REASONS
