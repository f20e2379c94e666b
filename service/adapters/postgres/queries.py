"""SQL lives in .sql files: blocks that start with `-- name: what_it_does`, then the comment and the statement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final, LiteralString, cast

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(file_name: str, lists: Mapping[str, str] = MappingProxyType({})) -> dict[str, LiteralString]:
    """The statements of a file beside this module, by name; `{name}` in them stands for what `lists` has of that name.

    The texts count as literals for psycopg: they come with the package and hold no input.
    """
    text = resources.files("service.adapters.postgres.sql").joinpath(file_name).read_text(encoding="utf-8")
    for name, columns in lists.items():
        text = text.replace(f"{{{name}}}", columns)
    parts = _NAME.split(text)[1:]
    return {name: cast("LiteralString", body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
