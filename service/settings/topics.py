"""The names of the topics, and how they are made."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from service.errors import SettingsError
from service.settings.environment import PREFIX
from service.settings.servers import ServerSettings
from service.topic_names import NAME, is_prefix, several

_TOPIC: Final = rf"^{NAME}$"
INPUTS: Final = ("topic_returns", "topic_scans", "topic_hub_events", "topic_deliveries")
Inputs = Annotated[str, AfterValidator(several)]


class TopicSettings(ServerSettings):
    """Inputs and outputs."""

    topic_returns: Inputs = Field(
        default="omnireturns.returns",
        description="Input: creations of returns, keyed by return_id. This, as all inputs: several topics, separated by "
        "commas, and prefixes that end in *; what the service sends itself goes to the first that is no prefix.",
    )
    topic_scans: Inputs = Field(
        default="first-mile.scans", description="Input: carrier scans, keyed by carrier/tracking_number."
    )
    topic_hub_events: Inputs = Field(
        default="omnirps.hub-events", description="Input: hub events and voids, keyed by return_id."
    )
    topic_deliveries: Inputs = Field(
        default="final-mile.deliveries", description="Input: deliveries of connotes, keyed by connote."
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
    def inputs(self) -> tuple[str, ...]:
        """What ingestion consumes: names of topics, and prefixes of names."""
        return tuple(entry for setting in INPUTS for entry in self.entries(setting))

    @property
    def input_topics(self) -> tuple[str, ...]:
        """Those of `inputs` that are names."""
        return tuple(entry for entry in self.inputs if not is_prefix(entry))

    def entries(self, setting: str) -> tuple[str, ...]:
        """The names and prefixes that a setting of inputs has."""
        return tuple(getattr(self, setting).split(","))

    def sent_to(self, setting: str) -> str:
        """The topic that the service itself sends to. Raises SettingsError where there are only prefixes."""
        for entry in self.entries(setting):
            if not is_prefix(entry):
                return entry
        raise SettingsError(f"{PREFIX}{setting.upper()}: name a topic before the prefix: events are sent to it")

    @property
    def output_topics(self) -> tuple[str, str, str, str]:
        """The topics that the relay publishes to."""
        return (self.topic_status_changes, self.topic_current_status, self.topic_exceptions, self.topic_dead_letters)
