"""POST /v1/returns without a tracking number, against a real broker and a real database."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from httpx import Client, Response

from tests.support.api import api, settings_for
from tests.support.topics import Topics

BODY: Final[dict[str, Any]] = {"retailer": "acme", "route": "omnirps", "carrier": "nzpost"}
RANGE: Final = '[[range]]\ncarrier = "nzpost"\ncheck = "s10"\nprefix = "RR"\nsuffix = "NZ"\nfirst = "00000000"\nlast = "00000001"\n'


def post(client: Client, key: str, **more: Any) -> Response:
    return client.post("/v1/returns", json={**BODY, **more}, headers={"idempotency-key": key})


def test_a_return_gets_the_next_number_of_its_carrier_until_none_is_left(
    database: str, topics: Topics, tmp_path: Path
) -> None:
    (tmp_path / "numbers.toml").write_text(RANGE)
    topic = topics.create("returns")
    settings = settings_for(
        database, topics.bootstrap_servers, topic_returns=topic, numbers_file=str(tmp_path / "numbers.toml")
    )

    with api(settings, "create") as client:
        first, again = post(client, "k-1"), post(client, "k-1")
        second = post(client, "k-2", tracking_number=None)
        none_left = post(client, "k-3")
        own = post(client, "k-3", tracking_number="T-9")
        other = post(client, "k-4", carrier="dhl")

    assert first.json()["tracking_number"] == again.json()["tracking_number"] == "RR000000005NZ"
    assert second.json()["tracking_number"] == "RR000000014NZ"
    assert none_left.status_code == 409
    assert none_left.json()["type"] == "urn:returns-status:problem:numbers-exhausted"
    assert "nzpost" in none_left.json()["detail"]
    assert own.status_code == 201
    assert other.status_code == 422
    assert other.json()["errors"] == [
        {
            "field": "body.tracking_number",
            "detail": "a number is expected; nzpost has a range of numbers here to take one from",
        }
    ]
    assert topics.end(topic) == 3
