"""The files that pages bring along, served by us under names that change with their content, so that they keep for ever."""

from __future__ import annotations

from hashlib import sha256
from importlib import resources
from typing import Final, NamedTuple

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A file as it is sent."""

    body: bytes
    media_type: str


class Assets:
    """All files of static/, read once."""

    def __init__(self) -> None:
        self._by_path: dict[str, Asset] = {}
        self._paths: dict[str, str] = {}
        for file in (resources.files("service.web.html") / "static").iterdir():
            stem, dot, ending = file.name.rpartition(".")
            media_type = _TYPES.get(dot + ending)
            if media_type is None:
                continue
            body = file.read_bytes()
            path = f"{stem}.{sha256(body).hexdigest()[:12]}.{ending}"
            self._by_path[path] = Asset(body, media_type)
            self._paths[file.name] = f"/static/{path}"

    def address(self, name: str) -> str:
        """Where a file is to be asked for; KeyError for none."""
        return self._paths[name]

    def find(self, path: str) -> Asset | None:
        return self._by_path.get(path)
