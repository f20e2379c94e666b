"""The reference page: made from the OpenAPI document, and all of it ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from service.metrics import Metrics
from service.web.app import create_app
from tests.support.web import served

pytestmark = pytest.mark.slow  # the whole document, again and again


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.attributes.update(found)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src") and value]


def test_the_page_tells_every_call_with_its_fields_and_examples_and_fetches_nothing_of_others() -> None:
    app = create_app(None, Metrics())  # type: ignore[arg-type]  # nothing is read
    with served(app) as client:
        answer, style, openapi = client.get("/docs"), client.get("/docs/style.css"), client.get("/openapi.json").json()

    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'; style-src 'self'" in answer.headers["content-security-policy"]
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert {link for link in page.links if not link.startswith("#")} == {"/docs/style.css", "/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not page.tags & {"script", "style", "img", "iframe"}
    assert not {name for name in page.attributes if name == "style" or name.startswith("on")}
    operations = [call["operationId"] for calls in openapi["paths"].values() for call in calls.values()]
    assert set(operations) <= set(page.ids)
    for expected in ("Idempotency-Key", "tracking_number", "OP123456789GB", "items[].sku", "dead-letters/{id}/replay"):
        assert expected.lower() in answer.text.lower(), expected
    assert len(answer.content) < 110_000
    assert re.search(r"@import|url\(", style.text) is None


@pytest.mark.parametrize("path", ("/v1/returns", "/v1/returns/{return_id}", "/v1/exceptions", "/v1/dead-letters/{id}"))
def test_every_answer_has_an_example(path: str) -> None:
    document = create_app(None, Metrics()).openapi()  # type: ignore[arg-type]  # nothing is read
    content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]

    schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]

    assert schema["examples"]
