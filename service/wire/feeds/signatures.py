"""Whether a request is from whom the feed is for. Every comparison takes as long for a wrong secret as for a right one.

scheme = "hmac"           # a keyed digest of the body, in a header
header = "X-Hmac-Signature"
encoding = "hex"          # or base64
pattern = "t=(?P<timestamp>[0-9]+),v1=(?P<signature>[0-9a-f]+)"   # optional: what the header looks like
signs = "{timestamp}.{body}"                                     # optional: what is signed; the body by default
normalize = "NFKD"        # optional: of the secret

scheme = "digest"         # a plain digest of the body and the secret
header = "sign"
signs = "{body}/{secret}"

scheme = "basic"          # Authorization: Basic; the secret is user:password
scheme = "headers"        # user and password each in a header of its own
headers = ["Username", "Password"]
scheme = "token"          # the secret itself in a header
header = "X-Api-Key"
scheme = "path"           # the secret at the end of the address: /v1/feeds/NAME/SECRET
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final, Literal, NamedTuple, get_args

from service.errors import SettingsError

TOLERANCE_SECONDS: Final = 300  # between the time that was signed and ours
_LONGEST_HEADER: Final = 4096
_MEMBERS: Final = frozenset({"scheme", "header", "headers", "prefix", "encoding", "pattern", "signs", "normalize"})
_ENCODINGS: Final = ("hex", "base64")
NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]
_NORMAL_FORMS: Final[dict[str, NormalForm]] = {form: form for form in get_args(NormalForm)}


@unique
class Scheme(StrEnum):
    """How a sender shows that it knows the secret."""

    HMAC = "hmac"
    DIGEST = "digest"
    BASIC = "basic"
    HEADERS = "headers"
    TOKEN = "token"  # noqa: S105 - the name of a scheme
    PATH = "path"


class Request(NamedTuple):
    """What came: headers by their names in lower case, the body's bytes, and what stood in the path behind the feed."""

    headers: Mapping[str, str]
    body: bytes
    path_secret: str | None
    now: float  # seconds since 1970-01-01 UTC


@dataclass(frozen=True, slots=True)
class Signature:
    """A scheme and where to look. `header` is in lower case."""

    scheme: Scheme
    header: str = ""
    headers: tuple[str, str] | None = None
    prefix: str = ""
    encoding: str = "hex"
    pattern: re.Pattern[str] | None = None
    signs: str = "{body}"
    normalize: NormalForm | None = None

    @property
    def expects(self) -> str:
        """What a request must have, for people; it says nothing of a secret."""
        if self.scheme is Scheme.PATH:
            return "the secret at the end of the address"
        if self.scheme is Scheme.BASIC:
            return "user and password in the header `authorization` (Basic)"
        if self.headers is not None:
            return f"user and password in the headers `{self.headers[0]}` and `{self.headers[1]}`"
        what = {Scheme.HMAC: "the body's HMAC", Scheme.DIGEST: "the body's digest"}.get(self.scheme, "the secret")
        return f"{what} in the header `{self.header}`"

    def is_of(self, secrets: Sequence[str], request: Request) -> bool:
        """Whether the request shows that its sender knows one of the secrets; two are valid while one is rotated."""
        # Each is tried, whichever fits: how long it takes says nothing.
        return sum(self._shows(secret, request) for secret in secrets) > 0

    def _shows(self, secret: str, request: Request) -> bool:
        if self.normalize is not None:
            secret = unicodedata.normalize(self.normalize, secret)
        if self.scheme is Scheme.PATH:
            return _same(request.path_secret or "", secret)
        if self.scheme is Scheme.HEADERS and self.headers is not None:
            user, password = (request.headers.get(name, "") for name in self.headers)
            return _same(f"{user}:{password}", secret)
        given = request.headers.get(self.header, "")[:_LONGEST_HEADER]
        if self.scheme is Scheme.BASIC:
            return _same(given, f"Basic {base64.b64encode(secret.encode()).decode()}")
        if self.scheme is Scheme.TOKEN:
            return _same(given, self.prefix + secret)
        return self._signed(secret, given, request)

    def _signed(self, secret: str, given: str, request: Request) -> bool:
        timestamp = ""
        if self.pattern is not None:
            found = self.pattern.fullmatch(given)
            if found is None:
                return False
            given, timestamp = found["signature"], found.groupdict().get("timestamp") or ""
        if "{timestamp}" in self.signs and not _is_fresh(timestamp, request.now):
            return False
        before, _, after = self.signs.partition("{body}")
        signed = _filled(before, timestamp, secret) + request.body + _filled(after, timestamp, secret)
        if self.scheme is Scheme.HMAC:
            digest = hmac.digest(secret.encode(), signed, "sha256")
        else:
            digest = hashlib.sha256(signed).digest()
        text = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()
        # Hex digits may come in either letter case.
        return _same(given.lower() if self.encoding == "hex" else given, self.prefix + text)


def parse_signature(where: str, document: object) -> Signature:
    """The signature that a TOML table describes. Raises SettingsError that begins with `where`."""
    if not isinstance(document, dict):
        raise SettingsError(f"{where}: a table with `scheme` is expected")
    unknown = document.keys() - _MEMBERS
    if unknown:
        raise SettingsError(f"{where}: unknown key {min(unknown)!r}")
    try:
        scheme = Scheme(document.get("scheme", ""))
    except ValueError:
        raise SettingsError(f"{where}.scheme: one of {', '.join(Scheme)} is expected") from None
    texts = {name: _text(where, document, name) for name in _MEMBERS - {"scheme", "headers"}}
    header = "authorization" if scheme is Scheme.BASIC else (texts["header"] or "").lower()
    if not header and scheme in (Scheme.HMAC, Scheme.DIGEST, Scheme.TOKEN):
        raise SettingsError(f"{where}.header: the name of the header is expected")
    encoding, signs = texts["encoding"] or "hex", texts["signs"] or "{body}"
    if encoding not in _ENCODINGS:
        raise SettingsError(f"{where}.encoding: one of {', '.join(_ENCODINGS)} is expected")
    if signs.count("{body}") != 1 or (scheme is Scheme.DIGEST and "{secret}" not in signs):
        raise SettingsError(f"{where}.signs: a text with {{body}} in it is expected, of a digest with {{secret}} too")
    form = _NORMAL_FORMS.get(texts["normalize"] or "")
    if texts["normalize"] is not None and form is None:
        raise SettingsError(f"{where}.normalize: one of {', '.join(_NORMAL_FORMS)} is expected")
    pattern = _pattern(where, texts["pattern"], signs)
    names = _names(where, document) if scheme is Scheme.HEADERS else None
    return Signature(scheme, header, names, texts["prefix"] or "", encoding, pattern, signs, form)


def _text(where: str, document: Mapping[str, Any], member: str) -> str | None:
    found = document.get(member)
    if found is not None and (not isinstance(found, str) or not found):
        raise SettingsError(f"{where}.{member}: a text is expected")
    return found


def _pattern(where: str, text: str | None, signs: str) -> re.Pattern[str] | None:
    try:
        pattern = None if text is None else re.compile(text)
    except re.error as error:
        raise SettingsError(f"{where}.pattern: {error}") from None
    groups = set() if pattern is None else set(pattern.groupindex)
    if (pattern is not None and "signature" not in groups) or ("{timestamp}" in signs and "timestamp" not in groups):
        raise SettingsError(f"{where}.pattern: a group `signature` is expected, and `timestamp` where it is signed")
    return pattern


def _names(where: str, document: Mapping[str, Any]) -> tuple[str, str]:
    names = document.get("headers")
    if not isinstance(names, list) or len(names) != 2 or not all(isinstance(name, str) and name for name in names):
        raise SettingsError(f"{where}.headers: the names of two headers are expected")
    return names[0].lower(), names[1].lower()


def _filled(template: str, timestamp: str, secret: str) -> bytes:
    return template.replace("{timestamp}", timestamp).replace("{secret}", secret).encode()


def _is_fresh(timestamp: str, now: float) -> bool:
    return timestamp.isdecimal() and len(timestamp) <= 12 and abs(int(timestamp) - now) <= TOLERANCE_SECONDS


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())
