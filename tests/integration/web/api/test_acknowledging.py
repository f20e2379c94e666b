"""Acknowledging exceptions by way of the API, on a real database: what is hidden, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from httpx import Client, Response

from service.adapters.postgres.journal.search import PostgresSearch
from service.application.access.bounds import Bounds
from service.application.journal.project import rebuild
from service.application.journal.slices import SliceLimits
from tests.support.api import api, project, settings_for, token, walk
from tests.support.journals import DS, RE, RP, VOID, creation, event, ingest, scan
from tests.support.ops import audit

pytestmark = pytest.mark.postgres
HELD = "return/R-1001/awaiting_processed"
NOTE = "Mrs Smith’s, the hub looks for it"


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with api(settings_for(database), "read", "ops") as client:
        yield client


@contextmanager
def bound_client(client: Client, database: str, bounds: Bounds) -> Iterator[Client]:
    secret = token(settings_for(database), "ops", bounds=bounds)
    with Client(base_url=client.base_url, headers={"authorization": f"Bearer {secret}"}, timeout=30) as other:
        yield other


def export(id_: str, time: str = "13:00", connote: str = "C-1", **data: Any) -> dict[str, Any]:
    return event(RE, id_, time, return_id="R-1001", hub="akl1", connote=connote, **data)


def processed(time: str = "12:00") -> dict[str, Any]:
    return event(RP, f"rp-{time}", time, return_id="R-1001", hub="akl1")


def let(database: str, *events: dict[str, Any]) -> None:
    """Record these, and bring the lists up."""
    ingest(database, events)
    project(database)


def make_anew(database: str) -> None:
    """What `project --rebuild` does."""
    with closing(PostgresSearch(database, SliceLimits())) as tables:
        rebuild(tables)


def acknowledge(client: Client, named: str = HELD, note: str = NOTE) -> Response:
    return client.post(f"/v1/exceptions/{named}/acknowledge", json={"note": note})


def listed(client: Client, **parameters: Any) -> list[tuple[str, str]]:
    """The events that are listed, and in which state."""
    pages = walk(client, "/v1/exceptions", **parameters)
    return [(item["id"], item["state"]) for page in pages for item in page]


def query(database: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_what_is_acknowledged_is_no_more_among_what_is_open_and_says_who_when_and_what(
    client: Client, database: str
) -> None:
    let(database, creation(), export("re"), creation("R-1002"), scan("NO-SUCH", "10:00", "R-1002"))

    done = acknowledge(client)

    assert done.status_code == 200, done.text
    seen = done.json()["acknowledged"]
    assert done.json() == {"exception_id": HELD, "state": "acknowledged", "acknowledged": seen}
    assert (seen["by"], seen["note"]) == ("token 1", NOTE)
    for shown in ({"state": "open"}, {"open": True}):
        assert listed(client, **shown) == [("R-1002-NO-SUCH-10:00", "open")]
    (hidden,) = client.get("/v1/exceptions", params={"state": "acknowledged"}).json()["items"]
    assert (hidden["exception_id"], hidden["id"], hidden["resolved_at"], hidden["acknowledged"]) == (
        HELD,
        "re",
        None,
        seen,
    )
    assert sorted(listed(client)) == [("R-1002-NO-SUCH-10:00", "open"), ("re", "acknowledged")]
    assert listed(client, state="acknowledged", open=True) == []


def test_all_events_of_the_exception_are_hidden_with_it_and_no_others_of_its_return(
    client: Client, database: str
) -> None:
    let(database, creation(), export("re-1"), export("re-2", "14:00"), scan("NO-SUCH", "10:00"))

    acknowledge(client)

    assert listed(client, state="open") == [("R-1001-NO-SUCH-10:00", "open")]
    assert sorted(listed(client, state="acknowledged")) == [("re-1", "acknowledged"), ("re-2", "acknowledged")]
    assert listed(client, state="acknowledged", reason="unknown_code") == []


def test_another_event_with_the_same_reason_shows_all_of_it_again(client: Client, database: str) -> None:
    let(database, creation(), export("re-1"))
    acknowledge(client)

    let(database, export("re-2", "14:00"))

    assert sorted(listed(client, state="open")) == [("re-1", "open"), ("re-2", "open")]
    assert listed(client, state="acknowledged") == []


def test_what_is_recorded_of_its_return_otherwise_leaves_it_hidden(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    acknowledge(client)

    let(database, scan("COLLECTED", "10:00"), scan("NO-SUCH", "11:00"), export("re"))

    assert listed(client, state="acknowledged") == [("re", "acknowledged")]


def test_one_that_opens_anew_after_it_was_resolved_is_shown(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    acknowledge(client)

    let(database, processed())
    resolved = listed(client)
    void = event(VOID, "v", "15:00", return_id="R-1001", source="/test", id="rp-12:00", by="Ann", reason="a mistake")
    let(database, void)

    assert resolved == [("re", "resolved")]
    assert listed(client, state="open") == [("re", "open")]
    assert listed(client, state="acknowledged") == []


def test_a_circumstance_is_hidden_until_it_opens_anew(client: Client, database: str) -> None:
    let(database, creation(), processed(), export("re-1"), export("re-2", "14:00", "C-2"))
    named = "return/R-1001/other_connote"

    done = acknowledge(client, named)

    assert done.status_code == 200, done.text
    assert listed(client, state="open") == []
    let(
        database, event(VOID, "v", "15:00", return_id="R-1001", source="/test", id="re-2", by="Ann", reason="a mistake")
    )
    assert {state for _, state in listed(client)} == {"resolved"}
    let(database, export("re-3", "16:00", "C-3"))
    assert [state for _, state in listed(client, reason="other_connote", state="open")] == ["open"]


def test_what_the_lists_did_not_have_yet_is_hidden_from_nobody(client: Client, database: str) -> None:
    let(database, creation(), export("re-1"))
    ingest(database, [export("re-2", "14:00")])

    done = acknowledge(client)
    project(database)

    assert done.status_code == 200
    assert sorted(listed(client, state="open")) == [("re-1", "open"), ("re-2", "open")]


def test_tables_that_are_made_anew_hide_what_was_hidden_and_nothing_else(client: Client, database: str) -> None:
    let(database, creation(), export("re-1"), creation("R-1002"), scan("NO-SUCH", "10:00", "R-1002"))
    acknowledge(client)
    acknowledge(client, "return/R-1002/unknown_code")
    let(database, scan("NO-SUCH", "11:00", "R-1002"))

    make_anew(database)

    assert listed(client, state="acknowledged") == [("re-1", "acknowledged")]
    assert sorted(listed(client, state="open")) == [("R-1002-NO-SUCH-10:00", "open"), ("R-1002-NO-SUCH-11:00", "open")]


def test_an_acknowledgement_of_another_journal_hides_nothing(client: Client, database: str) -> None:
    # Set back to a backup, and gone on until the history had a row of this number again: it is another batch's.
    let(database, creation(), export("re"))
    acknowledge(client)

    query(database, "UPDATE acknowledgements SET batch_id = (batch_id::text::int8 + 1)::text::xid8")

    assert listed(client, state="open") == [("re", "open")]
    assert listed(client, state="acknowledged") == []
    assert acknowledge(client).status_code == 200
    assert listed(client, state="open") == []


def test_an_exception_of_which_it_is_not_known_when_it_began_is_never_hidden(client: Client, database: str) -> None:
    # A projector of the release before writes rows that do not say so, while this release's web answers.
    let(database, creation(), export("re"))
    query(database, "UPDATE search_exceptions SET begun_seq = DEFAULT")

    answer = acknowledge(client)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:returns-status:problem:exception-changed")
    assert listed(client, state="open") == [("re", "open")]


def test_what_was_listed_before_anybody_could_acknowledge_can_be(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    query(database, "UPDATE search_exceptions SET begun_seq = 0")  # as the migration leaves them

    assert acknowledge(client).status_code == 200

    assert listed(client, state="open") == []
    make_anew(database)
    assert listed(client, state="open") == []


def test_to_repeat_it_changes_nothing_and_another_note_takes_its_place(client: Client, database: str) -> None:
    let(database, creation(), export("re"))

    first, again = acknowledge(client), acknowledge(client)
    let(database, scan("COLLECTED", "10:00"))  # is no change of the exception
    later = acknowledge(client)
    other = acknowledge(client, note="Found")

    assert first.json() == again.json() == later.json()
    assert other.json()["acknowledged"]["note"] == "Found"
    assert other.json()["acknowledged"]["at"] > first.json()["acknowledged"]["at"]
    (item,) = client.get("/v1/exceptions").json()["items"]
    assert item["acknowledged"] == other.json()["acknowledged"]


def test_its_slashes_may_be_written_as_they_are_or_not(client: Client, database: str) -> None:
    let(database, creation(), export("re"))

    assert acknowledge(client, HELD.replace("/", "%2F")).status_code == 200


def test_one_that_nobody_knows_is_told_from_one_that_is_resolved(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    let(database, processed())

    resolved = acknowledge(client)
    unknown = [
        acknowledge(client, named)
        for named in (
            "return/R-1001/unknown_code",
            "return/R-9999/awaiting_processed",
            "return/R-1001/no_such_reason",
            "connote/C-1/awaiting_processed",
            "12",
        )
    ]

    assert (resolved.status_code, resolved.json()["type"]) == (409, "urn:returns-status:problem:exception-resolved")
    assert f"{HELD} is resolved" in resolved.json()["detail"]
    for answer in unknown:
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:returns-status:problem:unknown-exception")
    assert "no exception return/R-1001/unknown_code" in unknown[0].json()["detail"]
    assert query(database, "SELECT count(*) FROM acknowledgements") == [(0,)]
    assert "acknowledge" not in [row[0] for row in audit(database)]


@pytest.mark.parametrize(
    "body",
    (
        {},
        {"note": ""},
        {"note": " \n"},
        {"note": "x" * 1025},
        {"note": "a\0b"},
        {"note": 7},
        {"note": "a", "by": "Ann"},
    ),
)
def test_a_note_is_a_text_of_up_to_1024_characters(client: Client, database: str, body: dict[str, Any]) -> None:
    answer = client.post(f"/v1/exceptions/{HELD}/acknowledge", json=body)

    assert answer.status_code == 422, answer.text


def test_the_longest_note_is_kept_as_it_is(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    note = "é\n" * 511 + "\u202e😀"

    assert acknowledge(client, note=note).json()["acknowledged"]["note"] == note


def test_half_a_character_is_no_text(client: Client, database: str) -> None:
    let(database, creation(), export("re"))

    answer = client.post(
        f"/v1/exceptions/{HELD}/acknowledge",
        content=b'{"note": "\\ud800"}',
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 422


def test_the_audit_log_says_who_and_which_and_neither_it_nor_the_log_what(
    client: Client, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    let(database, creation(), export("re"))

    acknowledge(client)

    assert audit(database) == [("acknowledge", "R-1001", "", ["reason"])]
    assert query(database, "SELECT detail ->> 'reason' FROM audit WHERE action = 'acknowledge'") == [
        ("awaiting_processed",)
    ]
    assert "Smith" not in repr(query(database, "SELECT * FROM audit"))
    assert "Smith" not in capsys.readouterr().err


def test_neither_the_history_nor_the_log_of_batches_knows_of_it(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    tables = ("history", "batches", "search_exceptions", "search_returns", "parked", "dead_letters")
    before = [query(database, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

    acknowledge(client)

    assert [query(database, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before


def test_a_token_without_the_scope_of_operations_acknowledges_nothing(client: Client, database: str) -> None:
    let(database, creation(), export("re"))
    with api(settings_for(database), "read", "hub", "create", "scan") as other:
        assert acknowledge(other).status_code == 403

    assert listed(client, state="open") == [("re", "open")]


def test_a_retailers_token_acknowledges_its_own_and_knows_of_no_others(client: Client, database: str) -> None:
    let(database, creation(), export("re"))

    with bound_client(client, database, Bounds(retailers=frozenset({"bravo"}))) as bravo:
        others = acknowledge(bravo)
    unhidden = listed(client, state="open")
    with bound_client(client, database, Bounds(retailers=frozenset({"acme"}))) as acme:
        own = acknowledge(acme)
        seen = listed(acme)

    assert (others.status_code, others.json()["type"]) == (404, "urn:returns-status:problem:unknown-exception")
    assert unhidden == [("re", "open")]
    assert own.status_code == 200
    assert seen == [("re", "acknowledged")]


def test_a_hubs_token_acknowledges_what_the_hub_said_and_is_told_of_no_notes(client: Client, database: str) -> None:
    let(
        database,
        creation(),
        export("re"),
        scan("NO-SUCH", "10:00"),
        event(DS, "ds", "09:30", return_id="R-1001", hub="mel1"),
    )

    with bound_client(client, database, Bounds(hubs=frozenset({"mel1"}))) as mel1:
        others = acknowledge(mel1)
    with bound_client(client, database, Bounds(hubs=frozenset({"akl1"}))) as akl1:
        carriers = acknowledge(akl1, "return/R-1001/unknown_code")
        own = acknowledge(akl1)
        acknowledge(client)
        (item,) = akl1.get("/v1/exceptions", params={"state": "acknowledged"}).json()["items"]

    for answer in (others, carriers):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:returns-status:problem:not-own")
    assert own.status_code == 200
    assert (item["id"], item["acknowledged"]["by"], item["acknowledged"]["note"]) == ("re", None, None)
    assert "Smith" not in repr(item)


def test_a_carriers_token_acknowledges_its_scans(client: Client, database: str) -> None:
    let(database, creation(), export("re"), scan("NO-SUCH", "10:00"))

    with bound_client(client, database, Bounds(carriers=frozenset({"generic"}))) as carrier:
        assert acknowledge(carrier, "return/R-1001/unknown_code").status_code == 200
        assert acknowledge(carrier).status_code == 403
