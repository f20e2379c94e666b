"""Errors, named by what the caller must do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

# Why something is done again: which server, and what it is about it. A closed set, for it is a metric's label.
Cause = Literal[
    "database",
    "read_only",
    "connections",
    "disk",
    "deadlock",
    "lock",
    "timeout",
    "kafka",
    "pending",
    "fenced",
    "stopping",
]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)


class ServiceError(Exception):
    """Base of every error this service raises on purpose; its text is safe to log."""


class InvalidEvent(ServiceError):
    """The message itself is wrong: keep it as a dead letter and go on with the next.

    `reason` is a stable machine word, `detail` a sentence that names the field and never echoes its value. `faults` is
    everything that is wrong, not only the first: where it is, and what was expected there. `source` is the event's, where
    it can be read.
    """

    source: str | None = None

    def __init__(self, reason: str, detail: str, faults: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        where, colon, what = detail.partition(": ")
        self.faults = tuple(faults) or (((where, what) if colon else ("", detail)),)


class Retryable(ServiceError):
    """A server is away or overloaded: keep what you hold, wait, and do the same again."""

    def __init__(self, text: str = "", *, cause: Cause = "database") -> None:
        super().__init__(text)
        self.cause: Cause = cause


class ReadOnly(Retryable):
    """The server takes no writes: nothing was done. Connect again, to one that does, and do the same again."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text, cause="read_only")


class BrokenSource(ServiceError):
    """Kafka is away, or the consumer is not to be trusted any more: close it and make a new one."""


class ChangedTopics(BrokenSource):
    """A topic was deleted and made anew under its name: what was read of it is of another topic, and so is the place."""


class Conflict(ServiceError):
    """Another worker was first: forget what you knew, read it again and decide anew."""


class LostPartition(Conflict):
    """The stored offset is not the one this worker left: the partition has another owner now."""


class RejectedValue(ServiceError):
    """PostgreSQL refused a value that validation let through: find the record and keep it as a dead letter."""


class Fatal(ServiceError):
    """Neither waiting nor skipping helps: stop, so that the supervisor and a person see it."""


class Refused(Fatal):
    """What was remembered belongs to something else: do nothing until a person has set it right with a command."""


class SettingsError(ServiceError):
    """A setting is missing or wrong: say which, and exit with status 2."""
