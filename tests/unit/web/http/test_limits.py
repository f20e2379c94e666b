from __future__ import annotations

import pytest

from service.web.http.limits import Limiter, Rate, client_of


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
    ),
)
def test_a_client_is_an_address_or_a_site(host: str | None, client: str) -> None:
    assert client_of(host) == client
