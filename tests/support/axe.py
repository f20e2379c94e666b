"""axe-core, which finds what keeps people from using a page: WCAG 2.2, levels A and AA."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final

from playwright.sync_api import Page

from tests.support.visiting import Visitor

# A language that runs from left to right in the light, and one from right to left in the dark.
LIGHTS: Final = (("en", "light"), ("ar", "dark"))
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_RULES_ON_COLOURS: Final = ["color-contrast", "link-in-text-block"]


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is shown now, one line each."""
    return _run(page, {"type": "tag", "values": _TAGS})


def unfolded(page: Page) -> Page:
    """The page, with all that is folded on it unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    return page


def violations_by_page(visitor: Visitor, paths: Iterable[str]) -> dict[str, list[str]]:
    """What axe finds on each page, with all that is folded on it unfolded; without those on which it finds nothing."""
    found = {path: violations(unfolded(visitor.open(path))) for path in paths}
    return {path: said for path, said in found.items() if said}


def violations_in_both_lights(page: Page) -> list[str]:
    """The same, and then in the other light what depends on colours; all that is folded is unfolded for it."""
    unfolded(page)
    page.emulate_media(color_scheme="light")
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    return found + [f"dark: {each}" for each in _run(page, {"type": "rule", "values": _RULES_ON_COLOURS})]


def _run(page: Page, only: dict[str, Any]) -> list[str]:
    page.wait_for_load_state()
    page.evaluate(_script())
    found = page.evaluate("only => axe.run(document, {runOnly: only})", only)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{each['id']}: {each['help']}: {'; '.join(node['html'][:150] for node in each['nodes'])}"
        for each in found["violations"]
    ]


@cache
def _script() -> str:
    # Ends with a value that can be handed back.
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0"
