"""Composition of `check`: the judgement of events without a way to send them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.adapters.postgres.commands.accepting import PostgresSubjects
from service.adapters.postgres.reading.returns import open_pool
from service.application.commands.accepting import Accepting, InputMessage
from service.wiring.parts import carrier_tables, parser, topics_by_type

if TYPE_CHECKING:
    from service.config import Settings


@contextmanager
def judging(settings: Settings) -> Iterator[Accepting]:
    """Judges events against the database of the settings. Raises Retryable."""

    def publish(_: Sequence[InputMessage]) -> None:
        raise NotImplementedError("events are only judged here")

    with open_pool(settings.database_url.get_secret_value(), 1) as pool:
        yield Accepting(
            parser(settings, carrier_tables(settings)), topics_by_type(settings), publish, PostgresSubjects(pool)
        )
