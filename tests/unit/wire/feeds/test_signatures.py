"""Who is believed to have sent a request: every scheme, at the edges of what it takes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from service.errors import SettingsError
from service.wire.feeds.signatures import Request, Scheme, Signature, parse_signature

SECRET, BODY, NOW = "s3cret-wörd", b'{"a":1}', 1_795_435_200.5


def signature(**document: Any) -> Signature:
    return parse_signature("where", document)


def is_of(
    found: Signature,
    headers: dict[str, str],
    *secrets: str,
    path: str | None = None,
    body: bytes = BODY,
    now: float = NOW,
) -> bool:
    return found.is_of(secrets or (SECRET,), Request(headers, body, path, now))


def mac(signed: bytes = BODY, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def test_a_token_stands_in_its_header_behind_its_prefix() -> None:
    plain, prefixed = (signature(scheme="token", header="X-Key", **more) for more in ({}, {"prefix": "Key "}))

    assert is_of(plain, {"x-key": SECRET})
    assert is_of(prefixed, {"x-key": f"Key {SECRET}"})
    assert not is_of(prefixed, {"x-key": SECRET})
    assert not is_of(plain, {"x-key": f"{SECRET} "})
    assert not is_of(plain, {"authorization": SECRET})


def test_any_of_two_secrets_opens_and_no_third_and_none_at_all_opens_nothing() -> None:
    found = signature(scheme="token", header="X-Key")

    assert [is_of(found, {"x-key": given}, "new", "old") for given in ("new", "old", "other")] == [True, True, False]
    assert is_of(found, {"x-key": "same"}, "same", "same")
    assert not found.is_of((), Request({"x-key": ""}, BODY, None, NOW))


def test_a_header_is_read_so_far_and_no_further() -> None:
    found = signature(scheme="token", header="X-Key")
    longest = "x" * 4096

    assert is_of(found, {"x-key": longest}, longest)
    assert is_of(found, {"x-key": longest + "y"}, longest)
    assert not is_of(found, {"x-key": longest + "y"}, longest + "y")


def test_user_and_password_stand_in_one_header_or_in_two() -> None:
    basic, two = signature(scheme="basic"), signature(scheme="headers", headers=["User-Name", "PASSWORD"])

    assert is_of(basic, {"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()})
    assert not is_of(basic, {"authorization": SECRET})
    assert is_of(two, {"user-name": "me", "password": "it"}, "me:it")
    for wrong in ({"user-name": "it", "password": "me"}, {"user-name": "me"}, {"password": "it"}, {}):
        assert not is_of(two, wrong, "me:it")
    # One that is not sent is as good as an empty one.
    assert is_of(two, {"user-name": "me"}, "me:")
    assert is_of(two, {"password": "it"}, ":it")


def test_the_secret_of_an_address_stands_at_its_end() -> None:
    found = signature(scheme="path")

    assert [is_of(found, {}, path=path) for path in (SECRET, "another", "", None)] == [True, False, False, False]
    assert not is_of(found, {"": SECRET, "authorization": SECRET})


@pytest.mark.parametrize(("encoding", "text"), (("hex", mac().hex()), ("base64", base64.b64encode(mac()).decode())))
def test_a_keyed_digest_is_written_as_the_feed_says(encoding: str, text: str) -> None:
    found = signature(scheme="hmac", header="X-Sign", encoding=encoding, prefix="sha256=")

    assert is_of(found, {"x-sign": f"sha256={text}"})
    assert not is_of(found, {"x-sign": text})
    assert not is_of(found, {"x-sign": f"sha256={text}"}, body=BODY + b" ")
    assert not is_of(found, {"x-sign": f"sha256={text}"}, "another")
    # Hex digits may come in either letter case, base 64 may not.
    assert is_of(found, {"x-sign": f"sha256={text.upper()}"}) is (encoding == "hex")


def test_hex_is_how_a_digest_is_written_unless_the_feed_says_otherwise() -> None:
    assert is_of(signature(scheme="hmac", header="X-Sign"), {"x-sign": mac().hex()})


def test_a_plain_digest_is_of_the_body_and_the_secret_as_the_feed_says() -> None:
    found = signature(scheme="digest", header="Sign", signs="{secret}|{body}|{secret}")
    signed = SECRET.encode() + b"|" + BODY + b"|" + SECRET.encode()

    assert is_of(found, {"sign": hashlib.sha256(signed).hexdigest()})
    assert not is_of(found, {"sign": hashlib.sha256(BODY).hexdigest()})
    assert not is_of(found, {"sign": mac(signed).hex()})


STAMPED = {
    "scheme": "hmac",
    "header": "X-Sign",
    "pattern": "t=(?P<timestamp>[^,]*),v1=(?P<signature>[0-9a-f]*)",
    "signs": "{timestamp}.{body}",
}


@pytest.mark.parametrize(
    ("timestamp", "is_good"),
    (
        (str(int(NOW)), True),
        (str(int(NOW) - 299), True),
        (str(int(NOW) + 300), True),
        (str(int(NOW) - 300), False),  # half a second too old
        (str(int(NOW) + 301), False),
        (str(int(NOW)).zfill(12), True),
        (str(int(NOW)).zfill(13), False),
        ("", False),
        ("-1", False),
        ("1795435200.0", False),
        ("²", False),
    ),
)
def test_a_time_that_was_signed_is_good_for_five_minutes_either_way(timestamp: str, is_good: bool) -> None:
    digest = mac(f"{timestamp}.".encode() + BODY).hex()

    assert is_of(signature(**STAMPED), {"x-sign": f"t={timestamp},v1={digest}"}) is is_good


@pytest.mark.parametrize(("after", "is_good"), ((-301, False), (-300, True), (300, True), (301, False)))
def test_the_five_minutes_include_their_last_second(after: int, is_good: bool) -> None:
    timestamp = int(NOW) + after
    digest = mac(f"{timestamp}.".encode() + BODY).hex()

    assert is_of(signature(**STAMPED), {"x-sign": f"t={timestamp},v1={digest}"}, now=int(NOW)) is is_good


@pytest.mark.parametrize("given", ("", "v1=00", "t=1795435200", "{good} ", " {good}", "x{good}"))
def test_a_header_that_does_not_look_as_it_should_is_nobodys(given: str) -> None:
    good = f"t={int(NOW)},v1={mac(f'{int(NOW)}.'.encode() + BODY).hex()}"

    assert is_of(signature(**STAMPED), {"x-sign": good})
    assert not is_of(signature(**STAMPED), {"x-sign": given.format(good=good)})


def test_a_pattern_may_tell_the_signature_alone() -> None:
    found = signature(scheme="hmac", header="X-Sign", pattern="v1=(?P<signature>[0-9a-f]+)")

    assert is_of(found, {"x-sign": f"v1={mac().hex()}"})
    assert not is_of(found, {"x-sign": mac().hex()})


@pytest.mark.parametrize(("form", "secret"), (("NFD", "wo\u0308rd"), ("NFC", "w\u00f6rd"), ("NFKD", "1\u20443")))
def test_a_secret_is_brought_into_the_form_that_its_sender_uses(form: str, secret: str) -> None:
    found = signature(scheme="token", header="X-Key", normalize=form)
    given = {"NFD": "w\u00f6rd", "NFC": "wo\u0308rd", "NFKD": "\u2153"}[form]

    assert is_of(found, {"x-key": secret}, given)
    assert not is_of(signature(scheme="token", header="X-Key"), {"x-key": secret}, given)


@pytest.mark.parametrize(
    ("document", "expects"),
    (
        ({"scheme": "path"}, "the secret at the end of the address"),
        ({"scheme": "basic"}, "user and password in the header `authorization` (Basic)"),
        ({"scheme": "headers", "headers": ["A", "B"]}, "user and password in the headers `a` and `b`"),
        ({"scheme": "hmac", "header": "X-Sign"}, "the body's HMAC in the header `x-sign`"),
        ({"scheme": "digest", "header": "S", "signs": "{body}{secret}"}, "the body's digest in the header `s`"),
        ({"scheme": "token", "header": "X-Key"}, "the secret in the header `x-key`"),
    ),
)
def test_what_is_expected_is_told_to_whoever_is_refused(document: dict[str, Any], expects: str) -> None:
    assert signature(**document).expects == expects


@pytest.mark.parametrize(
    ("document", "complaint"),
    (
        ({}, "where.scheme: one of hmac, digest, basic, headers, token, path is expected"),
        ({"scheme": "token"}, "where.header: "),
        ({"scheme": "digest", "signs": "{body}{secret}"}, "where.header: "),
        ({"scheme": "token", "header": ""}, "where.header: a text"),
        ({"scheme": "token", "header": 1}, "where.header: a text"),
        ({"scheme": "token", "header": "a", "prefix": 1}, "where.prefix: a text"),
        ({"scheme": "hmac", "header": "a", "signs": "{body}{body}"}, "where.signs: "),
        ({"scheme": "hmac", "header": "a", "pattern": "(?P<timestamp>x)"}, "where.pattern: a group"),
        (
            {"scheme": "hmac", "header": "a", "signs": "{timestamp}{body}", "pattern": "(?P<signature>x)"},
            "where.pattern: a group",
        ),
        ({"scheme": "headers"}, "where.headers: "),
        ({"scheme": "headers", "headers": "ab"}, "where.headers: "),
        ({"scheme": "headers", "headers": ["a"]}, "where.headers: "),
        ({"scheme": "headers", "headers": ["a", "b", "c"]}, "where.headers: "),
        ({"scheme": "headers", "headers": ["a", ""]}, "where.headers: "),
        ({"scheme": "headers", "headers": ["a", 1]}, "where.headers: "),
        ({"scheme": "path", "zebra": 1, "colour": 1}, "where: unknown key 'colour'"),
    ),
)
def test_a_mistake_is_named_with_its_place(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        signature(**document)

    assert str(caught.value).startswith(complaint)


def test_what_is_not_said_has_its_usual_value() -> None:
    assert signature(scheme="path") == Signature(Scheme.PATH)
    assert signature(scheme="token", header="X-Key") == Signature(Scheme.TOKEN, "x-key")
    # The header of Basic is always the same, and names of other headers are of that scheme alone.
    assert signature(scheme="basic", header="X-Key", headers=["a", "b"]) == Signature(Scheme.BASIC, "authorization")
