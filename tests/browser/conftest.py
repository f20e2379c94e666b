"""One browser and one service a file, and a profile of its own for each visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from deploy.local.stack import LocalStack
from tests.support.chromium import launched
from tests.support.databases import Databases
from tests.support.site import Site, running_site
from tests.support.visiting import Visitor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "visit" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than for a file: while its driver is there, nothing else in this thread can run an event loop."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest,
    databases: Databases,
    migrated_template: str,
    stack: LocalStack,
    given_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The service with its pages; a file says with PROCESSES what else of it has to run, and with SETTINGS how."""
    database = databases.create(template=migrated_template)
    with pytest.MonkeyPatch.context() as shell:
        for name in given_environment:
            shell.delenv(name, raising=False)
        processes, settings = getattr(request.module, "PROCESSES", ()), getattr(request.module, "SETTINGS", {})
        with running_site(database, stack, tmp_path_factory.mktemp("logs"), *processes, **settings) as site:
            yield site
    databases.drop(database)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; none of them may have had a reason to complain."""
    visitors: list[Visitor] = []

    def start(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, site.url, **options))
        return visitors[-1]

    yield start
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.close()
    assert not complaints, complaints
