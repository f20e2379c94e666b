"""How every command begins."""

from __future__ import annotations

import gc

import pytest

from service.cli.start import importing


def test_python_looks_for_cycles_seldom_while_a_command_imports_and_as_ever_afterwards() -> None:
    usual = gc.get_threshold()

    with importing():
        assert gc.get_threshold()[0] > usual[0]
    assert gc.get_threshold() == usual
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.get_threshold() == usual
