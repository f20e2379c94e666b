"""What must hold: after each commit, for whoever reads the topics, and at the end.

The rules of the timeline come from `tests.support.oracle`, which shares no code with the domain, and the meaning of each
message from whoever made it up.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from service.domain.events import Effect, Event, Sense
from service.domain.labels import FOREVER, Window
from service.domain.milestones import Milestone
from tests.support.oracle import (
    CONNOTE_DAYS,
    DAY,
    Claim,
    claim_of,
    concerns,
    exceptions,
    label_of,
    last_closing,
    overlaps,
    place_of,
    truth,
)
from tests.world.kafka import Kafka, visible
from tests.world.postgres import Row, Server, Tx
from tests.world.scheduler import Scheduler, WorldError
from tests.world.workload import LATER_CODE, Said

_KEEPS_BATCH: Final = (
    "returns",
    "labels",
    "label_claims",
    "history",
    "connote_members",
    "connote_deliveries",
    "parked",
    "dead_letters",
)
_ORDER: Final = ("RC", "RT", "RDTPF", "DS", "RP", "RE", "RDBTC", "RR")
_BESIDE: Final = {"closed", "reopened", "detailed"}
_CLAIMED: Final = "com.omnirps.label.claimed.v1"
_YEAR_2000: Final = 946_684_800_000_000  # microseconds
_FAR: Final = 100_000  # seconds; more than one jump of the clock
Told = tuple[str, str, str, str | None, bool]


def must(holds: bool, what: str) -> None:
    """It does, or the history is over."""
    if not holds:
        raise WorldError(what)


class Checks:
    """Follows a history; every method raises WorldError where something is not as it must be."""

    def __init__(self, world: Scheduler, server: Server, kafka: Kafka, said: list[Said]) -> None:
        self._world, self._server, self._kafka = world, server, kafka
        self._by_value = {each.value: each for each in said}
        self._by_name: dict[tuple[str, str], dict[bytes, Said]] = {}
        for each in said:
            if each.event is not None:
                self._by_name.setdefault(each.name, {})[each.value] = each
        self._reads_at: dict[tuple[str, int], int] = {}
        self._losses = 0
        self._last_n = 0
        self._batch_ids: set[int] = set()
        # What the journal has ever said, so that whatever is published was said before.
        self._told: dict[tuple[str, int], set[Told]] = {}
        self._raised: set[str] = set()
        self._buried: set[tuple[str, int, int]] = set()
        self.published: dict[tuple[str, int], Told] = {}
        self._version: dict[str, int] = {}
        self._once: set[tuple[str, str]] = set()
        self._current: dict[str, int] = {}
        self._open: dict[str, set[str]] = {}
        self._letters: set[tuple[str, int, int]] = set()

    # the journal

    def committed(self, tx: Tx) -> None:
        """A transaction took effect."""
        tables = self._server.tables
        if self._losses != self._server.losses:
            self._losses = self._server.losses
            before = {n: row for n, row in tables["batches"].items() if n not in tx.written.get("batches", {})}
            self._last_n = max(before, default=0)
            self._batch_ids = {row["batch_id"] for row in before.values()}
        for n, row in sorted((tx.written.get("batches") or {}).items()):
            must(n == self._last_n + 1, f"batch {n} was committed after batch {self._last_n}: a reader skips one")
            assert row is not None
            self._last_n = n
            self._batch_ids.add(row["batch_id"])
        for table in _KEEPS_BATCH:
            for key, row in (tx.written.get(table) or {}).items():
                if row is not None:
                    must(row["batch_id"] in self._batch_ids, f"{table} {key} is of no batch that a reader finds")
        for key, row in (tx.written.get("dead_letters") or {}).items():
            if row is not None:
                self._buried.add((key[0], key[2], key[3]))
        touched = {key[0] for key in tx.written.get("history") or {}}
        if touched:
            names = {row["return_no"]: return_id for return_id, row in tables["returns"].items()}
            for return_no in touched:
                self._history(return_no, names.get(return_no), tx)

    def _history(self, return_no: int, return_id: str | None, tx: Tx) -> None:
        must(return_id is not None, f"return {return_no} has a history and no number")
        assert return_id is not None
        rows = [row for key, row in sorted(self._server.tables["history"].items()) if key[0] == return_no]
        must([row["seq"] for row in rows] == list(range(1, len(rows) + 1)), f"{return_id}: its rows have gaps")
        version, seen, counts = 0, dict[bytes, Row](), set[str]()
        new = tx.written["history"]
        for row in rows:
            name = self._called(row)
            if name in seen:
                again = seen[name]["verdict"] == "unmapped" and row["verdict"] != "unmapped"
                must(again, f"{return_id}: {row['id']} is in its history twice")
                self._world.saw("a scan was re-evaluated")
            seen[name] = row
            changes = json.loads(row["changes"]) if row["changes"] is not None else []
            version += len(changes)
            must(row["version"] == version, f"{return_id}: version {row['version']} after {version}")
            for place, change in enumerate(changes):
                kind, milestone, *_ = change
                if kind not in _BESIDE:
                    (counts.discard if kind == "revoked" else counts.add)(milestone)
                self._world.saw(f"a change: {kind}")
                if (return_no, row["seq"]) in new:
                    number = version - len(changes) + place + 1
                    self._told.setdefault((return_id, number), set()).add(tuple(change[:5]))
            if (return_no, row["seq"]) in new:
                self._world.saw(f"verdict {row['verdict']}")
                if row["reason"] is not None:
                    self._world.saw(f"reason {row['reason']}")
                    if (str(row["verdict"]) in {"held", "refused", "unmapped"} and row["reason"] != "voided") or row[
                        "reason"
                    ] == "tracking_number_in_use":
                        self._raised.add(f"{return_id}/exception/{row['seq']}")
                for moved in json.loads(row["exceptions"] or b"[]"):
                    self._world.saw(f"{'raised' if moved[0] == '+' else 'settled'} {moved[1:]}")
                    self._raised.add(f"{return_id}/exception/{row['seq']}/{moved[1:]}")
                self._came_by(return_no, return_id, row)
        expected = truth([self.event(row) for row in seen.values()])
        must(counts == expected.counts.keys(), f"{return_id}: {sorted(counts)} count, not {sorted(expected.counts)}")
        last = rows[-1]
        must(last["status"] == expected.status, f"{return_id}: status {last['status']}, not {expected.status}")

    def event(self, row: Row) -> Event:
        """What the row's message means."""
        if row["type"] == _CLAIMED:
            return window_of(row)
        event = self._meant(row).event
        assert event is not None
        if event.is_ahead and self._world.skew > _FAR:  # whose clock had jumped when it came, nobody knows by now
            event = replace(event, is_ahead=bool(row["is_ahead"]))
        if row["code"] == LATER_CODE and row["milestone"] is not None:
            milestone, effect = Milestone.RT, Effect.COLLECTED
            return replace(event, sense=Sense.ASSERTS, milestone=milestone, unmapped_because=None, effect=effect)
        return event

    def _meant(self, row: Row) -> Said:
        """What the row was made from: of several messages of its name the one that says what it says."""
        named = self._by_name.get((row["source"], row["id"]), {})
        found = [each for each in named.values() if len(named) == 1 or _says(each, row)]
        must(len(found) == 1, f"nobody said {row['id']}")
        return found[0]

    def _called(self, row: Row) -> bytes:
        """What tells the row's event from others."""
        return row["id"].encode() if row["type"] == _CLAIMED else self._meant(row).value

    def _came_by(self, return_no: int, return_id: str, row: Row) -> None:
        """The row's event concerns the return, and stood where it says."""
        if row["type"] == _CLAIMED:
            return
        said = self._meant(row)
        tables = self._server.tables
        if said.kind == "return":
            belongs = said.subject == return_id
        elif said.kind == "label":
            carrier, number = said.subject.split("/", 1)
            owner = tables["labels"].get((carrier, number))
            belongs = owner is not None and owner["return_no"] == return_no
            belongs = belongs or (carrier, number, return_no) in tables["label_claims"]
        else:
            belongs = (said.subject, return_no) in tables["connote_members"]
        must(belongs, f"{return_id}: {said} is none of its events")
        topic = self._kafka.topics[row["topic"]]
        log = topic.logs[row["partition"]]
        if topic.id.bytes == row["topic_id"] and log.begin <= row["offset"] < log.end and not log.epoch:
            entry = log.at(row["offset"])
            must(log.is_visible(entry), f"{return_id}: {said} was aborted by its publisher")

    # the topics, as a committed reader sees them

    def look(self) -> None:
        """Read on."""
        for topic in self._kafka.outputs:
            for log in self._kafka.topics[topic].logs:
                place = topic, log.number
                entries, self._reads_at[place] = visible(log, self._reads_at.get(place, 0))
                for _, entry in entries:
                    if topic == "dead-letters":
                        headers = {name: (value or b"").decode() for name, value in entry.headers}
                        at = headers["dlq.topic"], int(headers["dlq.partition"]), int(headers["dlq.offset"])
                        must(at in self._buried, f"the letter {at} was published, and nobody buried it")
                        self._letters.add(at)
                    else:
                        self._read(topic, json.loads(entry.value or b"null"))

    def _read(self, topic: str, message: dict[str, Any]) -> None:
        id_, data = message["id"], message["data"]
        return_id = data["return_id"]
        if topic == "current-status":
            seq = int(id_.rsplit("/", 1)[1])
            must(
                self._losses > 0 or seq > self._current.get(return_id, 0),
                f"{return_id}: its current status went back to that of row {seq}",
            )
            self._current[return_id] = seq
            return
        must((topic, id_) not in self._once, f"{id_} was published twice")
        self._once.add((topic, id_))
        if topic == "exceptions":
            must(id_ in self._raised, f"{id_} was published, and the journal never said it")
            open_ = self._open.setdefault(return_id, set())
            (open_.add if data["state"] == "open" else open_.discard)(data["reason"])
            return
        version = data["version"]
        last = self._version.get(return_id, 0)
        must(version == last + 1, f"{return_id}: version {version} was published after {last}")
        self._version[return_id] = version
        told = tuple(data[name] for name in ("kind", "milestone", "status", "previous_status", "complete"))
        must(
            told in self._told.get((return_id, version), ()),
            f"{return_id}/{version} was published as {told}, and the journal never said it",
        )
        self.published[return_id, version] = told
        self._world.saw("a change was published")

    # at the end

    def ingested(self) -> None:
        """Whatever can be read of the inputs is in the journal, and nothing waits that could be placed."""
        tables = self._server.tables
        rows = {self._called(row) for row in tables["history"].values()}
        kept = {self._meant(row).value for table in ("parked", "connote_deliveries") for row in tables[table].values()}
        by_place = {(row["return_no"], self._called(row)) for row in tables["history"].values()}
        letters = {
            (key[0], key[1] and key[1].bytes, *key[2:4], key[5]): row for key, row in tables["dead_letters"].items()
        }
        for topic in self._kafka.inputs:
            for log in self._kafka.topics[topic].logs:
                for offset, entry in visible(log, log.begin)[0]:
                    said = self._by_value[entry.value or b""]
                    place = topic, self._kafka.topics[topic].id.bytes, log.number, offset, entry.value
                    letter = letters.get(place)
                    where = f"{topic}/{log.number}@{offset}"
                    if said.event is None or said.is_refused:
                        must(letter is not None, f"{said} of {where} is no dead letter")
                        continue
                    if letter is not None and letter["resolved_at"] is None:
                        continue
                    must(said.value in rows or said.value in kept, f"{said} of {where} is lost")
        for row in tables["parked"].values():
            key = row["subject"] if row["kind"] == "return" else tuple(row["subject"].split("/", 1))
            owner = tables["returns" if row["kind"] == "return" else "labels"].get(key)
            if owner is not None and row["kind"] == "label" and isinstance(key, tuple):
                claims = {at[2]: claim for at, claim in tables["label_claims"].items() if at[:2] == key}
                if all(claim["is_void"] for claim in claims.values()) and owner["return_no"] in claims:
                    continue
                if row["retailers"]:  # see `is_shared_out`
                    continue
            must(owner is None, f"{row['id']} is parked, and its {row['kind']} {row['subject']} is known: stranded")
        for connote, return_no in tables["connote_members"]:
            for (delivered, *_), row in tables["connote_deliveries"].items():
                said = self._meant(row)
                if delivered == connote and self._concerns(said, connote, return_no):
                    must((return_no, said.value) in by_place, f"{said} did not reach return {return_no}: stranded")

    def _concerns(self, delivery: Said, connote: str, return_no: int) -> bool:
        """Whether it is no later than 120 days after an export of the return under its connote."""
        rows = (row for key, row in self._server.tables["history"].items() if key[0] == return_no)
        events = [self._meant(row).event for row in rows if row["type"] != _CLAIMED]
        exported = [
            each.at for each in events if each is not None and each.milestone == "RE" and each.connote == connote
        ]
        assert delivery.event is not None
        return any(delivery.event.at <= at + CONNOTE_DAYS * DAY for at in exported)

    def is_shared_out(self) -> None:
        """Each scan is in the histories of the returns that it concerns, by all claims of its label, and says so there."""
        tables = self._server.tables
        events = dict[int, list[Event]]()
        for (return_no, _), row in sorted(tables["history"].items()):
            events.setdefault(return_no, []).append(self.event(row))
        claims = dict[tuple[str, str], list[Claim]]()
        for return_no, own in events.items():
            for label in {label_of(event) for event in own if event.milestone == "RC"}:
                first = claim_of(label, own)
                if first is None:  # whose creation is void claims nothing by it
                    claims.setdefault(label, [])
                    continue
                assert first.attributes is not None
                closing = last_closing(own)
                closed_at = closing.at if closing is not None and closing.sense == "closes" else None
                claims.setdefault(label, []).append(Claim(first.at, return_no, first.attributes.retailer, closed_at))
        scans = {
            _told_by(event): event
            for own in events.values()
            for event in own
            if event.label is not None and event.window is None
        }
        waiting = [self._meant(row).event for row in tables["parked"].values() if row["retailers"]]
        scans |= {_told_by(event): event for event in waiting if event is not None}
        for scan in scans.values():
            assert scan.label is not None
            among = claims.get(scan.label, [])
            theirs, is_before = concerns(scan.at, among, scan.retailers)
            for claim in among:
                own = events[claim.return_no]
                here = next((each for each in own if _told_by(each) == _told_by(scan)), None)
                is_its = claim.return_no in theirs
                must(here is not None or not is_its, f"{scan.id} is not in the history of return {claim.return_no}")
                if here is not None:
                    whose = {each.attributes.retailer for each in own if each.attributes}
                    is_shown = not scan.retailers or not whose.isdisjoint(scan.retailers)
                    must(is_shown, f"{scan.id} is in the history of return {claim.return_no}, of another retailer")
                    place = place_of(here, own)
                    expected = "out" if not is_its else "before" if is_before and here.sense != "unmapped" else "in"
                    must(place == expected, f"{scan.id} is {place} of return {claim.return_no}, not {expected}")
        for label, among in claims.items():
            for claim in among:
                told = [each for each in events[claim.return_no] if each.window and each.label == label]
                said = [each.window for each in told if each.window and not each.bound]
                is_told = bool(said) and said[-1].is_shared
                must(is_told == overlaps(claim, among), f"return {claim.return_no} is told wrong who shares {label}")

    def is_published(self) -> None:
        """All that the journal says stands in the topics, and nothing else where it never lost anything."""
        tables = self._server.tables
        names = {row["return_no"]: return_id for return_id, row in tables["returns"].items()}
        for (return_no, seq), row in tables["history"].items():
            return_id = names[return_no]
            changes = json.loads(row["changes"]) if row["changes"] is not None else []
            for place, change in enumerate(changes):
                version = row["version"] - len(changes) + place + 1
                found = self.published.get((return_id, version))
                must(found == tuple(change[:5]), f"{return_id}/{version} is published as {found}, not {change[:5]}")
            id_ = f"{return_id}/exception/{seq}"
            is_refused = str(row["verdict"]) in {"held", "refused", "unmapped"} and row["reason"] != "voided"
            if row["reason"] is not None and is_refused:
                must(("exceptions", id_) in self._once, f"{id_} is not published")
        for key in tables["dead_letters"]:
            must((key[0], key[2], key[3]) in self._letters, f"the letter {key} is not published")

    def is_told_right(self) -> None:
        """Subscribers who apply what is published hold the timeline that follows from the journal's events."""
        tables = self._server.tables
        for return_id, owner in tables["returns"].items():
            rows = {
                self._called(row): row for key, row in sorted(tables["history"].items()) if key[0] == owner["return_no"]
            }
            expected = truth([self.event(row) for row in rows.values()])
            held = set[str]()
            status = None
            for version in range(1, self._version.get(return_id, 0) + 1):
                kind, milestone, status, *_ = self.published[return_id, version]
                if kind not in _BESIDE:
                    (held.discard if kind == "revoked" else held.add)(milestone)
            must(held == expected.counts.keys(), f"{return_id}: subscribers hold {sorted(held)}")
            must(status == expected.status, f"{return_id}: subscribers hold {status}, not {expected.status}")
            given = exceptions([self.event(row) for row in rows.values()])
            open_ = self._open.get(return_id, set())
            must(open_ == given, f"{return_id}: subscribers hold {sorted(open_)} open, not {sorted(given)}")


def _says(said: Said, row: Row) -> bool:
    """Whether the row is of these words; in the history times count from 2000 and what was said is bytes."""
    envelope = json.loads(said.value)
    assert said.event is not None
    since = _YEAR_2000 if isinstance(row["data"], bytes) else 0
    what = envelope["type"], envelope["data"], said.event.at
    return what == (row["type"], json.loads(row["data"]), row["occurred_at"] + since)


def _told_by(event: Event) -> tuple[object, ...]:
    """What tells it from others."""
    return (event.source, event.id, event.at, event.words)


def window_of(row: Row) -> Event:
    """What a row says of the window of a label."""
    data = json.loads(row["data"])

    def at(text: str | None) -> int:
        if text is None:
            return FOREVER
        return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    gaps = tuple((at(since), at(until)) for since, until in data["except"])
    window = Window(at(data["until"]), gaps, data["shared"], data["first"])
    label = data["carrier"], data["tracking_number"]
    bound = data.get("bound", "")
    return Event(row["source"], row["id"], 0, Sense.INFORMS, label=label, window=window, bound=bound)


def order_of(milestone: str) -> int:
    """Its rank."""
    return _ORDER.index(milestone)
