"""Somebody at a scan station: what a hand scanner does, and what the whole screen says."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page, expect

from service.application.access.bounds import Bounds
from tests.support.api import token
from tests.support.site import Site
from tests.support.visiting import Visitor

# Prints nothing, and has more patience with a busy machine than people with a parcel in hand.
_QUIET: Final = """
const patience = AbortSignal.timeout;
AbortSignal.timeout = (ms) => patience.call(AbortSignal, 20 * ms);
window.print = () => { window.printed = (window.printed ?? 0) + 1; };
"""


def token_of(site: Site, hub: str, *scopes: str) -> str:
    """A new token of a hub's station, in the name of the hub."""
    return token(site.service.settings, *scopes, publisher=f"{hub}-hub", bounds=Bounds(hubs=frozenset({hub})))


def sign_in(visitor: Visitor, secret: str, path: str = "/hub") -> Page:
    """Open the station; its field waits for a scan then."""
    visitor.page.add_init_script(_QUIET)
    visitor.open(path)
    visitor.page.locator("#token").fill(secret)
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("#field")).to_be_focused()
    return visitor.page


def scan(page: Page, code: str, said: str, signal: str | None = None) -> None:
    """As a scanner does it, whatever has the focus; `signal` is the colour of the screen, where that is to be seen."""
    count = int(page.locator("#signal").get_attribute("data-count") or 0)
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_function("count => Number(document.getElementById('signal').dataset.count) > count", arg=count)
    expect(page.locator("#said")).to_have_text(said)
    if signal is not None:
        expect(page.locator("body")).to_have_attribute("data-signal", signal)
    expect(page.locator("#field")).to_be_focused()
