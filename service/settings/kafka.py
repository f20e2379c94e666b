"""How the brokers are reached: addresses, encryption, and how to log in."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.environment import PREFIX, variable

_OAUTH: Final = "OAUTHBEARER"


class KafkaSettings(BaseSettings):
    """Addresses and credentials of Kafka."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    development: bool = Field(
        default=False, description="Allows what is for a developer's machine alone: logins to Kafka without TLS."
    )
    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", min_length=1, description="Brokers to start from: host:port, separated by commas."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to talk to the brokers."
    )
    kafka_ssl_cafile: str | None = Field(
        default=None, description="CA certificates (PEM) that sign the brokers'; the system's by default."
    )
    kafka_ssl_certfile: str | None = Field(
        default=None, description="Our own certificate (PEM, with those between it and its CA), for mutual TLS."
    )
    kafka_ssl_keyfile: str | None = Field(
        default=None, description="Its key (PEM); by default in the file of the certificate."
    )
    kafka_ssl_key_password: SecretStr | None = Field(default=None, description="Password of that key.")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        default=None, description="How to log in to the brokers, with SASL."
    )
    kafka_sasl_username: str | None = Field(
        default=None,
        description="User name for SASL; with OAUTHBEARER the client's id, for a token by kafka_oauth_url.",
    )
    kafka_sasl_password: SecretStr | None = Field(
        default=None, description="Password for SASL; with OAUTHBEARER the client's secret."
    )
    kafka_oauth_url: str | None = Field(
        default=None, description="Where a token for OAUTHBEARER is to be had, by the grant of client credentials."
    )
    kafka_oauth_scope: str | None = Field(default=None, description="Scope that is asked for there.")
    kafka_oauth_token_path: str | None = Field(
        default=None,
        description="File with a token for OAUTHBEARER that somebody else keeps fresh; read at each login.",
    )

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
        wrong = self._wrong_with_login() or self._wrong_with_encryption()
        if wrong is not None:
            raise ValueError(wrong)
        return self

    def _wrong_with_login(self) -> str | None:
        protocol, mechanism = self.kafka_security_protocol, self.kafka_sasl_mechanism
        told = f"RETURNS_KAFKA_SECURITY_PROTOCOL is {protocol}"
        if mechanism is None:
            return f"RETURNS_KAFKA_SASL_MECHANISM: must be set where {told}" if protocol.startswith("SASL") else None
        if protocol in {"PLAINTEXT", "SSL"}:
            # The credentials are there, and nobody would be asked for them.
            if protocol == "PLAINTEXT" and self.development:
                return None
            return f"RETURNS_KAFKA_SASL_MECHANISM: nobody would log in, for {told}"
        if protocol == "SASL_PLAINTEXT" and not self.development:
            return (
                "RETURNS_KAFKA_SECURITY_PROTOCOL: SASL_PLAINTEXT would send the login for everybody on the way to read; "
                "SASL_SSL is needed, or RETURNS_DEVELOPMENT=true on a developer's machine"
            )
        has_credentials = bool(self.kafka_sasl_username) and self.kafka_sasl_password is not None
        if mechanism == _OAUTH:
            return self._wrong_with_oauth(has_credentials=has_credentials)
        if not has_credentials:
            return f"RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD: must be set where {told}"
        return None

    def _wrong_with_oauth(self, *, has_credentials: bool) -> str | None:
        url = self.kafka_oauth_url
        if (url is None) == (self.kafka_oauth_token_path is None):
            return (
                "RETURNS_KAFKA_OAUTH_URL, RETURNS_KAFKA_OAUTH_TOKEN_PATH: one of them must say where the token is, "
                f"for RETURNS_KAFKA_SASL_MECHANISM is {_OAUTH}"
            )
        if url is None:
            return None
        if not url.startswith(("https://", "http://") if self.development else "https://"):
            return "RETURNS_KAFKA_OAUTH_URL: must begin with https://, for the client's secret is sent there"
        if not has_credentials:
            return "RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD: the client's id and secret must be set"
        return None

    def _wrong_with_encryption(self) -> str | None:
        if self.kafka_ssl_certfile is None:
            for name in ("kafka_ssl_keyfile", "kafka_ssl_key_password"):
                if getattr(self, name) is not None:
                    return f"{variable(name)}: is of no use without RETURNS_KAFKA_SSL_CERTFILE"
        for name in ("kafka_ssl_cafile", "kafka_ssl_certfile"):
            if getattr(self, name) is not None and not self.kafka_security_protocol.endswith("SSL"):
                told = f"RETURNS_KAFKA_SECURITY_PROTOCOL is {self.kafka_security_protocol}"
                return f"{variable(name)}: nothing would be encrypted, for {told}"
        return None
