"""`create` with a real broker and a real database."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.support.commands import run
from tests.support.topics import Clients, Topics

ROWS = """\
key,retailer,route,carrier,tracking_number,order_number,sku,quantity
k-1,acme,omnirps,nzpost,,A-1,S-1,1
k-2,acme,first_mile_only,generic,T-2,A-2,S-2,2
"""
RANGE = '[[range]]\ncarrier = "nzpost"\ncheck = "s10"\nprefix = "RR"\nsuffix = "NZ"\nfirst = "00000000"\nlast = "00000999"\n'


def test_a_file_is_checked_whole_then_created_and_repeats_nothing(
    database: str, topics: Topics, clients: Clients, tmp_path: Path
) -> None:
    topic = topics.create("returns")
    (tmp_path / "numbers.toml").write_text(RANGE)
    settings = {
        "RETURNS_KAFKA_BOOTSTRAP_SERVERS": topics.bootstrap_servers,
        "RETURNS_DATABASE_URL": database,
        "RETURNS_TOPIC_RETURNS": topic,
        "RETURNS_NUMBERS_FILE": str(tmp_path / "numbers.toml"),
        "RETURNS_PUBLIC_URL": "https://returns.example",
    }
    file = tmp_path / "returns.csv"

    def create(text: str, *more: str) -> tuple[int, str, str]:
        file.write_text(text)
        done = run("create", str(file), *more, **settings)
        return done.returncode, done.stdout, done.stderr

    wrong = create(ROWS + "k-3,acme,by sea,generic,T-3,A-3,S-3,many\n")
    assert wrong[0] == 1
    assert wrong[1].splitlines() == [
        "line 4: route: input should be 'omnirps' or 'first_mile_only' (bad_value)",
        "line 4: items[0].quantity: input should be a valid integer (bad_value)",
        "3 lines: 2 faults; nothing was created",
    ]
    assert create(ROWS, "--dry-run")[:2] == (0, "2 lines: nothing is wrong with them\n")
    assert topics.end(topic) == 0
    first = create(ROWS)
    again = create(ROWS + "k-3,acme,omnirps,nzpost,,A-3,S-3,1\n")

    assert (first[0], again[0]) == (0, 0), first[2] + again[2]
    one, two = csv.DictReader(first[1].splitlines())
    assert (one["state"], one["tracking_number"]) == ("created", "RR000000005NZ")
    assert one["tracking_url"] == f"https://returns.example/track/{one['return_id']}"
    assert (two["line"], two["state"], two["tracking_number"]) == ("3", "created", "T-2")
    assert "2 returns created, 0 existed already, 0 could not be created" in first[2]
    repeated = list(csv.DictReader(again[1].splitlines()))
    assert [each["state"] for each in repeated] == ["existed", "existed", "created"]
    assert [each["return_id"] for each in repeated[:2]] == [one["return_id"], two["return_id"]]
    assert repeated[2]["tracking_number"] == "RR000000014NZ"
    published = [json.loads(record.value)["data"] for record in clients.read(topic, 3)]
    assert topics.end(topic) == 3
    assert {
        "return_id": one["return_id"],
        "retailer": "acme",
        "route": "omnirps",
        "carrier": "nzpost",
        "tracking_number": "RR000000005NZ",
        "order_number": "A-1",
        "items": [{"sku": "S-1", "quantity": 1}],
    } in published
