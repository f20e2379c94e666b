"""`python -m pytest -p tests.support.frozen`: the domain's values as the type checker sees them, frozen dataclasses.

At run time they are not guarded, because the guard costs too much (`service/domain/values.py`). Here they are: code that
assigns to a value after all, where the type checker could not see it, fails the tests of whoever does.
"""

from __future__ import annotations

import sys
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any

import pytest

from service.domain import values

_made: list[type] = []


def value(*, frozen: bool, slots: bool) -> Any:
    """What the type checker takes `service.domain.values.value` for."""

    def make(plain: type) -> type:
        _made.append(dataclass(frozen=frozen, slots=slots)(plain))
        return _made[-1]

    return make


early = [name for name in sys.modules if name.startswith("service.domain.") and name != values.__name__]
if early:
    raise RuntimeError(f"imported before their values could be frozen: {', '.join(early)}")
vars(values)["value"] = value


def pytest_collection_finish() -> None:
    """A run in which nothing is frozen tells nothing."""
    if not _made:
        pytest.exit("none of these tests uses a value of the domain", returncode=1)
    for each in _made:
        try:
            setattr(object.__new__(each), fields(each)[0].name, None)
        except FrozenInstanceError:
            continue
        pytest.exit(f"{each.__qualname__} is not frozen", returncode=1)
