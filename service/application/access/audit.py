"""The audit log of the desk, the API and the tokens: who did what to what, and when. Nothing in it is ever changed.

An entry is written before the action: there may be an entry whose action then failed, and never an action without an entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum, unique
from typing import NamedTuple, Protocol

from service.application.access.bounds import Everything
from service.application.access.callers import Who


@unique
class Action(StrEnum):
    """What is noted. Words are added, never renamed."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    HISTORY = "history"  # the full history of a return was opened
    LETTER = "letter"  # a dead letter was opened
    REPLAY = "replay"  # a dead letter was sent through again
    VOID = "void"  # an event was declared a mistake
    ACKNOWLEDGE = "acknowledge"  # somebody said that they have seen an exception
    EXPORT = "export"  # a list was taken away as a file
    CREATE = "create"  # a return was created by way of the API
    SEND = "send"  # events were sent by way of the API
    FEED = "feed"  # a carrier's payload was sent with a token
    TOKEN_CREATED = "token_created"  # noqa: S105 - the name of an action
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - likewise


@unique
class Key(StrEnum):
    """What an entry may say besides: names and numbers, nothing that publishers wrote."""

    CLIENT = "client"  # the network address that a login came from
    EVENT = "event"  # the seq of an event in its return's history
    VOID_ID = "void_id"  # the id of the event that voids
    REASON = "reason"  # of the exception of a return
    LIST = "list"  # which list was exported
    ROWS = "rows"
    EVENTS = "events"  # how many were sent
    FEED = "feed"  # the name of the feed
    CHANGED = "changed"  # which members of a dead letter were corrected
    BY = "by"  # who says that they did it, where the caller may be anybody


class AuditEntry(NamedTuple):
    """One thing that somebody did."""

    audit_no: int
    at: datetime
    token_no: int | None
    label: str
    action: str
    subject: str | None
    detail: Mapping[str, str | int]


class Audit(Protocol):
    """Keeps the log. Every method may raise Retryable."""

    def note(
        self, who: Who, action: Action, subject: str | None = None, detail: Mapping[Key, str | int] | None = None
    ) -> None:
        """Add an entry, before the action: `who` does it, `subject` is what it is done to (a return_id, the number of a
        letter, or nothing), `detail` what else may be said.

        >>> audit.note(agent.who, Action.VOID, "R-1001", {Key.EVENT: 3, Key.VOID_ID: mistake.void_id})
        """

    def entries(self, _: Everything, subject: str | None, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """Up to `limit` entries, the newest first, of one subject or of all (None); `before` is the `audit_no` of the last
        one of the page before, None: from the newest.
        """
