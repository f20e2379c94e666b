"""The page of the scan station, the files that it brings along, and the service worker that keeps both for when we are away.

All of it is the same for everybody and holds nothing: who signs in, and what is scanned, is between the page and the API.
"""

from __future__ import annotations

import json
from hashlib import sha256
from http import HTTPStatus
from importlib import resources
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.web.html.assets import Asset, Assets
from service.web.html.catalogue import Catalogue, load, page_language
from service.web.html.rendering import Templates
from service.web.http.headers import HTML, PAGE_HEADERS

PATH: Final = "/hub"
WORKER: Final = f"{PATH}/worker.js"
_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_SHARED: Final = ("base.css", "mark.svg")
_FOR_EVER: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "same-origin",
}
# Those of every page; and codes are read with the camera.
_HEADERS: Final = {
    **PAGE_HEADERS,
    "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=()",
}
# Texts that scripts say; the rest stands in the page.
_SAID: Final = (
    "say.",
    "more.",
    "link.",
    "status.",
    "signin.",
    "item.",
    "outcome.",
    "condition.",
    "reason.",
    "paper.",
    "mode.",
    "process.",
    "connote.",
    "hub.undo",
)


class Station:
    """The routes of the page."""

    def __init__(self) -> None:
        assets = Assets()
        self._files = _read()
        self._folder = f"{PATH}/files/{_digest(self._files)}"
        kept = [PATH, *(f"{self._folder}/{name}" for name in self._files if name != "worker.js")]
        kept += [assets.address(name) for name in _SHARED]
        self._worker = f"const KEPT = {json.dumps(kept)};\n".encode() + self._files["worker.js"].body
        self._templates = Templates(assets, load(".", "hub"))
        self.router = APIRouter()
        for path, endpoint in (
            (PATH, self.page),
            (WORKER, self.worker),
            (f"{PATH}/files/{{version}}/{{name}}", self.file),
        ):
            self.router.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)

    def page(self, request: Request) -> Response:
        """The page, in the language that was chosen on it or that the browser accepts."""
        chosen = page_language(request.query_params.get("lang"), None, request.headers.get("accept-language"))
        texts = _said(self._templates.catalogues[chosen.language])
        body = self._templates.page(
            "hub/station.html", chosen.language, explicit=chosen.is_chosen, folder=self._folder, texts=texts
        )
        return Response(body, headers={**_HEADERS, "content-language": chosen.language}, media_type=HTML)

    def worker(self) -> Response:
        """Under an address that stays: a browser asks there whether there is a new one."""
        headers = {**_HEADERS, "service-worker-allowed": PATH}
        return Response(self._worker, headers=headers, media_type=_TYPES["js"])

    def file(self, version: str, name: str) -> Response:
        """A file of this version; modules name each other without one."""
        found = self._files.get(name) if f"{PATH}/files/{version}" == self._folder else None
        if found is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response(found.body, media_type=found.media_type, headers=_FOR_EVER)


def _read() -> dict[str, Asset]:
    folder = resources.files("service.web.hub") / "files"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {
        file.name: Asset(file.read_bytes(), media_type)
        for file in files
        if (media_type := _TYPES.get(file.name.rpartition(".")[2])) is not None
    }


def _digest(files: dict[str, Asset]) -> str:
    """Of all of them: who has one of a version has the others of the same."""
    told = sha256()
    for name, asset in files.items():
        told.update(f"{name} {sha256(asset.body).hexdigest()}\n".encode())
    return told.hexdigest()[:12]


def _said(catalogue: Catalogue) -> str:
    return json.dumps({key: text for key, text in catalogue.texts.items() if key.startswith(_SAID)}, ensure_ascii=False)
