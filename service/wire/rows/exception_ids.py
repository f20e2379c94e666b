"""What exceptions are called, on their topic and over HTTP."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from service.domain.milestones import Reason

_OF_RETURN: Final = re.compile(r"return/([A-Za-z0-9][A-Za-z0-9._-]{2,63})/([a-z_]{1,64})")
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
