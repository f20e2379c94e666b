"""The names of the topics, and how they are made."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from service.settings.servers import ServerSettings

_TOPIC: Final = r"^[A-Za-z0-9._-]{1,249}$"


class TopicSettings(ServerSettings):
    """Inputs and outputs."""

    topic_returns: str = Field(
        default="omnireturns.returns", pattern=_TOPIC, description="Input: creations of returns, keyed by return_id."
    )
    topic_scans: str = Field(
        default="first-mile.scans",
        pattern=_TOPIC,
        description="Input: carrier scans, keyed by carrier/tracking_number.",
    )
    topic_hub_events: str = Field(
        default="omnirps.hub-events", pattern=_TOPIC, description="Input: hub events and voids, keyed by return_id."
    )
    topic_deliveries: str = Field(
        default="final-mile.deliveries", pattern=_TOPIC, description="Input: deliveries of connotes, keyed by connote."
    )
    topic_status_changes: str = Field(
        default="returns.status-changes", pattern=_TOPIC, description="Output: one message per milestone that moved."
    )
    topic_current_status: str = Field(
        default="returns.current-status", pattern=_TOPIC, description="Output, compacted: the latest of every return."
    )
    topic_exceptions: str = Field(
        default="returns.exceptions", pattern=_TOPIC, description="Output: events held, refused or unmapped, and why."
    )
    topic_dead_letters: str = Field(
        default="returns.dead-letters", pattern=_TOPIC, description="Output: messages that are no events, as they came."
    )
    topic_partitions: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Partitions of a topic that `topics` creates; raised, never lowered, outputs only while empty.",
    )
    topic_replication_factor: int = Field(
        default=-1, ge=-1, le=15, description="Copies of a topic that `topics` creates; -1: the brokers' default."
    )

    @property
    def input_topics(self) -> tuple[str, str, str, str]:
        """The topics that ingestion consumes."""
        return (self.topic_returns, self.topic_scans, self.topic_hub_events, self.topic_deliveries)

    @property
    def output_topics(self) -> tuple[str, str, str, str]:
        """The topics that the relay publishes to."""
        return (self.topic_status_changes, self.topic_current_status, self.topic_exceptions, self.topic_dead_letters)
