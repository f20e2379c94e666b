"""What is wrong between a client and the brokers is said: which broker, what it did, which setting to look at.

Every one of these was "Unable to bootstrap".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from service.adapters.kafka.fetching.source import KafkaSource
from service.adapters.kafka.options import connection_options, opened
from service.adapters.kafka.trouble import CannotConnect
from service.config import Settings, load
from service.errors import BrokenSource, SettingsError
from tests.support.commands import run
from tests.support.secured import PASSWORD, USER, Certificates, SecuredKafka, certificates, unsigned_token

# kafka-python leaves the sockets of refused connections to the collector.
pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

SASL = {
    "RETURNS_KAFKA_SASL_MECHANISM": "PLAIN",
    "RETURNS_KAFKA_SASL_USERNAME": USER,
    "RETURNS_KAFKA_SASL_PASSWORD": PASSWORD,
}
CASES = {
    "a wrong password": (
        "SASL_PLAINTEXT", "SASL_PLAINTEXT", SASL | {"RETURNS_KAFKA_SASL_PASSWORD": "wrong-hush"},
        r"does not take the user name and password for SASL: RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD",
    ),
    "a wrong password over TLS": (
        "SASL_SSL", "SASL_SSL", SASL | {"RETURNS_KAFKA_SASL_PASSWORD": "wrong-hush", "RETURNS_KAFKA_SSL_CAFILE": "CA"},
        r"does not take the user name and password",
    ),
    "a mechanism that it does not know": (
        "SASL_PLAINTEXT", "SASL_PLAINTEXT", SASL | {"RETURNS_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"},
        r"does not know the mechanism SCRAM-SHA-512: RETURNS_KAFKA_SASL_MECHANISM",
    ),
    "a CA that did not sign": (
        "SSL", "SSL", {"RETURNS_KAFKA_SSL_CAFILE": "OTHER"},
        r"shows a certificate that no CA of RETURNS_KAFKA_SSL_CAFILE signed",
    ),
    "no CA of ours at all": ("SSL", "SSL", {}, r"shows a certificate that no CA of RETURNS_KAFKA_SSL_CAFILE signed"),
    "another host": (
        "ELSEWHERE", "SSL", {"RETURNS_KAFKA_SSL_CAFILE": "CA"},
        r"shows a certificate of another host: RETURNS_KAFKA_BOOTSTRAP_SERVERS",
    ),
    "TLS to a plain port": (
        "PLAINTEXT", "SSL", {"RETURNS_KAFKA_SSL_CAFILE": "CA"},
        r"does not speak TLS at this port: RETURNS_KAFKA_SECURITY_PROTOCOL is SSL",
    ),
    "plain to a TLS port": (
        "SSL", "PLAINTEXT", {},
        r"does not speak Kafka at this port without TLS: RETURNS_KAFKA_SECURITY_PROTOCOL is PLAINTEXT",
    ),
    "no login where one is wanted": (
        "SASL_PLAINTEXT", "PLAINTEXT", {},
        r"closed the connection; perhaps the port wants TLS, or a login with SASL: RETURNS_KAFKA_SECURITY_PROTOCOL is",
    ),
    "a login where none is wanted": ("PLAINTEXT", "SASL_PLAINTEXT", SASL, r"has no login with SASL at this port"),
}  # fmt: skip


@pytest.fixture(scope="module")
def signed(private_folder: Path) -> Certificates:
    return certificates(private_folder)


@pytest.fixture(scope="module")
def broker(private_folder: Path, signed: Certificates) -> Iterator[SecuredKafka]:
    broker = SecuredKafka(private_folder / "secured" / "kafka", signed)
    broker.server.start()
    yield broker
    broker.server.kill()


@pytest.fixture(scope="module")
def other_ca(private_folder: Path) -> Path:
    return certificates(private_folder, "other").ca


def settings_for(
    broker: SecuredKafka, listener: str, protocol: str, more: Mapping[str, str], ca: Path, other: Path
) -> dict[str, str]:
    files = {"CA": str(ca), "OTHER": str(other)}
    return {
        "RETURNS_KAFKA_BOOTSTRAP_SERVERS": broker.address(listener),
        "RETURNS_KAFKA_SECURITY_PROTOCOL": protocol,
        **({"RETURNS_DEVELOPMENT": "true"} if protocol == "SASL_PLAINTEXT" else {}),
        **{name: files.get(value, value) for name, value in more.items()},
    }


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said(broker: SecuredKafka, signed: Certificates, other_ca: Path, case: str) -> None:
    listener, protocol, more, said = CASES[case]
    settings = load(settings_for(broker, listener, protocol, more, signed.ca, other_ca))

    with pytest.raises(CannotConnect) as caught:
        opened(KafkaConsumer, **connection_options(settings, "test"), bootstrap_timeout_ms=700)

    assert re.match(f"{re.escape(broker.address(listener))} {said}", str(caught.value))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("protocol", ("SSL", "SASL_PLAINTEXT", "SASL_SSL"))
def test_what_is_right_connects(broker: SecuredKafka, signed: Certificates, protocol: str) -> None:
    more = (SASL if "SASL" in protocol else {}) | ({"RETURNS_KAFKA_SSL_CAFILE": "CA"} if "SSL" in protocol else {})
    settings = load(settings_for(broker, protocol, protocol, more, signed.ca, signed.ca))

    opened(KafkaConsumer, **connection_options(settings, "test"), bootstrap_timeout_ms=10_000).close()


def test_with_a_certificate_of_ours_mutual_tls_connects_and_else_it_is_told(
    broker: SecuredKafka, signed: Certificates, private_folder: Path
) -> None:
    def connect(**files: Path) -> None:
        more = {f"RETURNS_KAFKA_SSL_{name.upper()}": str(file) for name, file in files.items()}
        settings = load(settings_for(broker, "MUTUAL", "SSL", more, signed.ca, signed.ca))
        opened(KafkaConsumer, **connection_options(settings, "test"), bootstrap_timeout_ms=5000).close()

    connect(cafile=signed.ca, certfile=signed.server)
    for wrong in ({}, {"certfile": certificates(private_folder, "stranger").server}):
        with pytest.raises(CannotConnect, match=r"does not take our certificate .*RETURNS_KAFKA_SSL_CERTFILE"):
            connect(cafile=signed.ca, **wrong)


def test_with_a_token_oauthbearer_connects_and_else_it_is_told(broker: SecuredKafka, tmp_path: Path) -> None:
    file = tmp_path / "token"
    more = {"RETURNS_KAFKA_SASL_MECHANISM": "OAUTHBEARER", "RETURNS_KAFKA_OAUTH_TOKEN_PATH": str(file)}
    settings = load(settings_for(broker, "SASL_PLAINTEXT", "SASL_PLAINTEXT", more, file, file))

    def connect() -> None:
        opened(KafkaConsumer, **connection_options(settings, "test"), bootstrap_timeout_ms=3000).close()

    with pytest.raises(
        CannotConnect, match="asks for a token, and there is none: RETURNS_KAFKA_OAUTH_TOKEN_PATH: the f"
    ):
        connect()
    file.write_text(unsigned_token(-5))
    with pytest.raises(
        CannotConnect, match="does not take the token for SASL: RETURNS_KAFKA_OAUTH_URL, RETURNS_KAFKA_O"
    ):
        connect()
    file.write_text(unsigned_token(300))
    connect()


def test_a_command_says_it_and_ends_with_1_and_a_worker_is_told_with_each_try(
    broker: SecuredKafka, signed: Certificates
) -> None:
    wrong = SASL | {"RETURNS_KAFKA_SASL_PASSWORD": "wrong-hush"}
    variables = settings_for(broker, "SASL_PLAINTEXT", "SASL_PLAINTEXT", wrong, signed.ca, signed.ca)

    settings = load(variables)

    ended = run("topics", **variables)
    with pytest.raises(BrokenSource, match=r"Kafka: 127.* does not take the user name and password"):
        KafkaSource(settings, settings.input_topics)

    assert ended.returncode == 1
    assert re.fullmatch(r"Error: cannot connect to Kafka at .* does not take the user name and pass.*\n", ended.stderr)


@pytest.mark.parametrize("content", (None, "no certificate"))
def test_a_file_of_certificates_that_is_none_is_a_matter_of_the_settings(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    variables = {"RETURNS_KAFKA_SECURITY_PROTOCOL": "SSL", "RETURNS_KAFKA_SSL_CAFILE": str(file)}

    ended = run("topics", **variables)

    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: RETURNS_KAFKA_SSL_CAFILE: the file ")
    with pytest.raises(SettingsError):
        connection_options(Settings(kafka_security_protocol="SSL", kafka_ssl_cafile=str(file)), "test")
