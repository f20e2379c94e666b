"""The composition of the simulator."""

from __future__ import annotations

from service.adapters.kafka.publishing.producing import Publishing
from service.config import Settings
from service.runtime.lifecycle import Stop
from service.settings.topics import INPUTS
from service.simulator.options import Options, Topics
from service.simulator.play import play
from service.simulator.report import Tally


def play_world(settings: Settings, options: Options, stop: Stop) -> Tally:
    """Play a world on the input topics until it ends or is asked to stop; answers with what was sent."""
    with Publishing(settings, "returns-simulator", lingering_ms=20) as publishing:
        return play(
            publishing.publish, options, topics=Topics(*map(settings.sent_to, INPUTS)), should_stop=lambda: bool(stop)
        )
