"""What tells our own forms from others, without a browser."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from service.web.http import guard
from service.web.http.limits import Limiter, Rate
from service.web.ops.desk import clean, number

ID = "an-id"


def request(**headers: str) -> Request:
    named = {"host": "desk.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "method": "POST", "path": "/ops", "headers": raw, "query_string": b""})


@pytest.mark.parametrize(
    ("headers", "taken"),
    (
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "https://evil.example"}, True),  # the browser knows best
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": ""}, False),
        ({"origin": "https://desk.example"}, True),
        ({"origin": "https://public.example"}, True),
        ({"origin": "https://desk.example.evil.example"}, False),
        ({"origin": "https://desk.example@evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://[", "host": ""}, False),
    ),
)
def test_a_form_is_taken_from_our_own_pages(headers: dict[str, str], taken: bool) -> None:
    token = guard.form_token(ID)

    assert guard.is_own_form(request(**headers), ID, token, "https://public.example/") is taken


@pytest.mark.parametrize("token", (None, "", "x", "ü", guard.form_token("another-id"), guard.form_token(ID).upper()))
def test_a_form_needs_the_token_of_its_session(token: str | None) -> None:
    assert not guard.is_own_form(request(), ID, token, None)


def test_without_a_session_no_form_is_taken() -> None:
    assert not guard.is_own_form(request(), None, guard.form_token(ID), None)


def test_the_token_of_a_form_does_not_tell_the_id() -> None:
    assert ID not in guard.form_token(ID)
    assert len({guard.new_id() for _ in range(100)}) == 100


def test_looking_whether_one_may_takes_nothing() -> None:
    limiter = Limiter(Rate(per_minute=1, burst=2), lambda: 0.0)

    assert [limiter.wait("c", take=False) for _ in range(5)] == [0] * 5
    assert [limiter.wait("c") for _ in range(2)] == [0, 0]
    assert limiter.wait("c", take=False) == 60


@pytest.mark.parametrize(
    ("text", "value"),
    (("0", 0), ("7", 7), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("-1", None), ("", None),
     ("1 ", None), ("٣", None), ("1" * 30, None), (None, None)),
)  # fmt: skip
def test_a_key_in_an_address_is_a_whole_number(text: str | None, value: int | None) -> None:
    assert number(text) == value


def test_what_nobody_can_see_is_no_part_of_what_was_typed() -> None:
    assert clean(" R-1\u200b0\u202e01\0 \n x\u00a0y ") == "R-1001 x y"
    assert clean("Ünïcode – مرتجع 😀") == "Ünïcode – مرتجع 😀"
