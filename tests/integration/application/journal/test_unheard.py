"""Voids that name nothing: seen an hour after they came, in lists as well, until something has the name that they give."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.integration.application.journal.test_project import projector, the_exceptions
from tests.integration.application.journal.test_rules import created, in_every_order, scan, told
from tests.support.journals import VOID, differences, event, ingest
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
