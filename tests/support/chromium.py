"""A Chromium to test with: the system's, else the one in the packages of a Debian, with fonts of its own.

Rather the headless shell than the browser: the same engine without windows. A whole Chromium makes a window with all its
buttons for each profile, headless or not, and every test has a profile of its own: three times the CPU, which was a quarter
of all that `make test` takes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from tests.support import debian

_PROGRAMS: Final = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_NAME: Final = "chromium-headless-shell"
_PACKAGES: Final = (_NAME, "fonts-noto-core")
# For windows, sound servers, printers and graphics cards, which a browser without a head has none of. With all that
# hangs on them they are half of what would come.
_WITHOUT: Final = (
    "adwaita-icon-theme", "dbus", "dbus-bin", "libgl1-mesa-dri", "libgtk-3-common", "perl", "procps",
    "shared-mime-info", "systemd", "x11-utils", "xdg-utils",
)  # fmt: skip
_FONTS: Final = Path(__file__).with_name("fonts.conf")
_HINT: Final = (
    "install Chromium or Chrome (Debian: apt-get install chromium-headless-shell; Ubuntu, macOS: Google Chrome)"
)


class NoChromium(Exception):
    """There is no Chromium and none can be brought; the message is one line that says what to do."""


class Chromium(NamedTuple):
    """A program, and the environment to run it in."""

    program: Path
    environment: dict[str, str]


def find_chromium() -> Chromium:
    """A Chromium that runs. Raises NoChromium."""
    for name in _PROGRAMS:
        found = shutil.which(name)
        # Ubuntu's `chromium-browser` may be a script that only says what to install.
        if found and _runs(system := Chromium(Path(found), dict(os.environ))):
            return system
    try:
        folder = debian.bring(_NAME, _PACKAGES, without=_WITHOUT, works=lambda folder: _runs(_unpacked(folder)))
    except debian.CannotBring as problem:
        raise NoChromium(f"{problem}: {_HINT}") from None
    return _unpacked(folder)


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser, for the length of the block. Its driver ends it when this process goes away, however it goes.

    Playwright starts it without its sandbox, which needs privileges that a container may not give; all that it is
    shown is our own.
    """
    chromium = find_chromium()
    with sync_playwright() as playwright:
        environment: dict[str, str | float | bool] = {**chromium.environment}
        browser = playwright.chromium.launch(executable_path=chromium.program, env=environment, timeout=60_000)
        try:
            yield browser
        finally:
            browser.close()


def _unpacked(folder: Path) -> Chromium:
    # Fonts are looked for in XDG_DATA_HOME by our configuration; and nothing is written to anybody's home.
    own = {
        "FONTCONFIG_FILE": str(_FONTS),
        "XDG_DATA_HOME": str(folder / "usr/share"),
        "XDG_DATA_DIRS": str(folder / "usr/share"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    return Chromium(folder / "usr/lib/chromium" / _NAME, debian.environment(folder) | own)


def _runs(chromium: Chromium) -> bool:
    try:
        subprocess.run(
            [chromium.program, "--version"], env=chromium.environment, capture_output=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True
