"""Where PostgreSQL and the service itself are, and what people get of the pages."""

from __future__ import annotations

from typing import Final

from pydantic import Field, SecretStr, field_validator

from service.addresses import Network, is_address, networks_in, wrong_with
from service.settings.kafka import KafkaSettings

TOKEN_RATE: Final = 60_000
TOKEN_FAILURES: Final = 60


class ServerSettings(KafkaSettings):
    """Addresses, credentials and limits of what is served."""

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
        default=None,
        description="Address that people reach `serve` under, for links. Without it answers, messages and labels have none.",
    )

    http_trusted_proxies: str | None = Field(
        default=None,
        description="Proxies in front of `serve`, addresses or networks separated by commas, whose X-Forwarded-For names "
        "the client and whose X-Forwarded-Proto the scheme. Without it nobody's does.",
    )
    http_connections: int = Field(
        default=2000,
        ge=10,
        le=100_000,
        description="Most connections to one web process; the one that waited longest for its client makes room for another.",
    )
    http_connections_per_client: int = Field(
        default=200, ge=1, le=100_000, description="Most connections of one client that is no trusted proxy."
    )
    http_header_seconds: float = Field(
        default=10, gt=0, le=600, description="A client gets this long to send the header of a request."
    )
    http_body_seconds: float = Field(
        default=30, gt=0, le=3600, description="A client gets this long to send the body of a request."
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
    public_streams_per_client: int = Field(
        default=20, ge=0, le=100_000, description="Most pages that it keeps live for one client at a time."
    )

    token_rate: int = Field(
        default=TOKEN_RATE,
        ge=1,
        le=10_000_000,
        description="Requests a minute that a token without a rate of its own may make of one web process.",
    )
    token_failures: int = Field(
        default=TOKEN_FAILURES, ge=1, le=100_000, description="Wrong tokens a minute that are looked up for one client."
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

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not is_address(value):
            raise ValueError(
                "must be like https://returns.example, without anything behind the host but a port or a path"
            )
        return value

    @field_validator("http_trusted_proxies")
    @classmethod
    def _names_proxies(cls, value: str | None) -> str | None:
        networks_in(value)
        return value

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """Whose word is taken for who asks."""
        return networks_in(self.http_trusted_proxies)

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if wrong := wrong_with(value.get_secret_value()):
            raise ValueError(wrong)
        return value
