"""Sessions of the operations desk: a person shows a token once, and a random id stands for it until the session ends."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Protocol

from service.application.access.callers import Caller, Who


class SessionLimits(NamedTuple):
    """How long a session lives without being used, and at most."""

    idle: timedelta
    longest: timedelta


class Sessions(Protocol):
    """Keeps sessions, each under an id that its caller made up at random. Every method may raise Retryable.

    >>> agent = sessions.open(token, session_id)  # and from then on, with the id in a cookie:
    >>> agent = sessions.find(session_id)
    """

    def open(self, token: str, session_id: str) -> Caller | None:
        """Begin a session with a token that carries the scope `ops`; None, and no session, for any other token."""

    def find(self, session_id: str) -> Caller | None:
        """Whose session it is, with what the token allows now; None where it has ended: by itself, by logging out, or with
        its token. To be found keeps it from ending for want of use.
        """

    def end(self, session_id: str) -> None:
        """End the session, if there is one."""

    def whose(self, token: str) -> Who:
        """Whose token it is, whatever it allows."""
