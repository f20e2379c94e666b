"""The front door: a thousand strangers cost the others nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from http.client import HTTPConnection

import psutil

from deploy.local.process import free_port
from service.adapters.postgres.access.tokens import NewToken, make_token
from service.adapters.postgres.database import connect
from tests.support.service import ROOT, Service
from tests.support.strangers import MANY
from tests.support.waiting import eventually

_SECONDS = 40
_ASKED_EVERY = 0.02  # seconds
_P99, _ALONE = 0.2, 0.03  # seconds; what it is without strangers, where nobody else is at work on the machine
_MOST_GROWN = 40 * 1024 * 1024  # what a thousand connections take, and the warmth of the first requests


def test_a_thousand_slow_or_silent_connections_and_endless_headers_slow_nobody_else(service: Service) -> None:
    # A header that never ended was kept, and at 100 MB of it the process answered nobody; silent connections stayed.
    port = free_port()
    process = service.start("serve", RETURNS_HTTP_PORT=str(port))
    eventually(lambda: '"serving"' in service.newest_log.read_text(), 30, why=service.log_text())
    with connect(service.database, "test") as connection:
        token = make_token(connection, NewToken(["read"]))
    alone = _p99(_asked(port, token, 4))
    server = psutil.Process(process.pid)
    before = server.memory_info().rss

    strangers = subprocess.Popen(
        [sys.executable, "-m", "tests.support.strangers", str(port), str(_SECONDS)], cwd=ROOT, stdout=subprocess.PIPE
    )
    eventually(lambda: len(server.net_connections("tcp")) > MANY * 0.9, 30, every=0.2)
    took = _asked(port, token, (_SECONDS - 10) / 2)
    midway = server.memory_info().rss
    took += _asked(port, token, (_SECONDS - 10) / 2)
    grown, still = server.memory_info().rss - before, server.memory_info().rss - midway
    count, cut_off = map(int, strangers.communicate(timeout=60)[0].split())

    p99 = _p99(took)
    print(
        f"p99 {p99 * 1000:.0f} ms of {len(took)}, alone {alone * 1000:.0f} ms; grown by {grown / 1e6:.0f} MB, of late {still / 1e6:.1f}; {cut_off} cut off, {count} open"
    )
    assert p99 < _P99 * max(1.0, alone / _ALONE)
    assert grown < _MOST_GROWN
    assert still < _MOST_GROWN / 4
    assert cut_off > MANY  # each within ten seconds
    assert process.poll() is None


def _asked(port: int, token: str, seconds: float) -> list[float]:
    """How long each answer took, on connections of the client's own."""
    took: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/v1/returns/R-1", headers={"authorization": f"Bearer {token}"})
        assert connection.getresponse().status == 404
        connection.close()
        took.append(time.perf_counter() - began)
        time.sleep(_ASKED_EVERY)
    return took


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]
