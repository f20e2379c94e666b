"""What `run` starts, and with which settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from service.config import Settings
from service.errors import SettingsError
from service.runtime.lifecycle import Stop
from service.wiring.supervising import PROCESSES, run_all


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the supervisor is asked to start."""
    found: dict[str, Any] = {}

    def supervise(commands: Any, stop: Stop, *, environments: Any) -> bool:
        found.update(commands=commands, environments=environments)
        return not stop

    monkeypatch.setattr("service.wiring.supervising.supervise", supervise)
    monkeypatch.setenv("RETURNS_LOG_LEVEL", "warning")
    return found


def test_every_process_gets_the_settings_of_this_one_and_a_port_of_its_own(started: dict[str, Any]) -> None:
    assert run_all(Settings(metrics_port=9100), Stop())

    assert started["commands"] == {name: [sys.executable, "-m", "service", name] for name in PROCESSES}
    environments = started["environments"]
    assert [environments[name]["RETURNS_METRICS_PORT"] for name in PROCESSES] == ["9100", "9101", "9102", "9103"]
    assert {environment["RETURNS_LOG_LEVEL"] for environment in environments.values()} == {"warning"}


def test_without_a_port_for_metrics_nobody_gets_one(started: dict[str, Any]) -> None:
    run_all(Settings(metrics_port=0), Stop())

    assert not any("RETURNS_METRICS_PORT" in environment for environment in started["environments"].values())


@pytest.mark.parametrize("setting", ("publishers", "numbers_file", "portal_file", "feeds_file", "carrier_tables"))
def test_a_file_that_a_child_would_not_start_with_is_said_before_any_is_started(
    started: dict[str, Any], tmp_path: Path, setting: str
) -> None:
    wrong: dict[str, Any] = {setting: str(tmp_path / "none")}

    with pytest.raises(SettingsError, match="none"):
        run_all(Settings(metrics_port=0, **wrong), Stop())

    assert started == {}
