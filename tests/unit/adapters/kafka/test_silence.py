from __future__ import annotations

from types import SimpleNamespace

from service.adapters.kafka.silence import SILENCE_SECONDS, Silence
from tests.support.fakes import Clock


def test_brokers_that_say_nothing_are_silent_and_a_word_ends_it() -> None:
    clock, net = Clock(), SimpleNamespace(heard_at=1.0)
    silence = Silence(net, clock)
    for _ in range(int(SILENCE_SECONDS) + 1):
        clock.pass_(1)
        silence.seconds()
    assert silence.is_too_long

    net.heard_at = 2.0

    assert silence.seconds() == 0
    assert not silence.is_too_long


def test_who_did_not_listen_does_not_know() -> None:
    # A worker that was frozen, or waited for PostgreSQL: the answers may be there, still to be read.
    clock = Clock()
    silence = Silence(SimpleNamespace(heard_at=1.0), clock)

    clock.pass_(3600)

    assert not silence.is_too_long
