"""The pictures of the pages in the README: `python -m deploy.local.stack during python -m tests.browser.screenshots`.

They show the real service with a simulated world in it, always the same, in the Chromium that the tests use.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from playwright.sync_api import Browser

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from service.domain.milestones import RANKED, Milestone
from service.domain.timeline import Timeline
from tests.support import debian
from tests.support.chromium import launched
from tests.support.databases import Databases
from tests.support.returns import stored_timelines
from tests.support.site import WORLD, Site, rejected, running_site
from tests.support.waiting import eventually

FOLDER: Final = Path(__file__).resolve().parents[2] / "deploy" / "docs" / "screenshots"
WIDE: Final = {"width": 1180, "height": 1120}
DESK: Final = {"width": 1280, "height": 1000}
PHONE: Final = {"width": 390, "height": 844}
RC, RT, RDTPF, _, RP, _, _ = RANKED


def main() -> None:
    """Make all of them anew."""
    with _world() as site, launched() as browser:
        desk = _logged_in(browser, site)
        stuck = site.story(_at_the_door).return_id
        _shoot(browser, site, "ops", "/ops", viewport=DESK, storage_state=desk)
        _shoot(browser, site, "ops-return", f"/ops/returns/{stuck}", viewport=DESK, storage_state=desk)
        _shoot(
            browser, site, "ops-figures-dark", "/ops/figures", viewport=DESK, storage_state=desk, color_scheme="dark"
        )
        number = site.story(_at_the_hub).return_id
        _shoot(browser, site, "track", f"/track/{number}", viewport=WIDE)
        _shoot(
            browser, site, "track-phone-arabic-dark", f"/track/{number}?lang=ar", viewport=PHONE, color_scheme="dark"
        )
        refused = site.story(rejected).return_id
        _shoot(browser, site, "track-phone-rejected", f"/track/{refused}", viewport=PHONE)


def _at_the_hub(timeline: Timeline) -> bool:
    """Opened and confirmed, after a way without a gap, at a hub whose name is known."""
    return timeline.status is RP and set(RANKED[:5]) <= timeline.counts.keys() and Milestone.RR not in timeline.counts


def _at_the_door(timeline: Timeline) -> bool:
    """The carrier says delivered, and no hub has seen it."""
    return timeline.status is RDTPF and not timeline.complete and timeline.counts.keys() == {RC, RT, RDTPF}


def _logged_in(browser: Browser, site: Site) -> Any:
    token = site.service.done("token", "create", "--scopes", "ops,hub,read", "--label", "Aroha").strip()
    page = browser.new_page(base_url=site.url)
    page.goto("/ops/login")
    page.locator("#token").fill(token)
    page.keyboard.press("Enter")
    page.locator("header .who").wait_for()
    return page.context.storage_state()


@contextmanager
def _world() -> Iterator[Site]:
    stack = LocalStack()
    databases = Databases(stack.database_url)
    database = databases.create()
    try:
        migrate(database)
        with (
            tempfile.TemporaryDirectory() as logs,
            running_site(database, stack, Path(logs), "ingest", "project", world=WORLD) as site,
        ):
            site.publish(*site.messages)
            known = len(site.answer.returns)
            eventually(lambda: len(stored_timelines(database)) >= known, 60, every=1)
            eventually(lambda: _is_projected(site), 60)
            # All of it was published just now. The desk's ages are those of a service that heard of it as it happened.
            with psycopg.connect(database) as connection:
                connection.execute("UPDATE search_returns SET status_recorded_at = status_at")
            yield site
    finally:
        databases.drop(database)


def _is_projected(site: Site) -> bool:
    ((recorded, projected),) = site.service.query(
        "SELECT (SELECT max(n) FROM batches), (SELECT max(n) FROM cursors WHERE name = 'search')"
    )
    return bool(recorded == projected)


def _shoot(browser: Browser, site: Site, name: str, path: str, **options: Any) -> None:
    context = browser.new_context(base_url=site.url, locale="en-NZ", device_scale_factor=1, **options)
    page = context.new_page()
    page.goto(path)
    page.wait_for_load_state("load")
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file)
    context.close()
    _squeeze(file)
    print(f"{file.name}: {file.stat().st_size // 1000} kB")


def _squeeze(file: Path) -> None:
    """To 256 colours, which is a third of the size and looks the same."""
    folder = debian.bring("pngquant", ["pngquant"], works=lambda folder: (folder / "usr/bin/pngquant").exists())
    options = ("--speed", "1", "--nofs", "--strip", "--force", "--ext", ".png")
    subprocess.run([folder / "usr/bin/pngquant", *options, file], env=debian.environment(folder), check=True)


if __name__ == "__main__":
    main()
