"""What tests share: the local stack, a database and topics of their own, and a guard for those that need neither.

Fixtures: `stack`, `database`, `empty_database`, `topics`, `clients`, `private_stack`. A test is a `kafka` or
`postgres` test by the fixtures it asks for; one that reaches a server without them fails.
"""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.kafka_server import KafkaServer
from deploy.local.postgres_server import PostgresServer
from deploy.local.stack import LocalStack
from tests.support import reaching, thorough
from tests.support.databases import Databases
from tests.support.reused import Reused
from tests.support.servers import private_home
from tests.support.service import Service, create_topics, new_service
from tests.support.topics import Clients, Topics

TESTS = Path(__file__).parent
PREFIX = "RETURNS_"
# Folders and files in the order in which they begin, the longest ones first; what is not named comes at the end.
FIRST = (
    "browser/test_desk.py",
    "browser/test_station.py",
    "contract/",
    "e2e/",
    "integration/web/ops/test_queues.py",
    "integration/cli/test_processes.py",
    "browser/",
    "integration/web/",
    "integration/runtime/",
    "integration/",
    "unit/domain/test_properties.py",
    "unit/wire/test_stored.py",
    "unit/runtime/ingest/test_loop.py",
    "unit/application/journal/",
    "unit/cli/",
)
# Fixtures that lead to a server, and the marker that a test gets with them.
LEADS_TO = {
    "clients": {"kafka"},
    "database": {"postgres"},
    "empty_database": {"postgres"},
    "private_stack": {"kafka", "postgres"},
    "service": {"kafka", "postgres"},
    "site": {"kafka", "postgres"},
    "stack": {"kafka", "postgres"},
    "topics": {"kafka"},
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not thorough.IS_ON and (left := [item for item in items if item.get_closest_marker("thorough")]):
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    # They come shuffled. A long file that begins last keeps one worker busy when the others are done.
    items.sort(key=_turn)
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            for marker in LEADS_TO.get(fixture, ()):
                item.add_marker(marker)


def _turn(item: pytest.Item) -> int:
    path = item.path.relative_to(TESTS).as_posix()
    return next((turn for turn, begin in enumerate(FIRST) if path.startswith(begin)), len(FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # What is imported and collected stays to the end; the garbage collector need not look at it again and again.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def given_environment() -> dict[str, str]:
    """The settings that this run was started with."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_shell(given_environment: dict[str, str]) -> Iterator[None]:
    """A test says the settings it needs; those of the shell would make it pass here and fail there."""
    with pytest.MonkeyPatch.context() as shell:
        for name in given_environment:
            shell.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def guarded_servers() -> Iterator[None]:
    """Every way to a server asks whether the running test may go there."""
    with pytest.MonkeyPatch.context() as patch:
        reaching.guard(patch)
        yield


@pytest.fixture(autouse=True)
def no_server_unless_asked(request: pytest.FixtureRequest, guarded_servers: None) -> Iterator[None]:
    """Fail a test that opens a connection without a fixture or marker that says so."""
    reaching.allow(reaching.ANY.intersection(marker.name for marker in request.node.iter_markers()))
    yield
    reaching.allow(reaching.ANY)


@pytest.fixture(scope="session")
def stack(given_environment: dict[str, str]) -> Iterator[LocalStack]:
    """Kafka and PostgreSQL, shared by all tests; started when they do not run, and stopped only then."""
    stack = LocalStack(environment=given_environment)
    started = stack.up()
    yield stack
    if "kafka" in started:
        stack.kafka.stop()
    if "postgres" in started:
        stack.postgres.stop()


@pytest.fixture(scope="session")
def databases(stack: LocalStack) -> Databases:
    """Makes databases on the shared server."""
    databases = Databases(stack.database_url)
    if urlsplit(stack.database_url).hostname in {"127.0.0.1", "localhost"}:
        databases.drop_orphans()
    return databases


@pytest.fixture(scope="session")
def migrated_template(databases: Databases) -> Iterator[str]:
    """A database with the service's tables and nothing in them; nobody connects to it."""
    from service.adapters.postgres.migrations import migrate

    url = databases.create()
    migrate(url)
    yield url
    databases.drop(url)


@pytest.fixture(scope="session")
def reused(databases: Databases, migrated_template: str) -> Iterator[Reused]:
    """Lends databases with the service's tables, one test after the other."""
    reused = Reused(databases, migrated_template)
    yield reused
    reused.close()


@pytest.fixture
def database(reused: Reused) -> Iterator[str]:
    """The URL of a database with the service's tables that no other test uses meanwhile."""
    with reused.lent() as url:
        yield url


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The URL of a database of the test's own with nothing in it."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def topics(stack: LocalStack) -> Iterator[Topics]:
    """Topics under a prefix of the test's own."""
    topics = Topics(stack.bootstrap_servers)
    yield topics
    topics.close()


@pytest.fixture
def clients(stack: LocalStack) -> Iterator[Clients]:
    """Kafka producers and consumers, closed after the test."""
    clients = Clients(stack.bootstrap_servers)
    yield clients
    clients.close()


@pytest.fixture(scope="session")
def private_folder() -> Iterator[Path]:
    """Where this session's own servers live."""
    with private_home() as home:
        yield home


@pytest.fixture
def private_stack(private_folder: Path) -> Iterator[LocalStack]:
    """A broker and a database server of the test's own, not yet started: `private_stack.postgres.start()` and so on."""
    stack = LocalStack(private_folder / f"stack{next(_numbers)}", environment={})
    stack.kafka = KafkaServer(
        stack.home / "kafka", heap="384m", settings={"broker.session.timeout.ms": "2000"}, is_short_lived=True
    )
    stack.postgres = PostgresServer(stack.home / "postgres", shared_buffers="64MB")
    yield stack
    stack.kafka.kill()
    stack.postgres.kill()
    stack.clean()


_numbers = itertools.count(1)


@pytest.fixture
def service(database: str, topics: Topics, clients: Clients, tmp_path: Path) -> Iterator[Service]:
    """The service's commands with a database and topics of the test's own."""
    logs = tmp_path / "logs"
    logs.mkdir()
    create_topics(topics)
    with new_service(database, topics, clients, logs) as service:
        yield service
