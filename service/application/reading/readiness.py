"""Whether what reads can read: a question of its own, that never fails."""

from __future__ import annotations

from typing import Protocol


class ReadinessCheck(Protocol):
    """Asked by whoever decides where requests go."""

    def problems(self) -> list[str]:
        """Why nothing can be answered now, in sentences for people; nothing if it can. Never raises.

        Answers within some seconds, whatever becomes of the server.
        """
