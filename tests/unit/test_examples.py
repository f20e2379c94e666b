"""The examples in docstrings of the domain and of the wire do what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import service

_ROOT = Path(service.__file__).parent
MODULES = sorted(
    ".".join(("service", *path.relative_to(_ROOT).with_suffix("").parts))
    for wing in ("domain", "wire")
    for path in (_ROOT / wing).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    module = import_module(name)

    failed, tried = doctest.testmod(module)

    assert tried > 0
    assert failed == 0
