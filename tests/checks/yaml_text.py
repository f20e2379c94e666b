"""JSON values as YAML text that people can read. Writing is all that is needed, so no library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

# Words and paths that no YAML version takes for anything but text; all else is quoted, as in JSON.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def to_yaml(value: dict[str, Any]) -> str:
    """`value` as a YAML document; keys keep their order."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _entry(f"{_scalar(str(key))}:", member)
    else:
        for item in value:
            nested = list(_lines(item)) if _is_block(item) else [_scalar(item)]
            yield f"- {nested[0]}"
            yield from (f"  {line}" for line in nested[1:])


def _entry(head: str, member: Any) -> Iterator[str]:
    if _is_block(member):
        yield head
        yield from (f"  {line}" for line in _lines(member))
    else:
        yield f"{head} {_scalar(member)}"


def _is_block(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)
