"""Settings: environment variables RETURNS_*, read once, at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.addresses import wrong_together, wrong_with
from service.application.reading.listing import STUCK_HOURS
from service.domain.milestones import NAMES, Milestone
from service.errors import SettingsError

PREFIX: Final = "RETURNS_"
MAX_BATCH_BYTES: Final = (
    64 * 1024 * 1024
)  # a batch of 1 MiB that compresses 20 to 1, and what its records take as objects
_TOPIC: Final = r"^[A-Za-z0-9._-]{1,249}$"


def _stuck(status: Milestone) -> Any:
    return Field(
        default=STUCK_HOURS[status],
        gt=0,
        le=87_600,
        description=f"A return that stays at {NAMES[status]} ({status}) for longer is stuck; in hours.",
    )


class _FromEnvironment(PydanticBaseSettingsSource):
    """The variables of a given mapping, unparsed: every setting is a single value."""

    def __init__(self, settings: type[BaseSettings], environment: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._environment = environment

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._environment.get(PREFIX + field_name.upper()), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self._environment.get(PREFIX + name.upper()) for name in self.settings_cls.model_fields}
        # An empty variable is how shells and compose files say "not set".
        return {name: value for name, value in values.items() if value}


class Settings(BaseSettings):
    """All settings of all processes; the default is what one machine with a local stack needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", min_length=1, description="Brokers to start from: host:port, separated by commas."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to talk to the brokers."
    )
    kafka_ssl_cafile: str | None = Field(
        default=None, description="CA certificates (PEM) that sign the brokers'; the system's by default."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="How to log in to the brokers, with SASL."
    )
    kafka_sasl_username: str | None = Field(default=None, description="User name for SASL.")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="Password for SASL.")
    database_url: SecretStr = Field(
        default=SecretStr("postgresql://127.0.0.1:5432/returns"),
        description="PostgreSQL: postgresql://user:password@host:port/database. With several hosts, "
        "host:port,host:port/database?target_session_attrs=read-write, the one that takes writes is found.",
    )
    database_pool_size: int = Field(
        default=8, ge=1, le=200, description="Most connections that a web process opens at a time."
    )

    http_host: str = Field(default="127.0.0.1", min_length=1, description="Address that `serve` listens on.")
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port that `serve` listens on; 0 takes a free one."
    )
    metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address of a process's own /metrics, /livez and /readyz."
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of this process's own /metrics, /livez and /readyz; 0: none. `run` takes the three after it too.",
    )
    public_url: str | None = Field(
        default=None, description="Address that people reach `serve` under, for links; by default where it listens."
    )

    http_trusted_proxies: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Proxies in front of `serve`, addresses separated by commas, whose X-Forwarded-For names the client.",
    )
    public_client_rate: int = Field(
        default=60, ge=1, le=100_000, description="Public pages a minute that one client gets from one web process."
    )
    public_number_rate: int = Field(
        default=60, ge=1, le=100_000, description="Public pages a minute that all together get for one number."
    )
    public_burst: int = Field(
        default=30, ge=1, le=100_000, description="Public pages that a client, or a number, gets at once after a rest."
    )
    public_streams: int = Field(
        default=1000, ge=0, le=100_000, description="Most pages that one web process keeps live at a time."
    )

    ops_export_rows: int = Field(
        default=100_000, ge=1, le=10_000_000, description="Most rows of a list that is taken away as a file."
    )
    ops_idle_minutes: int = Field(
        default=30, ge=1, le=1440, description="A login to the operations desk ends when it is not used for this long."
    )
    ops_login_failures: int = Field(
        default=10, ge=1, le=100_000, description="Logins a minute that may fail of one client, at one web process."
    )
    ops_session_hours: int = Field(
        default=12, ge=1, le=168, description="A login to the operations desk ends after this long in any case."
    )

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

    group_id: str = Field(default="returns-status", min_length=1, description="Consumer group of the ingest workers.")
    batch_size: int = Field(default=5000, ge=1, le=50_000, description="Most records that one transaction takes in.")
    batch_wait_ms: int = Field(
        default=50, ge=0, le=10_000, description="Longest that the first record of a batch waits for company."
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
        description="A partition stops when this share of its last fuse_run records is invalid.",
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
        default=20, ge=1, le=10_000, description="Longest that the relay, at rest, waits before it looks again."
    )
    project_poll_ms: int = Field(
        default=100, ge=1, le=60_000, description="Longest that the projector, at rest, waits before it looks again."
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
    carrier_tables: str | None = Field(
        default=None, description="Folder of further carrier tables (*.toml); one of the same name replaces ours."
    )
    feeds_file: str | None = Field(
        default=None, description="TOML file of the feeds that are open and their secrets; without it none is."
    )
    feed_definitions: str | None = Field(
        default=None, description="Folder of further feeds (*.toml); one of the same name replaces ours."
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

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if wrong := wrong_with(value.get_secret_value()):
            raise ValueError(wrong)
        return value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _has_ports(cls, value: str) -> str:
        servers = [server.strip() for server in value.split(",")]
        for server in servers:
            host, colon, port = server.rpartition(":")
            if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
                raise ValueError("must be host:port, several separated by commas")
        return ",".join(servers)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong = wrong_together(
            self.kafka_security_protocol,
            cafile=self.kafka_ssl_cafile,
            mechanism=self.kafka_sasl_mechanism,
            has_credentials=bool(self.kafka_sasl_username) and self.kafka_sasl_password is not None,
        )
        if wrong is not None:
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        """Two topics of one name are one topic: each message of it would be wrong to somebody."""
        topics = [name for name in type(self).model_fields if name.startswith("topic_")]
        for kind in ([name for name in topics if isinstance(getattr(self, name), str)], ["group_id", "relay_group_id"]):
            known: dict[str, str] = {}
            for name in kind:
                value = getattr(self, name)
                if value in known:
                    first = f"{PREFIX}{known[value]}".upper()
                    raise ValueError(f"{first} and {PREFIX}{name.upper()}: must not have the same value")
                known[value] = name
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Like `load`, with pydantic's own error."""
        return cls(**_FromEnvironment(cls, environment)())

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

    @property
    def input_topics(self) -> tuple[str, str, str, str]:
        """The topics that ingestion consumes."""
        return (self.topic_returns, self.topic_scans, self.topic_hub_events, self.topic_deliveries)

    @property
    def output_topics(self) -> tuple[str, str, str, str]:
        """The topics that the relay publishes to."""
        return (self.topic_status_changes, self.topic_current_status, self.topic_exceptions, self.topic_dead_letters)


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


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    if not location:
        return said  # of several settings, which it names
    return f"{PREFIX}{str(location[0]).upper()}: {said}"


def reference() -> str:
    """A Markdown table of every setting."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        cell = "" if shown is None else f"`{shown}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {cell} | {field.description} |")
    return "\n".join(lines)
