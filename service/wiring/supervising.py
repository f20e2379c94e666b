"""The composition of `run`: every process as a child of this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from service.config import Settings
from service.runtime.lifecycle import Stop
from service.runtime.supervisor import supervise
from service.settings.environment import variable
from service.wire.omnireturns.portals import load_portals
from service.wiring.feeds import definitions, opened
from service.wiring.parts import carrier_tables, number_ranges, parser

# What `run` starts. They get RETURNS_METRICS_PORT and the ports after it, in this order.
PROCESSES: Final = ("ingest", "relay", "project", "serve")


def run_all(settings: Settings, stop: Stop) -> bool:
    """Run every process as a child until asked to stop; answers whether all ended well.

    Raises SettingsError for files that the children would not start with: whoever started this one is told so at once.
    """
    _require_files(settings)
    commands = {name: [sys.executable, "-m", "service", name] for name in PROCESSES}
    environments = {name: dict(os.environ) for name in PROCESSES}
    if settings.metrics_port:
        for number, name in enumerate(PROCESSES):
            environments[name][variable("metrics_port")] = str(settings.metrics_port + number)
    return supervise(commands, stop, environments=environments)


def _require_files(settings: Settings) -> None:
    parser(settings, carrier_tables(settings))
    load_portals(Path(settings.portal_file) if settings.portal_file else None, number_ranges(settings))
    opened(settings, definitions(settings))
