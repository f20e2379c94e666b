"""What the commands that mend are made of."""

from __future__ import annotations

from service.runtime.lifecycle import Stop
from service.wiring.mending import StopClock


def test_a_replay_waits_no_longer_than_until_it_is_asked_to_stop() -> None:
    stop = Stop()
    clock = StopClock(stop)
    began = clock.now()
    assert not clock.wait(0.001)

    stop.set()

    assert clock.wait(60)
    assert clock.now() - began < 30
