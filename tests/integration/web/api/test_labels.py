"""Labels over HTTP, of returns on a real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from httpx import Client

from tests.support.api import api, project, settings_for
from tests.support.codes import codes, text
from tests.support.journals import creation, ingest

LABEL = "/v1/returns/R-1001/label"
SENDER = {"name": "Åsa Ström", "lines": ["Storgatan 1", "111 22 Stockholm"], "country": "SE"}


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    ingest(database, [creation()])
    with api(settings_for(database, public_url="https://returns.example"), "create") as client:
        yield client


def test_a_label_with_the_addresses_of_the_call_and_one_to_write_on(client: Client) -> None:
    addressed = client.post(f"{LABEL}.pdf", json={"sender": SENDER}, params={"size": "a4", "lang": "de"})
    blank = client.get(f"{LABEL}.png")

    assert (addressed.status_code, addressed.headers["content-type"]) == (200, "application/pdf")
    assert "Åsa Ström Storgatan 1 111 22 Stockholm Schweden" in text(addressed.content)
    assert (blank.status_code, blank.headers["content-type"]) == (200, "image/png")
    for label in (addressed, blank):
        assert codes(label.content) == {"Code128": "TR-1001", "QRCode": "https://returns.example/track/R-1001"}
        assert label.headers["cache-control"] == "no-store"
    assert addressed.headers["content-disposition"] == 'inline; filename="R-1001.pdf"'


def test_what_is_wrong_with_a_label_is_named_and_not_repeated(client: Client) -> None:
    wrong = {
        "body.sender.name": {"sender": {**SENDER, "name": ""}},
        "body.sender.lines": {"sender": {**SENDER, "lines": ["x"] * 7}},
        "body.sender.lines.0": {"sender": {**SENDER, "lines": ["བོད་"]}},
        "body.destination.country": {"destination": {**SENDER, "country": "Sweden"}},
        "body.recipient": {"recipient": SENDER},
    }
    for field, body in wrong.items():
        answer = client.post(f"{LABEL}.pdf", json=body)

        assert answer.status_code == 422, field
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert "བ" not in answer.text
    assert client.get(f"{LABEL}.pdf?size=a5").status_code == 422
    assert client.get("/v1/returns/R-9/label.pdf").status_code == 404


def test_a_label_needs_the_scope_and_nothing_of_its_addresses_is_kept_or_logged(
    client: Client, database: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with api(settings_for(database), "read", "hub") as other:
        refused = other.get(f"{LABEL}.pdf")

    answer = client.post(f"{LABEL}.pdf", json={"sender": {**SENDER, "name": "Quetzal"}})

    assert refused.status_code == 403
    assert answer.status_code == 200
    logged = "".join(capfd.readouterr())
    assert "/label.pdf" in logged
    assert "Quetzal" not in logged


@pytest.mark.parametrize("public_url", ("https://returns.example", None))
def test_every_answer_about_a_return_says_where_its_consumer_sees_it(database: str, public_url: str | None) -> None:
    ingest(database, [creation()])
    project(database)

    with api(settings_for(database, public_url=public_url), "read") as client:
        one = client.get("/v1/returns/R-1001").json()
        (listed,) = client.get("/v1/returns").json()["items"]

    for answer in (one, listed):
        assert answer["tracking_url"] == (public_url and f"{public_url}/track/R-1001")
