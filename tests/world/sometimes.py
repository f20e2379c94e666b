"""What must happen in some history: a run that never sees one of these looks for less than it seems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SOMETIMES: Final = frozenset(
    {
        # collisions
        "a deadlock",
        "a label was claimed by another return",
        "a lock time-out",
        "a claim moved",
        "a return was decided anew",
        "a scan counted for some retailers only",
        "a scan went to another return too",
        "a window moved",
        "a window moved for some retailers only",
        "a transaction waited for another",
        "an offset had moved while a transaction waited for it",
        "another projector was at work",
        "another worker swept",
        "a letter was locked by another replay",
        "two workers appended to one return",
        "two workers created one return",
        # PostgreSQL
        "PostgreSQL refused a value",
        "a crash took an asynchronous commit",
        "a database that lost commits",
        "a session that idled in a transaction was ended",
        "an idle leader's session was ended",
        "out of connections",
        "read-only",
        # Kafka's inputs
        "a clock jumped",
        "a consumer noticed that a topic was made anew",
        "a consumer noticed that its log was cut",
        "a log was cut",
        "a member was put out of the group",
        "a rebalance",
        "a topic was made anew",
        "retention took records",
        # Kafka's outputs
        "a position was not to be read while a transaction was pending",
        "a relay stood by",
        "a relay was fenced",
        "a take-over aborted its predecessor's transaction",
        "a transaction timed out",
        "an EndTxn arrived late",
        "an EndTxn was refused",
        "a relay refused another past",
        # what became of events
        "a change was published",
        "a parked event was placed",
        "a consumer was out of range",
        "a scan was re-evaluated",
        "a return was exported again under its connote",
        "raised already_exported",
        "raised already_rejected",
        "raised events_after_closed",
        "raised other_connote",
        "raised id_reused",
        "raised creation_conflict",
        "raised clock_ahead",
        "settled creation_conflict",
        "a claim was void",
        "raised tracking_number_in_use",
        "raised returning_after_delivered",
        "settled awaiting_processed",
        "settled before_export",
        "settled returned_to_sender",
        "buried",
        "parked",
        "parked again",
        *(
            f"a change: {kind}"
            for kind in ("reached", "backfilled", "retimed", "revoked", "closed", "reopened", "detailed")
        ),
        *(
            f"verdict {verdict}"
            for verdict in ("advanced", "backfilled", "repeated", "informational", "held", "refused", "unmapped")
        ),
        *(
            f"reason {reason}"
            for reason in (
                "already_exported",
                "already_rejected",
                "awaiting_exported",
                "awaiting_processed",
                "not_voidable",
                "before_export",
                "returned_to_sender",
                "route_ends_at_first_mile",
                "before_label",
                "label_claimed",
                "unknown_code",
                "voided",
            )
        ),
    }
)


def missing(seen: Mapping[str, int]) -> frozenset[str]:
    """What has not happened."""
    return SOMETIMES - seen.keys()
