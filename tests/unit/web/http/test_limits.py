from __future__ import annotations

import pytest

from service.web.http.limits import Allowance, Limiter, Rate, client_of


def test_a_rested_key_may_burst_and_then_goes_at_its_rate() -> None:
    now = 50.0
    limiter = Limiter(Rate(per_minute=6, burst=3), lambda: now)

    burst = [limiter.wait("a") for _ in range(4)]
    other = limiter.wait("b")
    now += 10
    later = [limiter.wait("a"), limiter.wait("a")]

    assert burst == [0, 0, 0, 10]
    assert other == 0
    assert later == [0, 10]


def test_who_is_refused_does_not_wait_longer_for_asking() -> None:
    now = 0.0
    limiter = Limiter(Rate(per_minute=60, burst=1), lambda: now)
    limiter.wait("a")

    for _ in range(100):
        limiter.wait("a")
    now += 1.0

    assert limiter.wait("a") == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.web.http.limits._MOST_BUCKETS", 10)
    limiter = Limiter(Rate(per_minute=1, burst=1), lambda: 0.0)

    for key in range(1000):
        limiter.wait(key)

    assert len(limiter._buckets) == 10


@pytest.mark.parametrize(
    ("host", "client"),
    (
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("testclient", "testclient"),
        ("x" * 10_000, "x" * 64),
    ),
)
def test_a_client_is_an_address_or_a_site(host: str | None, client: str) -> None:
    assert client_of(host) == client


def test_a_key_may_have_a_rate_of_its_own_and_is_told_what_is_left() -> None:
    now = 0.0
    limiter = Limiter(Rate(per_minute=600, burst=600), lambda: now)

    first, second, third = (limiter.allowance(7, 2) for _ in range(3))
    other = limiter.allowance(8)
    now += 30
    later = limiter.allowance(7, 2)

    assert (first, second) == (Allowance(2, 1, 30, 0), Allowance(2, 0, 60, 0))
    assert third == Allowance(2, 0, 60, 30)
    assert third.headers == {
        "ratelimit-policy": '"token";q=2;w=60',
        "ratelimit": '"token";r=0;t=60',
        "retry-after": "30",
    }
    assert other.headers == {"ratelimit-policy": '"token";q=600;w=60', "ratelimit": '"token";r=599;t=1'}
    assert later.wait == 0


def test_a_long_key_stands_as_its_digest() -> None:
    limiter = Limiter(Rate(per_minute=1, burst=1), lambda: 0.0)

    waits = [limiter.wait(key) for key in ("a" * 100_000, "a" * 100_000, "a" * 100_001, "\ud800" * 100)]

    assert waits == [0, 60, 0, 0]
    assert all(isinstance(key, bytes) for key in limiter._buckets)
