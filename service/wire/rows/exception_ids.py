"""What exceptions are called, on their topic and over HTTP."""

from __future__ import annotations

import re
from enum import StrEnum, unique
from typing import Final, NamedTuple

from service.domain.milestones import Reason

_NUMBER: Final = "[A-Za-z0-9][A-Za-z0-9._-]{2,63}"
_OF_RETURN: Final = re.compile(rf"return/({_NUMBER})/([a-z_]{{1,64}})")
_REASONS: Final = frozenset(reason.value for reason in Reason)


class NamedException(NamedTuple):
    """The return and the reason of an exception."""

    return_id: str
    reason: Reason


def exception_id(return_id: str, reason: str) -> str:
    """The id of an exception of a return.

    >>> exception_id("R-1001", "awaiting_processed")
    'return/R-1001/awaiting_processed'
    """
    return f"return/{return_id}/{reason}"


def named_by(text: str) -> NamedException | None:
    """The exception of a return that has this id; None for what is none.

    >>> named_by("return/R-1001/awaiting_processed")
    NamedException(return_id='R-1001', reason=<Reason.AWAITING_PROCESSED: 'awaiting_processed'>)
    >>> named_by("return/R-1001/no_such_reason")
    """
    match = _OF_RETURN.fullmatch(text)
    return NamedException(match[1], Reason(match[2])) if match and match[2] in _REASONS else None


def subject_of(told: str) -> str:
    """What the exception of this id is about, which is the key of its messages.

    >>> subject_of("label/generic/GX-1/parked"), subject_of("return/R-1001/awaiting_processed")
    ('generic/GX-1', 'R-1001')
    """
    return told.partition("/")[2].rpartition("/")[0]


@unique
class Waits(StrEnum):
    """What it is that waits and is no return's: events of a return that is not known, scans of a label that is not, or the
    deliveries of a connote without members.
    """

    RETURN = "return"
    LABEL = "label"
    CONNOTE = "connote"


_OF_WAITING: Final = {
    Waits.RETURN: re.compile(rf"return/({_NUMBER})/parked"),
    Waits.LABEL: re.compile(rf"label/([a-z0-9][a-z0-9_-]{{0,39}}/{_NUMBER})/parked"),
    Waits.CONNOTE: re.compile(rf"connote/({_NUMBER})/without_members"),
}


class NamedWait(NamedTuple):
    """What waits, by its name: a return_id, a carrier and number with a slash between, or a connote."""

    kind: Waits
    subject: str

    @property
    def reason(self) -> str:
        """The last part of the id."""
        return "without_members" if self.kind is Waits.CONNOTE else "parked"


def waiting_id(named: NamedWait) -> str:
    """The id of the exception.

    >>> waiting_id(NamedWait(Waits.LABEL, "generic/GX-1"))
    'label/generic/GX-1/parked'
    """
    return f"{named.kind.value}/{named.subject}/{named.reason}"


def waiting_named_by(text: str) -> NamedWait | None:
    """What waits under this id; None for what is none.

    >>> waiting_named_by("connote/CN-4711/without_members")
    NamedWait(kind=<Waits.CONNOTE: 'connote'>, subject='CN-4711')
    >>> waiting_named_by("return/R-1001/awaiting_processed")
    """
    for kind, pattern in _OF_WAITING.items():
        if match := pattern.fullmatch(text):
            return NamedWait(kind, match[1])
    return None
