"""What a server needs to be found again: a small JSON file, replaced whole so that a crash never leaves half of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from deploy.local.process import Identity


class State:
    """A JSON object in a file; an unreadable one counts as empty, since all of it can be found out anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """The object as last written."""
        try:
            state = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def write(self, state: dict[str, Any]) -> None:
        """Replace the object; readable by its owner only, for it may hold a password."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file, indent=1)
        draft.replace(self._path)

    def update(self, **changes: Any) -> None:
        """Change members and keep the others."""
        self.write(self.read() | changes)

    def identity(self) -> Identity | None:
        """The process under `pid` and `born`, if there is one."""
        state = self.read()
        try:
            return Identity(int(state["pid"]), str(state["born"]))
        except (KeyError, ValueError, TypeError):
            return None
