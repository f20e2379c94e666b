"""Values of the hot path: immutable, and cheap to make and to read.

To the type checker `value` is a frozen dataclass. At run time nothing stands in the way of an assignment, because what
stands there costs three times the rest of making one. A named tuple costs half as much again as a class with slots, and
ten times as much each time that a field is read. `tests/support/frozen.py` puts the guard back for a run of the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, slots: bool) -> Any:
        """What `dataclasses.dataclass` makes of a class, without the guard."""
        assert frozen and slots  # noqa: S101, PT018 - what the type checker is told
        return dataclass(slots=True, unsafe_hash=True)


__all__ = ["value"]
