"""/hub without a browser: the page, its files, its service worker, and its words in all languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import Client

from service.metrics import Metrics
from service.web.html.catalogue import LANGUAGES, load
from service.web.http.middleware import Access
from service.web.hub.page import Station
from tests.support.web import served

WEB = Path(__file__).parents[4] / "service" / "web"
TEMPLATE = WEB / "html" / "templates" / "hub" / "station.html"
SCRIPTS = "".join(path.read_text() for path in sorted((WEB / "hub" / "files").glob("*.js")))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    app = FastAPI()
    app.add_middleware(Access, metrics=Metrics())
    app.include_router(Station().router)
    with served(app) as client:
        yield client


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_in_every_language_and_holds_nothing(client: Client, language: str) -> None:
    page = client.get("/hub", params={"lang": language})

    assert page.status_code == 200
    assert f'<html lang="{language}"' in page.text
    assert load(".", "hub")[language]("hub.title") in unescape(page.text)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["permissions-policy"].startswith("camera=(self),")
    assert "set-cookie" not in page.headers


def test_all_that_the_page_names_is_there_and_keeps_for_ever(client: Client) -> None:
    page = client.get("/hub").text
    named = set(re.findall(r'(?:src|href)="(/hub/[^"]+)"', page))
    folder = next(iter(named)).rpartition("/")[0]
    imported = {f"{folder}/{name}" for name in re.findall(r'from "\./([a-z0-9]+\.js)"', SCRIPTS)}

    assert {f"{folder}/station.js", f"{folder}/station.css"} <= named
    for path in named | imported:
        found = client.get(path)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
    assert client.get(f"{folder}/none.js").status_code == 404
    assert client.get("/hub/files/000000000000/station.js").status_code == 404


def test_the_worker_keeps_all_that_the_page_needs_and_is_asked_for_anew(client: Client) -> None:
    worker = client.get("/hub/worker.js")
    page = client.get("/hub").text
    kept = set(re.findall(r'"(/[^"]+)"', worker.text.partition("\n")[0]))

    assert worker.headers["service-worker-allowed"] == "/hub"
    assert worker.headers["cache-control"] == "no-store"
    assert "/hub" in kept
    # The languages' links lead to the page itself; the folder of files is whole, whatever of it is imported.
    static = re.compile(r'(?:src|href)="(/(?:static|hub)/[^"]+)"')
    assert {path for path in static.findall(page) if "/static/" in path} <= kept
    assert {path.rpartition("/")[2] for path in kept if "/files/" in path} == {
        path.name for path in (WEB / "hub" / "files").iterdir() if path.name != "worker.js"
    }


def test_every_text_is_used_and_every_text_that_is_used_is_there() -> None:
    sources = TEMPLATE.read_text() + SCRIPTS
    used = set(re.findall(r'\bt\("([a-z_]+\.[a-z_]+)"', sources))
    # Others are made from a word for what happened, was chosen or is.
    words = set(re.findall(r'"(?:[a-z]+\.)?([a-z_]+)"', sources)) | set(re.findall(r"\b([a-z_]+): ", sources))

    assert used <= load(".", "hub")["en"].texts.keys()
    rest = load("hub")["en"].texts.keys() - used - {"language"}
    assert {key for key in rest if key.rpartition(".")[2] not in words} == set()
