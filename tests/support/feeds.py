"""Samples of feeds, and requests that are signed as the feed's own are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, Final

from service.wire.carriers import CarrierTables
from service.wire.feeds.definition import load_feeds
from service.wire.feeds.enabled import Enabled
from service.wire.feeds.reading import Reader, Source
from service.wire.feeds.signatures import Request, Scheme, Signature
from service.wire.inbound import Parser

SAMPLES: Final = Path(__file__).parents[1] / "feeds" / "samples"
NAMES: Final = tuple(sorted(path.stem for path in SAMPLES.glob("*.json")))
SECRET: Final = "user:pass-wörd-⅓"  # not in ASCII, and other bytes in each normal form
TOPIC: Final = "first-mile.scans"


shipped = cache(load_feeds)
_tables = cache(CarrierTables.load)


def sample(name: str) -> dict[str, Any]:
    """The sample of a feed: `source`, `body`, and the `scans` that it comes to."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def body(name: str) -> bytes:
    """The body of the sample, as it is sent."""
    return json.dumps(sample(name)["body"], ensure_ascii=False).encode()


def source(name: str) -> Source:
    """The feed as it ships, open under its own name."""
    return Source(name, shipped()[name])


def opened(name: str, *secrets: str) -> Enabled:
    """The feed as it ships, open."""
    return Enabled(source(name), secrets or (SECRET,))


def reader(tables: CarrierTables | None = None) -> Reader:
    """What reads requests, as it is wired."""
    return Reader(Parser(tables or _tables()), TOPIC, lambda: time.time_ns() // 1000)


def headers(signature: Signature, content: bytes, secret: str = SECRET, now: float | None = None) -> dict[str, str]:
    """The headers that a sender with the secret sends: written by hand from the documents, not with the code under test."""
    at = str(int(time.time() if now is None else now))
    if signature.scheme is Scheme.BASIC:
        return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    if signature.scheme is Scheme.HEADERS:
        assert signature.headers is not None
        user, _, password = secret.partition(":")
        return {signature.headers[0]: user, signature.headers[1]: password}
    if signature.scheme is Scheme.TOKEN:
        return {signature.header: signature.prefix + secret}
    if signature.scheme is Scheme.DIGEST:
        return {signature.header: hashlib.sha256(content + b"/" + secret.encode()).hexdigest()}
    if signature.scheme is Scheme.HMAC:
        key = unicodedata.normalize(signature.normalize, secret) if signature.normalize else secret
        signed = at.encode() + b"." + content if "{timestamp}" in signature.signs else content
        digest = hmac.new(key.encode(), signed, hashlib.sha256)
        text = digest.hexdigest() if signature.encoding == "hex" else base64.b64encode(digest.digest()).decode()
        return {signature.header: f"t={at},v1={text}" if "{timestamp}" in signature.signs else signature.prefix + text}
    return {}


def request(name: str, content: bytes, secret: str = SECRET, **changed: Any) -> Request:
    """A request of the feed with this secret."""
    signature = source(name).feed.signature
    path = secret if signature.scheme is Scheme.PATH else None
    came = Request(headers(signature, content, secret), content, path, time.time())
    return came._replace(**changed)
