"""Why no broker lets a client in: kafka-python says "Unable to bootstrap", whatever it was.

It also drops an answer that arrives together with the end of the connection; that is how a broker says that it does
not take a password. Private parts of kafka-python are used here, which is pinned exactly.
"""

from __future__ import annotations

import re
import ssl
from typing import Any, Final

from kafka.errors import (
    IllegalSaslStateError,
    InvalidReceiveError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.manager import KafkaConnectionManager

from service.adapters.kafka.security import NoToken

_CREDENTIALS: Final = "RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD"
# What OpenSSL calls it when the other side is not content with our certificate, or wants to see one.
_ALERT: Final = re.compile(r"\[SSL: \w+?_ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)\]")
_OTHER_HOST: Final = (62, 64)  # OpenSSL's codes: the name, the address in the certificate is another
_EXPIRED: Final = (9, 10)


class CannotConnect(KafkaTimeoutError):  # type: ignore[misc] # kafka-python has no types
    """No broker let the client in; the text says which and why."""

    def __str__(self) -> str:
        return str(self.args[0])


class NotingManager(KafkaConnectionManager):  # type: ignore[misc] # kafka-python has no types
    """Notes what went wrong with a connection; what says most stays."""

    trouble: str | None = None
    _is_sure = False

    def get_connection(self, node_id: Any, *arguments: Any, **named: Any) -> Any:
        known = self._conns.get(node_id)
        connection = super().get_connection(node_id, *arguments, **named)
        if connection is not known:
            node = self.cluster.broker_metadata(node_id)
            address = f"{node.host}:{node.port}" if node is not None else str(node_id)
            connection.init_future.add_errback(lambda error: self._note(address, error))
            connection.close_future.add_errback(lambda error: self._note(address, error))
        return connection

    async def _build_transport(self, node: Any, timeout_at: Any = None) -> Any:
        transport = await super()._build_transport(node, timeout_at=timeout_at)
        receive = transport._sock_recv  # noqa: SLF001

        def received() -> tuple[bytes, Exception | None]:
            data, error = receive()
            # What came is read first; that the connection has ended is told again with the next call.
            return data, None if data else error

        transport._sock_recv = received  # noqa: SLF001
        return transport

    def _note(self, address: str, error: Exception) -> None:
        text, is_sure = explained(error, self.config["security_protocol"], self.config["sasl_mechanism"])
        if is_sure or not self._is_sure:
            self.trouble, self._is_sure = f"{address} {text}", is_sure


def explained(error: Exception, protocol: str, mechanism: str | None) -> tuple[str, bool]:
    """What a broker did, and which setting to look at; and whether it is certain."""
    told = f"RETURNS_KAFKA_SECURITY_PROTOCOL is {protocol}"
    cause = error.__context__
    if isinstance(error, NoToken) or isinstance(cause, NoToken):
        return f"asks for a token, and there is none: {error if isinstance(error, NoToken) else cause}", True
    if isinstance(error, SaslAuthenticationFailedError) and mechanism == "OAUTHBEARER":
        return "does not take the token for SASL: RETURNS_KAFKA_OAUTH_URL, RETURNS_KAFKA_OAUTH_TOKEN_PATH", True
    if isinstance(error, SaslAuthenticationFailedError):
        return f"does not take the user name and password for SASL: {_CREDENTIALS}", True
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"does not know the mechanism {mechanism}: RETURNS_KAFKA_SASL_MECHANISM", True
    if isinstance(error, IllegalSaslStateError):
        return f"has no login with SASL at this port: {told}", True
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _of_certificate(cause), True
    text = " ".join(str(error).split())
    if (alert := _ALERT.search(text)) is not None:
        why = alert[1].lower().replace("_", " ")
        return f"does not take our certificate ({why}): RETURNS_KAFKA_SSL_CERTFILE, RETURNS_KAFKA_SSL_KEYFILE", True
    if "Handshake failed" in text:
        return f"does not speak TLS at this port: {told}", isinstance(cause, ssl.SSLError)
    if isinstance(error, InvalidReceiveError):
        return f"does not speak Kafka at this port without TLS: {told}", True
    if "disconnected" in text:
        return f"closed the connection; perhaps the port wants TLS, or a login with SASL: {told}", False
    kind = type(error).__name__ if isinstance(error, KafkaError) else f"unexpected {type(error).__name__}"
    return f"cannot be reached: {text.removeprefix('KafkaConnectionError: ') or kind}", False


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_HOST:
        return (
            "shows a certificate of another host: RETURNS_KAFKA_BOOTSTRAP_SERVERS must name it as its certificate does"
        )
    if error.verify_code in _EXPIRED:
        return f"shows a certificate that is not valid today: {error.verify_message}"
    return f"shows a certificate that no CA of RETURNS_KAFKA_SSL_CAFILE signed: {error.verify_message}"
