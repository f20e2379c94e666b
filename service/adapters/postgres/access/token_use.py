"""Keeps when tokens were used last, on the web process's pool of connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from service.adapters.postgres.access.tokens import note_use
from service.adapters.postgres.commands.writing import writing
from service.adapters.postgres.reading.returns import Pool


def token_use(pool: Pool) -> Callable[[Mapping[int, datetime]], None]:
    """What keeps them, for `service.runtime.token_use.TokenUse`."""

    def note(used: Mapping[int, datetime]) -> None:
        with writing(pool) as connection:
            note_use(connection, used)

    return note
