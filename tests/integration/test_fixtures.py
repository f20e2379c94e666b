"""The fixtures themselves: what a test gets is its own, and a test that asks for nothing reaches nothing."""

from __future__ import annotations

import socket

import psycopg
import pytest
from _pytest.outcomes import Failed

from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually


def test_a_database_has_the_tables_of_the_service(database: str) -> None:
    with psycopg.connect(database) as connection:
        names = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    assert "history" in names


@pytest.mark.parametrize("_turn", (1, 2))
def test_a_database_is_the_tests_own(database: str, _turn: int) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE mine ()")


def test_records_written_to_a_topic_are_read_from_it(topics: Topics, clients: Clients) -> None:
    topic = topics.create("letters", partitions=2)

    clients.send(topic, b"a", b"b", b"c")

    assert {record.value for record in clients.read(topic, 3)} == {b"a", b"b", b"c"}
    assert topics.end(topic) == 3


def test_a_test_that_asks_for_nothing_cannot_reach_postgresql() -> None:
    with pytest.raises(Failed, match="ask for the fixture"):
        psycopg.connect("postgresql://127.0.0.1:5432/returns")


def test_a_test_that_asks_for_nothing_cannot_reach_kafka() -> None:
    with socket.socket() as client, pytest.raises(Failed, match="ask for the fixtures"):
        client.connect(("127.0.0.1", 9092))


def test_eventually_gives_up_and_tells_what_it_saw() -> None:
    with pytest.raises(AssertionError, match="at last: 0"):
        eventually(lambda: 0, timeout=0.05)
