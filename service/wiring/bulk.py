"""The composition of `create`: a file of returns, and what creates them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.adapters.kafka.publishing.producing import Publishing
from service.adapters.postgres.commands.creations import PostgresCreations
from service.adapters.postgres.reading.returns import open_pool
from service.application.access.bounds import UNBOUND
from service.application.commands.bulk import Bulk
from service.application.commands.creation import Creating
from service.wire.cloudevents import STRUCTURED_HEADERS
from service.wiring.parts import carrier_tables, number_ranges, parser

if TYPE_CHECKING:
    from service.config import Settings

_CONNECTIONS = 8


@contextmanager
def bulk(settings: Settings) -> Iterator[Bulk]:
    """What checks and creates; no server is asked before something is created. Raises SettingsError."""
    ranges = number_ranges(settings)
    topic, headers = settings.sent_to("topic_returns"), list(STRUCTURED_HEADERS)
    publishing = Publishing(settings, "returns-create")
    with open_pool(settings.database_url.get_secret_value(), _CONNECTIONS) as pool:
        try:
            yield Bulk(
                Creating(
                    PostgresCreations(pool, ranges),
                    parser(settings, carrier_tables(settings)),
                    topic,
                    lambda key, event: publishing.publish_now(topic, key.encode(), event, headers),
                    ranges=ranges,
                ),
                UNBOUND,
            )
        finally:
            publishing.close()
