"""Keeps a table of what every return's status is, from the topic of status changes. Copy it and change what it keeps.

    python subscriber.py BOOTSTRAP_SERVERS [TOPIC [DATABASE]]

It needs kafka-python; SQLite stands for the database that you have. There is no code for crashes and none for
stopping: kill it in the middle of anything, start it again, and the table is right.
"""

import json
import sqlite3
import sys
from typing import Any

from kafka import KafkaConsumer, TopicPartition

CHANGED = "com.omnirps.return.status-changed.v1"
TABLES = """
CREATE TABLE IF NOT EXISTS returns (
    return_id TEXT PRIMARY KEY, version INTEGER, status TEXT, status_name TEXT, complete INTEGER, retailer TEXT,
    order_number TEXT, route TEXT, carrier TEXT, tracking_number TEXT, connote TEXT);
CREATE TABLE IF NOT EXISTS timeline (
    return_id TEXT, milestone TEXT, occurred_at TEXT, location TEXT, source TEXT, PRIMARY KEY (return_id, milestone));
CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next INTEGER);
"""
UPSERT = """
INSERT OR REPLACE INTO returns VALUES (:return_id, :version, :status, :status_name, :complete, :retailer,
    :order_number, :route, :carrier, :tracking_number, :connote)
"""


def apply(db: sqlite3.Connection, change: dict[str, Any]) -> None:
    """Fold one change into the tables. Members of `change` that are not named here may appear any day: ignore them."""
    return_id, milestone, version = change["return_id"], change["milestone"], change["version"]
    known = db.execute("SELECT version FROM returns WHERE return_id = ?", (return_id,)).fetchone() or (0,)
    if version <= known[0]:
        return  # Applied already: you went back to an earlier position, or another of these runs on this database.
    if version != known[0] + 1:
        # Versions have no gaps. If Kafka has deleted the first ones, begin with the topic returns.current-status.
        raise RuntimeError(f"{return_id}: version {version} after {known[0]}, messages are missing")
    if change["kind"] == "revoked":  # the milestone no longer counts: an earlier rejection turned up, or a mistake did
        db.execute("DELETE FROM timeline WHERE return_id = ? AND milestone = ?", (return_id, milestone))
    else:  # reached, backfilled (late: the status did not move) and retimed (seen elsewhere or earlier) are kept alike
        location = change["location"] and json.dumps(change["location"])
        step = (return_id, milestone, change["occurred_at"], location, change["cause"]["source"])
        db.execute("INSERT OR REPLACE INTO timeline VALUES (?, ?, ?, ?, ?)", step)
    db.execute(UPSERT, change)
    # A mail or a refund? Not from here, where a crash would repeat it: note it in a table of its own, in this same
    # transaction, and do it from there, with "return_id/version" as the idempotency key of whoever does it for you.


def take_partitions(db: sqlite3.Connection, consumer: Any, topic: str) -> set[int]:
    """Take all partitions of the topic, each from where the tables have got to; the first time from its beginning."""
    found = consumer.partitions_for_topic(topic) or set()
    consumer.assign([TopicPartition(topic, number) for number in found])
    stored = dict(db.execute("SELECT partition, next FROM positions"))
    for partition in consumer.assignment():
        if partition.partition in stored:
            consumer.seek(partition, stored[partition.partition])
        else:
            consumer.seek_to_beginning(partition)
    return set(found)


def main(servers: str, topic: str = "returns.status-changes", database: str = "statuses.sqlite") -> None:
    """Read and apply, for ever. Any error ends the program and undoes the transaction: let your supervisor restart it."""
    db = sqlite3.connect(database, timeout=30, isolation_level=None)  # transactions begin where we say
    db.executescript(TABLES)
    consumer = KafkaConsumer(
        bootstrap_servers=servers.split(","),
        isolation_level="read_committed",  # what the service took back was never said: without this you would read it
        group_id=None,  # the position is in the database, beside what was made of the messages, ...
        enable_auto_commit=False,  # ... so Kafka is not told any
        auto_offset_reset="none",  # the position is gone from the topic: fail, since going on would skip messages
        # No value_deserializer: one that raises leaves this consumer in a loop. Bytes are decoded below.
    )
    taken = take_partitions(db, consumer, topic)
    while True:
        if taken != (consumer.partitions_for_topic(topic) or taken):  # known without asking Kafka each time
            taken = take_partitions(db, consumer, topic)
        polled = consumer.poll(timeout_ms=1000)
        with db:  # one transaction for the changes and the positions: both are there after a crash, or neither is
            db.execute("BEGIN IMMEDIATE")
            for partition, records in polled.items():
                for record in records:
                    event = json.loads(record.value)
                    if event["type"] == CHANGED:  # a .v2 may come to stand beside it one day
                        apply(db, event["data"])
                position = (partition.partition, records[-1].offset + 1)
                db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", position)


if __name__ == "__main__":
    main(*sys.argv[1:])
