"""POST /v1/returns/bulk against a real broker and a real database."""

from __future__ import annotations

import json
from typing import Any

from tests.support.api import api, settings_for
from tests.support.topics import Topics

CSV = "key,retailer,route,carrier,tracking_number\nk-1,acme,omnirps,generic,T-1\nk-2,acme,omnirps,generic,T-2\n"
LINE = json.dumps(
    {"key": "k-3", "retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": "T-3"}
)


def test_many_returns_are_checked_whole_then_created_and_not_twice(database: str, topics: Topics) -> None:
    topic = topics.create("returns")
    settings = settings_for(database, topics.bootstrap_servers, topic_returns=topic, public_url="https://r.example")

    with api(settings, "create") as client:

        def post(body: str, kind: str = "text/csv") -> tuple[int, dict[str, Any]]:
            answer = client.post("/v1/returns/bulk", content=body, headers={"content-type": kind})
            return answer.status_code, answer.json()

        wrong, said = post(CSV + "k-1,acme,by sea,generic,T-4\n")
        nothing = topics.end(topic)
        created, first = post(CSV)
        again, second = post(CSV)
        lines, third = post(LINE, "application/x-ndjson; charset=utf-8")
        reused, fourth = post(LINE.replace("T-3", "T-5"), "application/x-ndjson")
        refused = [
            post(CSV, "application/json")[0],
            post("retialer\nacme\n")[0],
            post("")[0],
            post(f"{LINE}\n" * 501, "application/x-ndjson")[0],
        ]

    assert (wrong, nothing) == (422, 0)
    assert [error["field"] for error in said["errors"]] == ["lines[4].route", "lines[4].key"]
    assert (created, again, lines, reused) == (200, 200, 200, 207)
    one, two = first["items"]
    assert (one["line"], one["state"], one["tracking_number"], one["fault"]) == (2, "created", "T-1", None)
    assert one["tracking_url"] == f"https://r.example/track/{one['return_id']}"
    assert second["items"] == [{**one, "state": "existed"}, {**two, "state": "existed"}]
    assert third["items"][0]["state"] == "created"
    assert fourth["items"][0]["fault"].startswith("key: this key came with other data")
    assert refused == [415, 422, 422, 422]
    assert topics.end(topic) == 3
