"""Tokens are looked up seldom, and no revoked one goes on for longer than is promised."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from service.application.access.bounds import UNBOUND
from service.application.access.callers import Caller, Who
from service.web.http.security import TRUSTED_SECONDS, Tokens

_T = TypeVar("_T")


def caller(scope: str) -> Caller:
    return Caller(Who(1, "somebody"), "somebody", frozenset({scope}), UNBOUND)


class Store:
    """Knows tokens, and counts how often it is asked."""

    def __init__(self, **valid: str) -> None:
        self.valid = {token: caller(scope) for token, scope in valid.items()}
        self.asked = 0

    def caller_of(self, token: str) -> Caller | None:
        self.asked += 1
        return self.valid.get(token)


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def done(what: Coroutine[object, object, _T]) -> _T:
    return asyncio.run(what)


def test_a_token_that_is_used_often_is_looked_up_once_in_two_seconds(clock: Clock) -> None:
    store = Store(good="read")
    tokens = Tokens(store, clock)

    answers = [done(tokens.caller_of("good")) for _ in range(5)]

    assert answers == [caller("read")] * 5
    assert store.asked == 1


def test_a_revoked_token_stops_within_two_seconds(clock: Clock) -> None:
    store = Store(good="read")
    tokens = Tokens(store, clock)
    done(tokens.caller_of("good"))
    del store.valid["good"]

    clock.now += TRUSTED_SECONDS

    assert done(tokens.caller_of("good")) is None
    assert TRUSTED_SECONDS == 2.0


def test_use_does_not_make_a_revoked_token_last(clock: Clock) -> None:
    store = Store(good="read")
    tokens = Tokens(store, clock)
    done(tokens.caller_of("good"))
    del store.valid["good"]

    for _ in range(4):
        done(tokens.caller_of("good"))
        clock.now += TRUSTED_SECONDS / 4

    assert done(tokens.caller_of("good")) is None


def test_a_token_that_was_refused_works_as_soon_as_it_exists(clock: Clock) -> None:
    store = Store()
    tokens = Tokens(store, clock)
    assert done(tokens.caller_of("new")) is None

    store.valid["new"] = caller("ops")

    assert done(tokens.caller_of("new")) == caller("ops")


def test_a_token_longer_than_any_is_not_worth_a_question(clock: Clock) -> None:
    store = Store()

    assert done(Tokens(store, clock).caller_of("x" * 257)) is None
    assert store.asked == 0


def test_an_answer_that_was_long_on_its_way_is_not_trusted_from_its_arrival(clock: Clock) -> None:
    class Slow(Store):
        def caller_of(self, token: str) -> Caller | None:
            found = super().caller_of(token)
            clock.now += TRUSTED_SECONDS
            return found

    store = Slow(good="read")
    tokens = Tokens(store, clock)
    done(tokens.caller_of("good"))

    done(tokens.caller_of("good"))

    assert store.asked == 2


def test_no_more_than_so_many_tokens_are_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.web.http.security._MOST_TOKENS", 2)
    store = Store(a="read", b="read", c="read")
    tokens = Tokens(store, clock)
    for token in "abc":
        done(tokens.caller_of(token))

    for token in "cba":
        done(tokens.caller_of(token))

    assert store.asked == 4  # the oldest was forgotten
