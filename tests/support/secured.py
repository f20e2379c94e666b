"""A broker with listeners for TLS and SASL, and certificates of a test's own."""

from __future__ import annotations

import json
import subprocess
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import NamedTuple

from deploy.local.kafka_server import KafkaServer
from deploy.local.process import free_port

USER, PASSWORD = "returns", "right-hush"
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class Certificates(NamedTuple):
    """A CA, what a server shows that it signed for 127.0.0.1, and what it shows for another host; all PEM files."""

    ca: Path
    server: Path
    elsewhere: Path


def certificates(folder: Path, name: str = "ca") -> Certificates:
    """New ones, made with openssl."""
    ca, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl("req", "-x509", *_NEW, "-keyout", key, "-out", ca, "-days", "2", "-subj", f"/CN={name}")
    return Certificates(ca, _signed(folder, name, "IP:127.0.0.1,DNS:localhost"), _signed(folder, name, "DNS:else.test"))


_NEW = ("-newkey", "rsa:2048", "-nodes")


def _signed(folder: Path, ca: str, names: str) -> Path:
    stem = folder / f"{ca}-{names.rpartition(':')[2]}"
    request, key, certificate = (stem.with_suffix(f"{stem.suffix}.{kind}") for kind in ("csr", "key", "crt"))
    _openssl("req", *_NEW, "-keyout", key, "-out", request, "-subj", "/CN=broker", "-addext", f"subjectAltName={names}")
    signer = ("-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key", "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signer, "-out", certificate, "-days", "2", "-copy_extensions", "copy")
    both = stem.with_suffix(f"{stem.suffix}.pem")
    both.write_text(key.read_text() + certificate.read_text())
    return both


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


# It takes a token that nobody has signed (`unsigned_token`): whether its signer is known is the broker's business.
_TOKENS = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"


def unsigned_token(seconds: float) -> str:
    """A token of somebody's for so many seconds from now on."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": USER, "iat": now - 10, "exp": now + seconds})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


class SecuredKafka:
    """The broker; `address` leads to its listener for a protocol, that of ELSEWHERE shows a certificate of another host, and
    that of MUTUAL wants to see one of the client's.
    """

    def __init__(self, home: Path, shown: Certificates) -> None:
        self._ports = {protocol: free_port() for protocol in (*_PROTOCOLS, "ELSEWHERE", "MUTUAL")}
        controller = free_port()
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self._ports.items())
        jaas = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="admin" password="{PASSWORD}" user_admin="{PASSWORD}" user_{USER}="{PASSWORD}";'
        )
        stores = {}
        for name, store in (
            ("ssl", shown.server), ("sasl_ssl", shown.server), ("elsewhere", shown.elsewhere), ("mutual", shown.server)
        ):  # fmt: skip
            stores[f"listener.name.{name}.ssl.keystore.type"] = "PEM"
            stores[f"listener.name.{name}.ssl.keystore.location"] = str(store.resolve())
        self.server = KafkaServer(
            home,
            heap="384m",
            settings={
                "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": listeners,
                "listener.security.protocol.map": ",".join(f"{name}:{name}" for name in _PROTOCOLS)
                + ",ELSEWHERE:SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT",
                "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                "listener.name.mutual.ssl.client.auth": "required",
                "listener.name.mutual.ssl.truststore.type": "PEM",
                "listener.name.mutual.ssl.truststore.location": str(shown.ca.resolve()),
                "sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER",
                "listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config": _TOKENS,
                "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": _TOKENS,
                "listener.name.sasl_plaintext.plain.sasl.jaas.config": jaas,
                "listener.name.sasl_ssl.plain.sasl.jaas.config": jaas,
                **stores,
            },
        )
        self.server.home.mkdir(parents=True, exist_ok=True)
        self.server._state.update(port=self._ports["PLAINTEXT"], controller_port=controller)

    def address(self, listener: str) -> str:
        """Where a listener is."""
        return f"127.0.0.1:{self._ports[listener]}"
