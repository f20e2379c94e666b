"""The composition of `run`: every process as a child of this one."""

from __future__ import annotations

import os
import sys
from typing import Final

from service.config import Settings
from service.runtime.lifecycle import Stop
from service.runtime.supervisor import supervise
from service.settings.environment import PREFIX

# What `run` starts. They get RETURNS_METRICS_PORT and the ports after it, in this order.
PROCESSES: Final = ("ingest", "relay", "project", "serve")


def run_all(settings: Settings, stop: Stop) -> bool:
    """Run every process as a child until asked to stop; answers whether all ended well."""
    commands = {name: [sys.executable, "-m", "service", name] for name in PROCESSES}
    environments = {name: dict(os.environ) for name in PROCESSES}
    if settings.metrics_port:
        for number, name in enumerate(PROCESSES):
            environments[name][f"{PREFIX}METRICS_PORT"] = str(settings.metrics_port + number)
    return supervise(commands, stop, environments=environments)
