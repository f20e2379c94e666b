"""A journal in memory that keeps claims of labels as the real one does, for what the sweep makes of them."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from service.application.journal import ingest
from service.application.journal.labels.lacking import HeldScans
from service.application.journal.sweep import sweep
from service.application.label_ports import Claimed, HeldLabel, KeptClaim, ScanPlace
from service.application.ports import Arrival, HistoryRow, Swept, Waiting, WhileWaiting
from service.domain.events import Event
from service.domain.labels import BEGINNING, FOREVER, MAX_CLAIMS, Claim, Label, Retailers, Window
from service.domain.whole import Whole
from service.wire.inbound import SubjectKind
from service.wire.inbound import label as name_of
from service.wire.rows.claimed import LABEL_CLAIMED
from service.wire.times import rfc3339
from tests.support.fakes import MemoryJournal, MemoryTransaction, Tables
from tests.support.journals import CLOSED, RC, SCAN, event
from tests.unit.application.journal.test_append import arrivals

BEGIN: Final = 1_780_000_000_000_000  # microseconds: some day of 2026
DAY: Final = 24 * 3600 * 1_000_000
LABEL: Final = ("generic", "TR-1")

Key = tuple[Label, int]
_ALL: Final = ((),)
_BOUND: Final = "/bound/"  # and the retailers


@dataclass
class LabelTables(Tables):
    """Tables that know which batch wrote a claim, or parked a scan."""

    told: dict[Key, Window] = field(default_factory=dict)
    made: dict[Key, int] = field(default_factory=dict)
    changed: dict[Key, int] = field(default_factory=dict)
    parked_in: dict[tuple[SubjectKind, str, bytes], int] = field(default_factory=dict)
    turn: tuple[int, Label] | None = None  # up to which batch labels are looked at, and which one is done with
    labelled_in: dict[str, int] = field(default_factory=dict)
    bound_scans: dict[tuple[Label, Retailers, int], Window | None] = field(default_factory=dict)


class LabelTransaction(MemoryTransaction):
    """`ports.SweepTransaction` with claims, and `label_ports.MendsClaims`."""

    tables: LabelTables

    @property
    def _batch(self) -> int:
        return self.tables.batches + 1

    def join_claims(self, claims: Mapping[Key, Claimed]) -> None:
        for key, new in claims.items():
            known = self.tables.claims.get(key)
            if known is None:
                self._keep(key, new)
            elif new.at < known.at or new.closed_at != known.closed_at:
                at, retailer = min((new[:2], known[:2]), key=lambda each: each[0])
                self._keep(key, Claimed(at, retailer, new.closed_at, known.is_void))

    def set_claims(self, claims: Mapping[Key, Claimed]) -> None:
        for key, new in claims.items():
            if self.tables.claims.get(key) != new:
                self._keep(key, new)

    def _keep(self, key: Key, claimed: Claimed) -> None:
        self.tables.claims[key] = claimed
        self.tables.changed[key] = self._batch
        self.tables.made.setdefault(key, self._batch)

    def claim_labels(self, claims: Mapping[str, int]) -> dict[str, int]:
        new = [name for name in claims if name not in self.tables.labels]
        self.tables.labelled_in |= dict.fromkeys(new, self._batch)
        return super().claim_labels(claims)

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        for row in rows:
            event = row.entry.event
            if event.retailers and event.label is not None:
                self.tables.bound_scans.setdefault((event.label, event.retailers, row.return_no), None)
        return super().append(rows)

    def touched_labels(self, batches: Sequence[str]) -> dict[Label, bool]:
        wanted, tables = {int(each) for each in batches}, self.tables
        changed = [(label, whose) for (label, whose), batch in tables.changed.items() if batch in wanted]
        touched = {label for label, whose in changed if not self._stands_alone(label, whose)}
        waits = {key for key, batch in tables.parked_in.items() if batch in wanted}
        touched |= {label for label, _ in tables.claims if any(key[1] == name_of(*label) for key in waits)}
        for key, arrival in tables.parked.items():
            is_touched = key in waits or tables.labelled_in.get(key[1]) in wanted
            if arrival.inbound.event.retailers and key[1] in tables.labels and is_touched:
                touched.add(_label(key[1]))
        bound = {label for label, *_ in tables.bound_scans}
        bound |= {_label(key[1]) for key, each in tables.parked.items() if each.inbound.event.retailers}
        return {label: label in bound for label in sorted(touched)}

    def _stands_alone(self, label: Label, return_no: int) -> bool:
        """Whether nobody but who was known first claims it, nobody was told of it, and no scan of it waits."""
        tables, key = self.tables, (label, return_no)
        return (
            not tables.claims[key].is_void
            and tables.told.get(key) is None
            and tables.labels.get(name_of(*label)) == return_no
            and all(of != label or whose == return_no for of, whose in tables.claims)
            and all(subject != name_of(*label) for _, subject, _ in tables.parked)
            and all(of != label for of, *_ in tables.bound_scans)
        )

    def claims(self, label: Label) -> list[KeptClaim]:
        tables, names = self.tables, {number: name for name, number in self.tables.returns.items()}

        def is_unswept(key: Key) -> bool:
            return tables.swept < tables.changed[key] < self._batch

        found = sorted(
            (Claim(claimed.at, return_no, claimed.retailer, claimed.closed_at), claimed.is_void)
            for (of, return_no), claimed in tables.claims.items()
            if of == label and return_no in names
        )
        return [
            KeptClaim(
                claim,
                names[claim.return_no],
                tables.told.get((label, claim.return_no)),
                is_unswept(key),
                is_unswept(key) and tables.made[key] == tables.changed[key],
                is_void,
            )
            for claim, is_void in found[:MAX_CLAIMS]
            for key in ((label, claim.return_no),)
        ]

    def tell(self, label: Label, windows: Mapping[int, Window], retailers: Retailers = ()) -> None:
        if retailers:
            self.tables.bound_scans |= {(label, retailers, no): window for no, window in windows.items()}
        else:
            self.tables.told |= {(label, return_no): window for return_no, window in windows.items()}

    def bounds(self, label: Label) -> dict[Retailers, dict[int, Window | None]]:
        found = dict[Retailers, dict[int, Window | None]]()
        for (of, retailers, return_no), told in self.tables.bound_scans.items():
            if of == label:
                found.setdefault(retailers, {})[return_no] = told
        for key, arrival in self.tables.parked.items():
            if key[:2] == (SubjectKind.LABEL, name_of(*label)) and (its := arrival.inbound.event.retailers):
                found.setdefault(its, {})
        return found

    def park(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        assert LABEL_CLAIMED not in {each.inbound.type for each in arrivals}  # it is settled whose it is
        before = set(self.tables.parked)
        known = super().park(arrivals)
        self.tables.parked_in |= dict.fromkeys(self.tables.parked.keys() - before, self._batch)
        return known

    def waiting_scans(self, label: Label, limit: int, bounds: Collection[Retailers] = _ALL) -> list[Arrival]:
        assert limit > 0
        of = (SubjectKind.LABEL, name_of(*label))
        waiting = [each for key, each in self.tables.parked.items() if key[:2] == of]
        waiting = [each for each in waiting if each.inbound.event.retailers in bounds]
        return sorted(waiting, key=lambda each: each.inbound.event.order[1:])[:limit]

    def unpark(self, label: Label, arrivals: Sequence[Arrival]) -> None:
        for each in arrivals:
            del self.tables.parked[SubjectKind.LABEL, name_of(*label), each.inbound.event.key]

    def scan_places(
        self, return_no: int, label: Label, since: int, until: int, retailers: Retailers = ()
    ) -> Iterator[ScanPlace]:
        for seq, row in enumerate(self.tables.history.get(return_no, ()), start=1):
            told = row.entry.event
            if told.label == label and told.window is None and told.retailers == retailers and since <= told.at < until:
                key = row.entry.state.seen[-16:]
                yield ScanPlace(return_no, seq, told.source, told.id, told.at, key)

    def scans_at(self, label: Label, places: Sequence[ScanPlace]) -> list[Arrival]:
        found = [self.tables.history[place.return_no][place.seq - 1].arrival for place in places]
        assert all(each.inbound.event.label == label for each in found)
        return found

    def begin_sweep(self, batches: int, events: int) -> Swept | None:
        del events
        tables = self.tables
        if tables.swept == tables.batches:
            return None
        if tables.turn is not None and tables.turn[0] > tables.swept:
            upto, after = tables.turn
            return Swept(upto, [], [str(n) for n in range(tables.swept + 1, upto + 1)], after)
        contested = {name_of(*label) for label, _ in tables.claims}
        waiting = list[Waiting]()
        for key, arrival in list(tables.parked.items()):
            kind, subject, _ = key
            owner = tables.returns.get(subject) if kind is SubjectKind.RETURN else tables.labels.get(subject)
            is_bound = bool(arrival.inbound.event.retailers)
            if owner is not None and not is_bound and not (kind is SubjectKind.LABEL and subject in contested):
                waiting.append(Waiting(owner, arrival))
                del tables.parked[key]
        upto = min(tables.batches, tables.swept + batches)
        return Swept(upto, waiting, [str(n) for n in range(tables.swept + 1, upto + 1)])

    def stop_sweep(self, upto: int, label: Label) -> None:
        assert self.tables.turn is None or self.tables.turn[0] != upto or self.tables.turn[1] < label
        self.tables.turn = upto, label

    def held_labels(self, return_no: int, labels: Collection[Label]) -> Sequence[HeldLabel]:
        claims = self.tables.claims
        return [
            HeldLabel(
                label,
                claims.get((label, return_no)),
                self.tables.told.get((label, return_no)),
                any(of == label and of_no != return_no and not each.is_void for (of, of_no), each in claims.items()),
            )
            for label in labels
            if (label, return_no) in claims or self.tables.labels.get(name_of(*label)) == return_no
        ]

    def mend_claims(self, return_no: int, claims: Mapping[Label, tuple[Claimed, Window | None]]) -> None:
        for label, (claimed, window) in claims.items():
            self._keep((label, return_no), claimed)
            self.tables.told.pop((label, return_no), None)
            if window is not None:
                self.tables.told[label, return_no] = window

    def touch_claims(self, return_no: int, labels: Collection[Label]) -> bool:
        touched = [(label, return_no) for label in labels if (label, return_no) in self.tables.claims]
        self.tables.changed |= dict.fromkeys(touched, self._batch)
        return bool(touched)


class LabelJournal(MemoryJournal):
    """The journal; `colliding` are returns that somebody else appends to whenever anything is."""

    tables: LabelTables

    def __init__(self) -> None:
        super().__init__([])
        self.tables = LabelTables()
        self.sweeps = 0

    @contextmanager
    def transaction(self, while_waiting: WhileWaiting | None = None) -> Iterator[LabelTransaction]:
        del while_waiting
        tx = LabelTransaction(self, copy.copy(self.tables))
        for name, value in vars(tx.tables).items():
            setattr(tx.tables, name, copy.copy(value))
        tx.tables.history = {return_no: list(rows) for return_no, rows in tx.tables.history.items()}
        yield tx
        self.tables = tx.tables

    def take(self, *documents: dict[str, Any]) -> None:
        """One batch."""
        before = sum(map(len, self.tables.history.values())) + len(self.tables.parked)
        outcome = ingest.write(self, came(*documents), {})
        after = sum(map(len, self.tables.history.values())) + len(self.tables.parked)
        assert after - before + sum(outcome.duplicates.values()) == len(documents)

    def sweep(self) -> None:
        """Until there is nothing more to do, which is not for ever."""
        for _ in range(200):
            if sweep(self) is None:
                return
            self.sweeps += 1
        raise AssertionError("the sweep comes to no end")

    def rows(self, return_id: str) -> list[HistoryRow]:
        return self.tables.history.get(self.tables.returns.get(return_id, 0), [])

    def past(self, return_id: str) -> list[Event]:
        return [row.entry.event for row in self.rows(return_id)]

    def whole(self, return_id: str) -> Whole:
        return Whole(self.past(return_id))


def held_scans(journal: LabelJournal) -> Iterator[HeldScans]:
    """`verify.Histories.contested` of it."""
    with journal.transaction() as tx:
        for label in sorted({label for label, _ in journal.tables.claims}):
            claims, bounds = tx.claims(label), tx.bounds(label)
            if len(claims) < 2 or any(kept.is_changed for kept in claims):
                continue
            whose = {(): [kept.claim.return_no for kept in claims], **{of: list(told) for of, told in bounds.items()}}
            scans = {
                of: [place for no in nos for place in tx.scan_places(no, label, BEGINNING, FOREVER, of)]
                for of, nos in whose.items()
            }
            yield HeldScans(label, claims, scans, bounds)


def moment(days: float, micros: int = 0) -> int:
    """In microseconds since 1970-01-01 UTC."""
    return BEGIN + int(days * DAY) + micros


def created(return_id: str, at: int, retailer: str = "acme", number: str = LABEL[1], **more: Any) -> dict[str, Any]:
    """A creation; `id` names it."""
    data = {"return_id": return_id, "retailer": retailer, "route": "omnirps"}
    data |= {"carrier": LABEL[0], "tracking_number": number}
    id_ = more.pop("id", f"{return_id}-rc")
    return event(RC, id_, "00:00", **{**data, **more}) | {"time": rfc3339(at)}


def closed(return_id: str, at: int) -> dict[str, Any]:
    """That it is closed."""
    return event(CLOSED, f"{return_id}-c", "00:00", return_id=return_id, by="ops", reason="lost") | {
        "time": rfc3339(at)
    }


def scan(
    id_: str, at: int, code: str = "COLLECTED", number: str = LABEL[1], retailers: Retailers = ()
) -> dict[str, Any]:
    """A scan of a label; its publisher may be bound to retailers."""
    data = {"carrier": LABEL[0], "tracking_number": number, "code": code}
    source = {"source": _BOUND + "+".join(retailers)} if retailers else {}
    return event(SCAN, id_, "00:00", **data) | {"time": rfc3339(at)} | source


def came(*documents: dict[str, Any]) -> list[Arrival]:
    """The events, as they come in."""
    return [_bound(each) for each in arrivals(*documents)]


def _bound(arrival: Arrival) -> Arrival:
    """As the parser reads what such a publisher says."""
    its = arrival.inbound.event
    if not its.source.startswith(_BOUND):
        return arrival
    its = replace(its, retailers=tuple(its.source.removeprefix(_BOUND).split("+")))
    return Arrival(msgspec.structs.replace(arrival.inbound, event=its), arrival.record)


def _label(name: str) -> Label:
    carrier, _, number = name.partition("/")
    return carrier, number
