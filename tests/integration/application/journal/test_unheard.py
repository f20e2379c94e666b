"""Voids that name nothing: seen an hour after they came, in lists as well, until something has the name that they give."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

import psycopg
import pytest

from service.adapters.postgres.journal.journal import PostgresJournal
from service.wire.carriers import CarrierTables
from tests.integration.application.journal.test_labels import created as of_label
from tests.integration.application.journal.test_labels import numbered as with_label
from tests.integration.application.journal.test_labels import on
from tests.integration.application.journal.test_labels import scan as of_day
from tests.integration.application.journal.test_labels import told as told_of_returns
from tests.integration.application.journal.test_project import projector, the_exceptions
from tests.integration.application.journal.test_rules import created, in_every_order, scan, told
from tests.support.journals import DELIVERED, RE, RP, VOID, creation, differences, event, ingest
from tests.support.unheard import look_now, pass_an_hour

MISSPELT = event(VOID, "v", "11:00", return_id="R-1001", source="/Test", id="c", by="me", reason="wrong parcel")


def rows(database: str, query: str) -> Any:
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchone()


def test_a_void_in_another_letter_case_is_seen_after_an_hour_whatever_came_first(database: str) -> None:
    returns = in_every_order(database, [created(), scan("COLLECTED", "c", "10:00"), MISSPELT])

    assert look_now(database) == 0  # not yet
    assert told(database) == {("RT", "", "")}
    assert pass_an_hour(database) == returns
    assert told(database) == {("RT", "", "void_without_event")}
    assert look_now(database) == 0  # once is enough
    assert differences(database) == []


def test_a_void_of_what_came_within_the_hour_is_none_of_them(database: str) -> None:
    ingest(database, [created(), MISSPELT | {"data": {**MISSPELT["data"], "source": "/test"}}])
    ingest(database, [scan("COLLECTED", "c", "10:00")])

    assert pass_an_hour(database) == 1
    assert told(database) == {("RC", "", "")}
    assert rows(database, "SELECT count(*) FROM history") == (3,)


def test_it_is_listed_until_an_event_of_that_name_comes(database: str) -> None:
    ingest(database, [created(), scan("COLLECTED", "c", "10:00"), MISSPELT])
    pass_an_hour(database)
    projector(database).run(drain=True)
    assert [each[1:] for each in the_exceptions(database)] == [("void_without_event", True)]

    ingest(database, [scan("DELIVERED", "c", "12:00") | {"source": "/Test"}])
    projector(database).run(drain=True)

    assert [each[1:] for each in the_exceptions(database)] == [("void_without_event", False)]
    assert told(database) == {("RT", "", "")}
    assert differences(database) == []


def test_a_void_that_waited_for_its_return_is_looked_at_once_that_is_there(database: str) -> None:
    ingest(database, [MISSPELT])
    assert pass_an_hour(database) == 0

    ingest(database, [created()])

    assert pass_an_hour(database) == 1
    assert told(database) == {("RC", "", "void_without_event")}


# A label's window moves, and takes a scan from a return that a void of the return names.

OLDER, NEWER = of_label("R-1", "2026-09-01"), of_label("R-2", "2026-11-20")
NEWERS, OLDERS = of_day("COLLECTED", "2026-11-22"), of_day("COLLECTED", "2026-10-25")


def void_of(return_id: str, named: dict[str, Any]) -> dict[str, Any]:
    target = {"source": named["source"], "id": named["id"]}
    return on("2026-11-23", event(VOID, f"v-{return_id}", "13:00", return_id=return_id, **target, by="me", reason="no"))


Documents = Sequence[dict[str, Any]]
SECOND = of_label("R-1", "2026-11-20", "T-2", "second", retailer="zenith")
SECONDS = of_day("COLLECTED", "2026-11-21", tracking_number="T-2")
MOVED: Final = {
    "the older one's no more": ([OLDER, NEWER, NEWERS, void_of("R-1", NEWERS)], "R-1", "R-2"),
    "from before the label of the newer one, and the older one's": (
        [OLDER, NEWER, OLDERS, void_of("R-2", OLDERS)],
        "R-2",
        "R-1",
    ),
    "by a label that a void creation named": (
        [OLDER, SECOND, SECONDS, void_of("R-1", SECONDS), void_of("R-1", SECOND) | {"id": "void-of-second"}],
        "R-1",
        None,
    ),
}


def orders_of(documents: Documents) -> list[Documents]:
    """Every order of arrival, or many, each of other returns and another label."""
    found: list[Documents] = []
    orders = list(itertools.permutations(documents))
    for n, order in enumerate(orders[:: max(1, len(orders) // 24)]):
        ids = {each["id"]: f"{each['id']}-{n}" for each in documents}
        named = list(with_label(order, n))
        for each in filter(lambda each: each["type"] == VOID, named):
            each["data"]["id"] = ids[each["data"]["id"]]
        found.append(named)
    return found


@pytest.mark.parametrize("how", MOVED)
@pytest.mark.parametrize("hours_pass", (False, True), ids=["at the end", "after each"])
def test_a_void_of_a_scan_that_is_another_return_s_is_seen_whatever_came_first(
    database: str, how: str, *, hours_pass: bool
) -> None:
    documents, whose, other = MOVED[how]

    for step in zip(*orders_of(documents), strict=True):
        ingest(database, step)
        if hours_pass:
            pass_an_hour(database)
    pass_an_hour(database)

    found = told_of_returns(database)
    assert {reasons for _, reasons in found[whose]} == {"void_without_event"}
    assert other is None or found[other] == {("RT", "")}
    assert differences(database) == []


def test_a_void_that_is_watched_anew_while_somebody_looks_is_not_forgotten(database: str) -> None:
    ingest(database, [created(), MISSPELT])
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE unheard_voids SET recorded_at = recorded_at - interval '1 hour'")
    tables = CarrierTables.load()

    with (
        closing(PostgresJournal(database, tables)) as one,
        closing(PostgresJournal(database, tables)) as other,
        one.transaction() as looks,
    ):
        due = looks.due_voids(10)
        with other.transaction() as moves:
            moves.watch_voids({due[0].return_no: [("/Test", "c")]})
        looks.forget_voids(due)

    assert rows(database, "SELECT count(*), max(recorded_at) > now() - interval '1 minute' FROM unheard_voids") == (
        1,
        True,
    )


@pytest.fixture
def two_uses(database: str) -> str:
    """A number of a connote that was used in January, by R-1001, and again in July, by R-1002."""
    history = []
    for return_id, month in (("R-1001", "01"), ("R-1002", "07")):
        data = {"return_id": return_id, "hub": "akl1"}
        history += [
            creation(return_id) | {"time": f"2026-{month}-01T08:00:00Z"},
            event(RP, f"{return_id}-rp", "09:00", **data) | {"time": f"2026-{month}-02T08:00:00Z"},
            event(RE, f"{return_id}-re", "09:00", connote="CN-1", **data) | {"time": f"2026-{month}-03T08:00:00Z"},
        ]
    ingest(database, history)
    return database


IN_JULY = event(DELIVERED, "d-2", "09:00", connote="CN-1") | {"time": "2026-07-20T08:00:00Z"}
OF_ALL = {"connote": "CN-1", "source": "/test", "by": "me", "reason": "never arrived"}


def test_a_void_for_all_members_of_a_connote_names_something_where_the_delivery_is_some_of_theirs(
    two_uses: str,
) -> None:
    mistaken = event(VOID, "v", "10:00", **OF_ALL, id="d-2") | {"time": "2026-07-21T08:00:00Z"}
    ingest(two_uses, [IN_JULY])
    ingest(two_uses, [mistaken])

    assert pass_an_hour(two_uses) == 1  # R-1002 has what is named
    assert told_of_returns(two_uses) == {"R": {("RE", "")}}  # of both

    ingest(two_uses, [event(VOID, "w", "10:00", **OF_ALL, id="D-2") | {"time": "2026-07-22T08:00:00Z"}])
    assert pass_an_hour(two_uses) == 2
    assert told_of_returns(two_uses) == {"R": {("RE", "void_without_event")}}
    assert differences(two_uses) == []


def test_and_where_that_comes_over_an_hour_after_the_void(two_uses: str) -> None:
    ingest(two_uses, [event(VOID, "v", "10:00", **OF_ALL, id="d-2") | {"time": "2026-07-19T08:00:00Z"}])
    assert pass_an_hour(two_uses) == 2
    assert told_of_returns(two_uses) == {"R": {("RE", "void_without_event")}}

    ingest(two_uses, [IN_JULY])

    assert told_of_returns(two_uses) == {"R": {("RE", "")}}
    assert differences(two_uses) == []
