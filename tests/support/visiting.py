"""Somebody who looks at the pages with a browser, and what the browser had to complain about."""

from __future__ import annotations

import re
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect

from service.web.html.catalogue import LANGUAGES
from tests.support import thorough
from tests.support.waiting import PATIENCE

# Of the languages, those that are likeliest to be cut off: the longest words, and from right to left.
WIDEST: Final = LANGUAGES if thorough.IS_ON else ("de", "ar")

_WINDOW: Final = {"width": 1280, "height": 900}
_SECONDS: Final = 20 * PATIENCE
# What a page answers to a number that leads nowhere is an error to the console alone.
_NOT_FOUND: Final = re.compile(r"^Failed to load resource: the server responded with a status of 404")
expect.set_options(timeout=_SECONDS * 1000)


class Visitor:
    """A browser profile of its own with one page. What goes wrong on it fails the test that looks at `complaints`."""

    def __init__(self, browser: Browser, site: str, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            **{"viewport": _WINDOW, "locale": "en-GB", "base_url": site, **options}
        )
        self.context.set_default_timeout(_SECONDS * 1000)
        self.page: Page = self.context.new_page()
        self.responses: list[Response] = []
        self.complaints: list[str] = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", lambda response: self.responses.append(response))  # noqa: PLW0108 - it has to be a function

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not _NOT_FOUND.match(message.text):
            self.complaints.append(message.text)

    def open(self, path: str) -> Page:
        """Go to a page of the site."""
        self.page.goto(path)
        return self.page

    def excuse(self, pattern: str) -> None:
        """Forget complaints that a test has brought about itself."""
        self.complaints = [each for each in self.complaints if not re.search(pattern, each)]

    def close(self) -> None:
        """Leave; nothing of the profile stays."""
        self.context.close()


def overflowing(page: Page) -> list[str]:
    """What sticks out of the window sideways, or is cut off in its box."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            const said = element => `${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 50)}`;
            const told = [];
            const unseen = element =>
                element && (getComputedStyle(element).clipPath !== "none" || unseen(element.parentElement));
            const page = document.documentElement.scrollWidth;
            if (page > width) told.push(`the page: ${page}`);
            for (const element of document.body.querySelectorAll("*")) {
                // Until it has the focus; a table of two dimensions; for screen readers alone.
                if (element.closest(".skip, .scroll") || unseen(element)) continue;
                const box = element.getBoundingClientRect();
                const style = getComputedStyle(element);
                if (!box.width || style.display === "inline") continue;
                if (box.left < -0.5 || box.right > width + 0.5) told.push(said(element));
                const isWider = element.scrollWidth > element.clientWidth + 1;
                if (style.overflowX !== "visible" && isWider) told.push(said(element));
            }
            return told;
        }"""
    )
    return found


def torn(page: Page) -> list[str]:
    """Words that are broken over two lines where no hyphen shows it; numbers and codes may be."""
    found: list[str] = page.evaluate(
        """() => {
            const told = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                if (node.parentElement.closest(".unseen, .skip, bdi, code, pre")) continue;
                for (const word of node.data.matchAll(/[\\p{L}\\p{M}\\u00ad]+/gu)) {
                    if (word[0].includes('\\u00ad')) continue; // says itself where it may be divided
                    const range = document.createRange();
                    range.setStart(node, word.index);
                    range.setEnd(node, word.index + word[0].length);
                    const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
                    if (lines.size > 1) told.push(word[0]);
                }
            }
            return told;
        }"""
    )
    return found
