"""axe-core, which finds what keeps people from using a page: WCAG 2.2, levels A and AA."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from playwright.sync_api import Page

_TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is shown now, one line each."""
    page.evaluate(_script())
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", list(_TAGS))
    assert found["passes"], "axe looked at nothing"
    return [
        f"{each['id']}: {each['help']}: {'; '.join(node['html'][:150] for node in each['nodes'])}"
        for each in found["violations"]
    ]


@cache
def _script() -> str:
    # Ends with a value that can be handed back.
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0"
