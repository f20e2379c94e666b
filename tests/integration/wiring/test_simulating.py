"""The simulator through the public ways in of a service that runs, and what becomes of its world there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deploy.local.stack import LocalStack
from service.adapters.postgres.migrations import migrate
from service.errors import Fatal
from service.runtime.lifecycle import Stop
from service.simulator.answer import Answer
from service.simulator.messages import Nature
from service.simulator.options import Options
from service.simulator.world import World
from service.wiring.simulating.ways import way_in
from tests.support.api import token
from tests.support.site import Site, running_site
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WORLD = Options(
    returns=70, seed=31, rate=0, late=0.1, in_bulk=0.1, repeated=0.1, wrong_code=0.05, invalid=0.03, binary=0.1
)
FEEDS = '[omniparcel-tests]\nfeed = "omniparcel"\nsecret = "seko:a secret of the tests"\n'


@pytest.fixture
def site(database: str, stack: LocalStack, tmp_path: Path) -> Iterator[Site]:
    logs, feeds = tmp_path / "logs", tmp_path / "feeds.toml"
    logs.mkdir()
    feeds.write_text(FEEDS)
    one = Options(returns=1)
    with running_site(database, stack, logs, "ingest", world=one, RETURNS_FEEDS_FILE=str(feeds)) as site:
        yield site


def told(client: httpx.Client, return_id: str) -> dict[str, Any]:
    """What the service says of a return: when each milestone was, and the status."""
    answer = client.get(f"/v1/returns/{return_id}")
    if answer.status_code != 200:
        return {}
    document = answer.json()
    reached = {each["code"]: each["occurred_at"] for each in document["timeline"] if each["state"] == "reached"}
    times = {code: datetime.fromisoformat(at).timestamp() for code, at in reached.items()}
    return {"status": document["status"], **times}


def test_a_world_comes_to_its_own_answer_through_the_public_ways_in(site: Site, empty_database: str) -> None:
    settings, now = site.service.settings, time.time()
    answer = Answer(World(WORLD, lambda: now).messages())

    with way_in(settings, Stop(), site.url, now=lambda: now) as way:
        tally = way.play(WORLD, Stop())

    assert way.told == f"playing through the API at {site.url}: so it was asked"
    assert not tally.refused, tally.summary()
    assert tally.by_nature == answer.sent
    assert tally.by_nature[Nature.INVALID], "refused at the door, and that is right"
    assert tally.by_way["/v1/events"] > tally.by_way["/v1/feeds/omniparcel-tests"] > 50
    expected = {
        return_id: {
            "status": timeline.status.value if timeline.status else None,
            **{milestone.value: seen.at / 1_000_000 for milestone, seen in timeline.counts.items()},
        }
        for return_id, timeline in answer.timelines().items()
    }
    assert len(expected) >= 65
    headers = {"authorization": f"Bearer {token(settings, 'read')}"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=30) as client:
        eventually(
            lambda: all(told(client, return_id) == known for return_id, known in expected.items()),
            60,
            why=f"another answer, {[i for i, known in expected.items() if told(client, i) != known]}",
        )
    assert site.service.query("SELECT count(*) FROM dead_letters") == [(0,)]
    made = "SELECT count(*), count(revoked_at), bool_or(retailers IS NULL AND carriers IS NULL AND hubs IS NULL)"
    ((tokens, revoked, any_unbound),) = site.service.query(f"{made} FROM tokens WHERE label = 'simulator'")
    assert tokens == revoked > 10
    assert not any_unbound

    port = site.url.rpartition(":")[2]
    unasked = site.service.done("simulate", "--returns", "2", "--rate", "0", "--seed", "32", RETURNS_HTTP_PORT=port)
    assert unasked.splitlines()[0] == f"playing through the API at {site.url}: it answers"
    assert " /v1/events " in unasked

    # A token of one database is nobody's at the API of another.
    migrate(empty_database)
    others = settings.model_copy(update={"database_url": SecretStr(empty_database), "http_port": int(port)})
    why = f"the API at {site.url} does not know the tokens of this database"
    with way_in(others, Stop()) as way:
        assert way.told == f"playing on the input topics: {why}"
    with way_in(others, Stop(), on_topics=True) as way:
        assert way.told == "playing on the input topics: so it was asked"
    with pytest.raises(Fatal, match=why), way_in(others, Stop(), site.url):
        pass
