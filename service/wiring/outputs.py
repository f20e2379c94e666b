"""What the relay, and whoever holds the output topics against the journal, need to know of them, from the settings."""

from __future__ import annotations

from service.adapters.kafka.publishing.standing import SinkOptions
from service.application.journal.publish import OutputTopics
from service.config import Settings


def output_topics(settings: Settings) -> OutputTopics:
    """The topics that the relay publishes to."""
    return OutputTopics(*settings.output_topics)


def sink_options(settings: Settings) -> SinkOptions:
    """Who the relay is to Kafka, and how long its transactions may take."""
    return SinkOptions(settings.relay_transactional_id, settings.relay_group_id, settings.relay_transaction_timeout_ms)
