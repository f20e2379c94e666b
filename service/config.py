"""Settings: environment variables RETURNS_*, read once, at start. Those of servers and topics stand in `settings/`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import product
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from service.application.reading.listing import STUCK_HOURS
from service.domain.milestones import NAMES, Milestone
from service.domain.rules import DEFAULT
from service.errors import SettingsError
from service.settings.environment import FromEnvironment, secrets, unknown, variable
from service.settings.topics import TopicSettings
from service.topic_names import overlap

MAX_BATCH_BYTES: Final = (
    64 * 1024 * 1024
)  # a batch of 1 MiB that compresses 20 to 1, and what its records take as objects


def _stuck(status: Milestone) -> Any:
    return Field(
        default=STUCK_HOURS[status],
        gt=0,
        le=87_600,
        description=f"A return that stays at {NAMES[status]} ({status}) for longer is stuck; in hours.",
    )


class Settings(TopicSettings):
    """All settings of all processes; the default is what one machine with a local stack needs."""

    group_id: str = Field(default="returns-status", min_length=1, description="Consumer group of the ingest workers.")
    batch_size: int = Field(
        default=20_000,
        ge=1,
        le=50_000,
        description="Most records that one transaction takes in, by a worker that is behind.",
    )
    batch_wait_ms: int = Field(
        default=15,
        ge=0,
        le=10_000,
        description="Shortest time from one batch to the next of a worker that keeps up: it bounds how often one that has "
        "little to do commits. After a longer rest the first record waits for nothing.",
    )
    poll_timeout_ms: int = Field(
        default=200, ge=1, le=10_000, description="Longest that one poll of Kafka takes; bounds how fast a stop is."
    )
    max_poll_interval_ms: int = Field(
        default=300_000, ge=1000, description="A worker that does not poll for this long loses its partitions."
    )
    session_timeout_ms: int = Field(
        default=10_000, ge=1000, description="A worker that is not heard of for this long loses its partitions."
    )
    fetch_min_bytes: int = Field(
        default=1, ge=1, description="A fetch waits for this much, for at most fetch_max_wait_ms."
    )
    fetch_max_wait_ms: int = Field(default=50, ge=1, le=60_000, description="See fetch_min_bytes.")
    max_partition_fetch_bytes: int = Field(
        default=300_000, ge=300_000, description="Most that one fetch takes of one partition; two of each are kept."
    )
    max_batch_bytes: int = Field(
        default=MAX_BATCH_BYTES,
        ge=1024 * 1024,
        le=1024**3,
        description="Most memory that one batch of a producer may take once it is unpacked; a larger one becomes dead "
        "letters without bodies. A worker may come to hold seven times that.",
    )
    fuse_ratio: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="When this share of a source's last fuse_run records is invalid, further letters of it are thin: kept by "
        "coordinates and reason, without the body.",
    )
    fuse_run: int = Field(default=1000, ge=1, description="See fuse_ratio: so many records in a row are looked at.")
    stall_seconds: float = Field(
        default=120, gt=0, description="A partition with lag that does not move for this long makes the worker exit."
    )

    relay_transactional_id: str = Field(
        default="returns-relay",
        min_length=1,
        description="Kafka transactional id that all relays share: the latest to work fences the others.",
    )
    relay_group_id: str = Field(
        default="returns-relay",
        min_length=1,
        description="Consumer group whose offset on the status changes is the relay's position; nobody consumes in it.",
    )
    relay_transaction_timeout_ms: int = Field(
        default=10_000,
        ge=1000,
        description="A transaction that its relay does not end holds up subscribers for so long at most.",
    )
    relay_slice_rows: int = Field(
        default=1500, ge=1, le=20_000, description="Most rows of the history whose messages make one transaction."
    )
    relay_poll_ms: int = Field(
        default=1000,
        ge=1,
        le=10_000,
        description="Longest that the relay, at rest, waits before it looks again, if no new batch is told of.",
    )
    project_poll_ms: int = Field(
        default=1000,
        ge=1,
        le=60_000,
        description="Longest that the projector, at rest, waits before it looks again, if no new batch is told of.",
    )

    stuck_hours_rc: float = _stuck(Milestone.RC)
    stuck_hours_rt: float = _stuck(Milestone.RT)
    stuck_hours_rdtpf: float = _stuck(Milestone.RDTPF)
    stuck_hours_ds: float = _stuck(Milestone.DS)
    stuck_hours_rp: float = _stuck(Milestone.RP)
    stuck_hours_re: float = _stuck(Milestone.RE)

    remembered_returns: int = Field(
        default=50_000,
        ge=0,
        le=5_000_000,
        description="Returns whose state an ingest worker keeps in memory, at 3 kB each.",
    )
    connote_days: int = Field(
        default=DEFAULT.connote_days,
        ge=1,
        le=3650,
        description="A delivery of a connote so many days after a return's export under it is another consignment's: "
        "connotes are reused. Once changed, run reassess.",
    )
    label_lead_hours: int = Field(
        default=DEFAULT.label_lead_hours,
        le=720,
        ge=0,
        description="A scan may be so many hours older than the creation that names its label: zones and clocks are wrong. "
        "Once changed, run reassess.",
    )
    label_reuse_days: int = Field(
        description="Another return that names a label so many days after one begins the number anew; before that the two "
        "share its scans, as returns in one box do. Once changed, run reassess.",
        default=DEFAULT.label_reuse_days,
        le=3650,
        ge=1,
    )
    carrier_tables: str | None = Field(
        default=None, description="Folder of further carrier tables (*.toml); one of the same name replaces ours."
    )
    publishers: str | None = Field(
        default=None,
        description="TOML file of who may say what on which input topic; without it everything is allowed.",
    )
    creation_age_days: int = Field(
        default=400,
        ge=1,
        le=36_500,
        description="A creation that is older than this when it comes is no event: an earlier time takes a return over.",
    )
    feeds_file: str | None = Field(
        default=None, description="TOML file of the feeds that are open and their secrets; without it none is."
    )
    feed_definitions: str | None = Field(
        default=None, description="Folder of further feeds (*.toml); one of the same name replaces ours."
    )

    numbers_file: str | None = Field(
        default=None,
        description="TOML file of the tracking numbers that carriers have allotted to us, for returns that come without "
        "one; without it each return needs its own.",
    )

    portal_file: str | None = Field(
        default=None,
        description="TOML file of the retailers whose consumers make returns at /returns/new, and of the secrets that they "
        "sign links with; without it the page is closed.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe lines that are logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json, console (for people), or auto: console on a terminal."
    )

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        """Two topics of one name are one topic: each message of it would be wrong to somebody."""
        topics = [name for name in type(self).model_fields if name.startswith("topic_")]
        for kind in ([name for name in topics if isinstance(getattr(self, name), str)], ["group_id", "relay_group_id"]):
            known = list[tuple[str, str]]()
            for name in kind:
                entries = self.entries(name) if name.startswith("topic_") else (getattr(self, name),)
                for entry, (other, first) in product(entries, known):
                    if overlap(entry, other):
                        both = f"{variable(first)} and {variable(name)}"
                        raise ValueError(f"{both}: must not have the same value, nor one that the other's prefix means")
                known += [(entry, name) for entry in entries]
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Like `load`, with pydantic's own error."""
        return cls(**FromEnvironment(cls, environment)())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: the environment is read in `load` and nowhere else."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def stuck_hours(self) -> dict[Milestone, float]:
        """For each status that a return can be stuck in, after how long it is."""
        return {status: getattr(self, f"stuck_hours_{status.lower()}") for status in STUCK_HOURS}


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from the environment, by default the process's own.

    Raises SettingsError that names each wrong variable and says what is wrong with it, never what its value is.
    """
    variables = os.environ if environment is None else environment
    try:
        return Settings.from_environment(variables)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise SettingsError("; ".join(_sentence(problem["loc"], problem["msg"]) for problem in problems)) from None


def unknown_variables(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Variables RETURNS_* that nothing reads, each with the one that was perhaps meant."""
    return unknown(Settings, os.environ if environment is None else environment)


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    if not location:
        return said  # of several settings, which it names
    return f"{variable(str(location[0]))}: {said}"


def reference() -> str:
    """A Markdown table of every setting."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    hidden = set(secrets(Settings))
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        cell = "" if shown is None else f"`{shown}`"
        file = f" Or `{variable(name)}_FILE`, a file that holds it." if name in hidden else ""
        lines.append(f"| `{variable(name)}` | {cell} | {field.description}{file} |")
    return "\n".join(lines)
