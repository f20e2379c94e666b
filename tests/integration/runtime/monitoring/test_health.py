"""What is asked of real servers to know how everything is, and that a server that hangs is found out in time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from kafka import TopicPartition
from psycopg import sql

from service.adapters.kafka.ends import KafkaEnds
from service.adapters.kafka.heads import KafkaHeads
from service.adapters.postgres import probe
from service.adapters.postgres.database import connect
from service.adapters.postgres.probe import PostgresProbe
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.health import Counted, CursorFacts
from service.application.ports import Stored
from service.config import Settings
from service.errors import Fatal, Retryable
from service.metrics import Metrics
from service.web.app import create_app
from service.wire.record import Record
from tests.support.commands import run, settings_of
from tests.support.filling import Filler
from tests.support.journals import creation, ingest, scan
from tests.support.roles import user
from tests.support.telling import telling
from tests.support.topics import Clients, Topics
from tests.support.waiting import eventually
from tests.support.web import served


class Way:
    """A way to a server that can hang, with its connections open; once it is free again those are cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 5432)
        self._hangs = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        netloc = f"{parts.username}:{parts.password}@127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = urlunsplit(parts._replace(netloc=netloc))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def hang(self) -> None:
        self._hangs.set()

    def free(self) -> None:
        self._hangs.clear()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.free()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and not self._hangs.is_set():
                target.sendall(data)
        if not self._hangs.is_set():
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


class TestPostgresProbe:
    def test_it_knows_how_far_every_reader_is_and_what_waits(self, database: str) -> None:
        ingest(database, [creation(), scan("COLLECTED", "10:00")])
        filler = Filler(database)
        filler.write([Record("first-mile.scans", 0, 1000 + n, 1_795_600_000_000, None, b"{", ()) for n in range(3)])
        filler.close()
        with connect(database, "test") as connection:
            connection.execute("INSERT INTO offsets VALUES ('first-mile.scans', 7, 1234)")
            connection.execute("UPDATE dead_letters SET resolved_at = now() WHERE letter_no = 1")
            row = connection.execute("SELECT max(n) FROM batches").fetchone()
            swept = connection.execute("SELECT n FROM cursors WHERE name = 'sweep'").fetchone()
        assert row is not None
        assert swept is not None

        with closing(PostgresProbe(database, with_offsets=True, with_counts=True, relay=lambda: 1)) as asked:
            facts = asked.look()

        assert facts.end == row[0] >= 2
        assert facts.cursors["sweep"] == CursorFacts(swept[0], None)
        assert (facts.cursors["search"].n, facts.cursors["relay"].n) == (0, 1)
        assert 0 <= (facts.cursors["relay"].oldest_seconds or -1) < 60
        assert facts.offsets["first-mile.scans", 7] == Stored(1234)
        assert facts.counted == Counted(0, 2)
        assert (facts.is_read_only, facts.refused) == (False, None)

    @pytest.mark.parametrize(
        ("role", "offsets"), (("returns_ingest", True), ("returns_relay", False), ("returns_web", False))
    )
    def test_each_role_may_ask_what_its_processes_ask(self, database: str, role: str, *, offsets: bool) -> None:
        with (
            user(database, role) as url,
            closing(PostgresProbe(url, with_offsets=offsets, with_counts=offsets, relay=lambda: 0)) as asked,
        ):
            assert asked.look().end == 0

    def test_it_finds_out_that_new_sessions_are_read_only(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probe, "_RENEW_SECONDS", 0.0)
        name = sql.Identifier(urlsplit(database).path.lstrip("/"))
        with closing(PostgresProbe(database)) as asked, connect(database, "test") as connection:
            before = asked.look().is_read_only
            connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
            after = asked.look().is_read_only

        assert (before, after) == (False, True)

    def test_without_a_free_connection_it_still_asks_on_the_one_it_has_and_says_so(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probe, "_RENEW_SECONDS", 0.0)
        with user(database, "returns_web") as url, connect(database, "test") as owner:
            name = sql.Identifier(urlsplit(url).username or "")
            with closing(PostgresProbe(url)) as asked:
                assert asked.look().refused is None
                owner.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 1").format(name))
                facts = asked.look()
                owner.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(name))
                with closing(PostgresProbe(url)) as late, pytest.raises(Retryable) as refused:
                    late.look()

        assert (facts.end, facts.refused) == (0, "connections")
        assert refused.value.cause == "connections"

    def test_a_server_that_hangs_with_its_connections_open_is_found_out_and_forgotten(self, database: str) -> None:
        with closing(Way(database)) as way, closing(PostgresProbe(way.url)) as asked:
            asked.look()
            way.hang()

            began = time.monotonic()
            with pytest.raises(Retryable) as found:
                asked.look()
            took = time.monotonic() - began
            way.free()

            assert found.value.cause == "timeout"
            assert took < 6
            assert asked.look().end == 0

    def test_a_database_that_is_not_migrated_says_what_is_missing(self, empty_database: str) -> None:
        with closing(PostgresProbe(empty_database)) as asked, pytest.raises(Fatal, match="42P01"):
            asked.look()


class TestKafkaHeads:
    @pytest.mark.parametrize("codec", (None, "gzip"))
    def test_it_tells_when_the_record_at_an_offset_came(
        self, topics: Topics, clients: Clients, codec: str | None
    ) -> None:
        topic = topics.create("scans", 2)
        producer = clients.producer(compression_type=codec)
        for number in range(5):
            producer.send(topic, b"x" * 100_000, partition=0, timestamp_ms=1_000 * (number + 1)).get(timeout=10)
        producer.send(topic, b"y", partition=1, timestamp_ms=-1_000_000 + 2**40).get(timeout=10)

        with closing(KafkaHeads(Settings(kafka_bootstrap_servers=topics.bootstrap_servers))) as heads:
            found = heads.timestamps({(topic, 0): 3, (topic, 1): 0})
            later = heads.timestamps({(topic, 0): 4, (topic, 1): 1})
            beyond = heads.timestamps({(topic, 0): 400})
            again = heads.timestamps({(topic, 0): 0})

        assert found == {(topic, 0): 4_000, (topic, 1): 2**40 - 1_000_000}
        assert later == {(topic, 0): 5_000, (topic, 1): None}
        assert beyond == {(topic, 0): None}
        assert again == {(topic, 0): 1_000}

    def test_in_the_middle_of_a_batch_its_head_tells_for_all(self, topics: Topics, clients: Clients) -> None:
        topic = topics.create("scans")
        producer = clients.producer(linger_ms=200)
        for future in [producer.send(topic, b"x", timestamp_ms=7_000) for _ in range(50)]:
            future.get(timeout=10)

        with closing(KafkaHeads(Settings(kafka_bootstrap_servers=topics.bootstrap_servers))) as heads:
            assert heads.timestamps({(topic, 0): 25}) == {(topic, 0): 7_000}


def test_ends_say_how_many_brokers_there_are_and_are_of_any_topics(topics: Topics) -> None:
    topic = topics.create("out", 2)
    settings = Settings(kafka_bootstrap_servers=topics.bootstrap_servers)

    with closing(KafkaEnds(settings, topics=[topic], patience=20)) as ends:
        assert ends.brokers is None
        assert set(ends.bounds() or {}) == {(topic, 0), (topic, 1)}
        assert ends.brokers == 1


def test_the_api_is_live_at_once_and_says_soon_that_a_frozen_database_does_not_answer(database: str) -> None:
    # Liveness once shared the threads with the requests: it took 14 s while those waited for the database.
    with (
        closing(Way(database)) as way,
        open_pool(way.url, 2) as pool,
        served(create_app(PostgresReading(pool), Metrics())) as client,
    ):
        client.timeout = 30
        assert client.get("/readyz").status_code == 200
        way.hang()
        bearer = {"authorization": "Bearer rts_x"}
        address = f"{client.base_url}/v1/returns/R-1"

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(address, headers=bearer)

        asking = [threading.Thread(target=ask, daemon=True) for _ in range(60)]
        for each in asking:
            each.start()
        eventually(lambda: client.get("/readyz").status_code == 503, 8)

        slowest = 0.0
        for _ in range(5):
            began = time.monotonic()
            assert client.get("/livez").status_code == 200
            assert client.get("/readyz").status_code == 503
            slowest = max(slowest, time.monotonic() - began)
        way.free()

    assert slowest < 4


def test_every_process_tells_of_itself_and_lag_is_the_groups_not_the_members(
    database: str, topics: Topics, clients: Clients, tmp_path: Path
) -> None:
    """What: half of the partitions belong to a consumer of somebody else's that reads and stores nothing."""
    settings = settings_of(database, topics)
    assert run("topics", **settings).returncode == 0
    name = topics.name("scans")
    foreign = clients.consumer(group_id=topics.name("group"), session_timeout_ms=15_000)
    # Of a topic that it knows nothing of yet kafka-python assigns nothing, and asks no more.
    eventually(lambda: foreign.partitions_for_topic(name), 40)
    foreign.subscribe([name])
    eventually(lambda: foreign.poll(timeout_ms=200) or foreign.assignment(), 40)
    with telling(tmp_path, settings, "ingest") as tellers:
        ingest_ = tellers["ingest"]

        def shared() -> set[TopicPartition]:
            foreign.poll(timeout_ms=50)
            taken: set[TopicPartition] = foreign.assignment()
            return taken if len(taken) == 1 else set()

        (taken,) = eventually(shared, 45)
        producer = clients.producer()
        for _ in range(5):
            producer.send(name, b"{}", partition=taken.partition).get(timeout=10)
        where = {"topic": name, "partition": str(taken.partition)}

        def told() -> bool:
            foreign.poll(timeout_ms=10)
            return (
                ingest_.most("returns_lag_records", **where) == 5 and ingest_.most("returns_lag_seconds", **where) > 1
            )

        eventually(told, 15, every=0.1)
        assert ingest_.most("returns_seconds_without_progress", **where) > 1
        assert ingest_.samples("returns_lag_known", reader="ingest") == [1]
        assert ingest_.is_live()
