"""Every return's history, streamed in one consistent snapshot, for `verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from psycopg import Connection, IsolationLevel
from psycopg.types.json import set_json_loads
from pydantic_core import from_json

from service.adapters.postgres.database import connect, translated
from service.adapters.postgres.journal.parts.claims import LabelQueries
from service.adapters.postgres.journal.parts.held import held_label
from service.adapters.postgres.queries import load_queries
from service.application.journal.figures import MILESTONES
from service.application.journal.labels.lacking import HeldScans
from service.application.journal.verify import StoredReturn, StoredRow
from service.application.label_ports import HeldLabel
from service.domain.journey import NEW, continued
from service.domain.labels import BEGINNING, FOREVER
from service.domain.rules import DEFAULT, Rules
from service.wire.rows.reconciled import published_of
from service.wire.stored import decode_changes, decode_moves, decode_state, stored_event

_Q: Final = load_queries("verify.sql")
_FETCH_ROWS: Final = 5000
_NUMBER: Final = itemgetter(0)


@contextmanager
def open_histories(url: str, rules: Rules = DEFAULT) -> Iterator[PostgresHistories]:
    """The histories as of now, for the time of the block."""
    with connect(url, "returns-verify", autocommit=False, writes=False) as connection, translated():
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        set_json_loads(from_json, connection)
        # It reads all there is, and takes its time.
        connection.execute("SET statement_timeout = 0")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        with connection.patient():
            yield PostgresHistories(connection, rules)


class PostgresHistories:
    """`application.verify.Histories`."""

    def __init__(self, connection: Connection, rules: Rules) -> None:
        self._connection, self.rules = connection, rules

    def returns(self) -> Iterator[StoredReturn]:
        known = {
            return_id: continued(published_of(document))
            for return_id, document in self._connection.execute(_Q["continuations"])
        }
        with self._all("histories") as histories, self._all("labels") as labels:
            # Both in the order of returns; each of a return with what is kept of its labels.
            events, claims = ((row[0], row, None) for row in histories), ((row[0], None, row[1:]) for row in labels)
            for return_no, of_one in groupby(merge(events, claims, key=_NUMBER), key=_NUMBER):
                told, held = list[Any](), list[HeldLabel]()
                for _, row, claim in of_one:
                    if claim is None:
                        told.append(row)
                    else:
                        held.append(held_label(*claim))
                return_id = told[0][1] if told else None
                yield StoredReturn(
                    return_no, return_id, list(_stored_rows(iter(told))), known.get(return_id, NEW), held
                )

    @contextmanager
    def _all(self, name: str) -> Iterator[Iterator[Any]]:
        with self._connection.cursor(name=name) as cursor:
            cursor.itersize = _FETCH_ROWS
            yield iter(cursor.execute(_Q[name]))

    def contested(self) -> Iterator[HeldScans]:
        labels = _Labels(self._connection)
        with self._all("contested") as contested:
            for label in contested:
                claims, bounds = labels.claims(label), labels.bounds(label)
                if any(kept.is_changed for kept in claims):
                    continue  # the sweep is to look at it
                holders = {retailers: list(told) for retailers, told in bounds.items()}
                holders[()] = [kept.claim.return_no for kept in claims]
                scans = {
                    retailers: [
                        place
                        for return_no in whose
                        for place in labels.scan_places(return_no, label, BEGINNING, FOREVER, retailers)
                    ]
                    for retailers, whose in holders.items()
                }
                yield HeldScans(label, claims, scans, bounds)

    def strays(self) -> Iterator[str]:
        for kind, subject, source, id_ in self._connection.execute(_Q["parked_although_known"]):
            yield f"event {id_} of {source} is parked although its {kind} {subject} is known"
        days = (self.rules.connote_days,)
        for connote, source, id_, return_id in self._connection.execute(_Q["undelivered_members"], days):
            yield f"{return_id}: lacks delivery {id_} of {source} of its connote {connote}"

    def misread(self) -> Iterator[str]:
        for return_id, listed, version, listed_status, status in self._connection.execute(_Q["listed_otherwise"]):
            yield (
                f"{return_id}: listed as {_standing(listed, listed_status)}, and its history says"
                f" {_standing(version, status)}"
            )
        for route, status, held, counted in self._connection.execute(_Q["miscounted_returns"]):
            yield f"figures: {held} returns of {route} with status {status}, and there are {counted}"
        milestones = [milestone.value for milestone in MILESTONES]
        for day, milestone, route, held, counted in self._connection.execute(_Q["miscounted_days"], (milestones,)):
            yield f"figures: {held} returns of {route} reached {milestone} on {day}, and {counted} did"
        for connote, retailer, carrier, *numbers in self._connection.execute(_Q["miscounted_connotes"]):
            way, true_way, done, true_done = numbers
            yield (
                f"figures: under connote {connote} {way} returns of {retailer} and {carrier} are on their way and {done}"
                f" delivered, and there are {true_way} and {true_done}"
            )
        for minute, held, counted in self._connection.execute(_Q["miscounted_minutes"]):
            yield f"figures: {held} events in the minute {minute:%Y-%m-%d %H:%M}, and there were {counted}"


class _Labels(LabelQueries):
    """What is asked of labels, by who writes nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._batch_id = connection, 0


def _standing(version: int | None, status: str | None) -> str:
    return "nothing" if version is None else f"version {version} with status {status}"


def _stored_rows(rows: Iterator[Sequence[Any]]) -> Iterator[StoredRow]:
    keys = b""
    for row in rows:
        seq, source, id_, type_, at, milestone, data, verdict, reason, changes, version, status, state, key, seen = row[
            2:17
        ]
        effect, moves, is_ahead, retailers = row[17:]
        if seq is None:
            return  # a return without a history
        event = stored_event(source, id_, type_, at, milestone, data, verdict, reason, effect, is_ahead, retailers)
        keys += key
        after = decode_state(state, seq, version, keys if seen is None else seen)
        if status != after.timeline.status:
            # A wrong status column shows as a wrong verdict, which `verify` names.
            verdict = f"{verdict} with status {status}"
        told = decode_changes(changes, after, (source, id_))
        yield StoredRow(seq, event, verdict, reason, told, after, *decode_moves(moves))
