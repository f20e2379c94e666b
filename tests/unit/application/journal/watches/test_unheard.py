"""An hour after a void that names nothing its return's history says so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from service.application.journal.appending import Placed, append
from service.application.journal.watches import unheard as watch
from service.application.journal.watches.unheard import VOIDS_A_LOOK, look
from service.domain.events import Event
from service.domain.labels import Window
from service.domain.rules import DEFAULT, Rules
from service.wire.inbound import SubjectKind
from service.wire.record import Record
from service.wire.rows.unheard import SOURCE, UNHEARD, Unheard
from service.wire.stored import to_micros
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.support.journals import VOID, creation, event, scan
from tests.unit.application.journal.test_append import write
from tests.unit.application.journal.test_project import told

AT = datetime(2026, 11, 26, 12, 0, 0, 250_000, UTC)
MISSPELT = event(VOID, "v", "11:00", return_id="R-1001", source="/Test", id="c", by="me", reason="wrong parcel")


class Journal(MemoryJournal):
    """A journal in which these voids have been there for an hour."""

    def __init__(self, *due: Unheard) -> None:
        super().__init__([])
        self.due, self.forgotten = list(due), list[Unheard]()
        self.asked: list[int] = []
        self.waited: list[object] = []
        self.numbered: list[int] = []
        self.read: list[int] = []
        self.rules = DEFAULT
        write(self, creation(), scan("COLLECTED", "10:00"), MISSPELT)

    @contextmanager
    def transaction(self, while_waiting: object = None) -> Iterator[MemoryTransaction]:
        self.waited.append(while_waiting)
        tx = Transaction(self, self.tables)
        tx.to, tx.rules = self, self.rules
        yield tx


class Transaction(MemoryTransaction):
    """That knows what is due."""

    to: Journal

    def due_voids(self, limit: int) -> list[Unheard]:
        self.to.asked.append(limit)
        return self.to.due

    def forget_voids(self, due: Sequence[Unheard]) -> None:
        self.to.forgotten += due

    def past(self, return_nos: Collection[int]) -> dict[int, list[Event]]:
        self.to.read += return_nos
        return super().past(return_nos)

    def number_batch(self, events: int) -> None:
        super().number_batch(events)
        self.to.numbered.append(events)


def test_what_no_event_has_the_name_of_is_said_in_the_history_as_a_row_of_the_service_s_own() -> None:
    journal = Journal(Unheard(1, "R-1001", "/Test", "c", AT, has_event=False))
    journal.numbered.clear()

    def wait() -> bool:
        """While another one has the turn."""
        return True

    assert look(journal, wait) == 1

    row = journal.tables.history[1][-1]
    entry, said = row.entry, row.entry.event
    assert (entry.verdict, entry.reason, entry.raised) == ("informational", None, ("void_without_event",))
    assert (said.source, said.at, said.sense, said.unheard) == (SOURCE, to_micros(AT), "informs", ("/Test", "c"))
    assert said.id.startswith("R-1001/")
    assert (said.words.type, said.words.is_timed) == (UNHEARD, False)
    assert msgspec.json.decode(said.words.data) == {"return_id": "R-1001", "source": "/Test", "id": "c"}
    inbound = row.arrival.inbound
    assert (inbound.kind, inbound.subject, inbound.type) == (SubjectKind.RETURN, "R-1001", UNHEARD)
    assert (inbound.event, inbound.data) == (said, said.words.data)
    assert row.arrival.record == Record("", 0, 0, int(AT.timestamp() * 1000), None, None)
    assert (journal.forgotten, journal.numbered) == (journal.due, [1])
    assert (journal.asked, journal.waited[-1]) == ([VOIDS_A_LOOK], wait)


def test_what_an_event_has_the_name_of_by_then_is_looked_at_and_nothing_is_said() -> None:
    journal = Journal(Unheard(1, "R-1001", "/test", "R-1001-COLLECTED-10:00", AT, has_event=True))
    journal.numbered.clear()

    assert look(journal) == 1

    assert journal.recorded("R-1001") == ["R-1001-rc", "R-1001-COLLECTED-10:00", "v"]
    assert (journal.forgotten, journal.numbered) == (journal.due, [])


def test_what_an_event_of_another_return_has_the_name_of_is_said() -> None:
    journal = Journal(Unheard(1, "R-1001", "/Test", "c", AT, has_event=True))

    assert look(journal) == 1

    assert journal.tables.history[1][-1].entry.event.unheard == ("/Test", "c")
    assert journal.forgotten == journal.due


def test_whether_an_event_is_the_return_s_is_told_by_the_rules_that_are_set() -> None:
    early = scan("IN_TRANSIT", "07:00")
    of = {"source": "/test", "id": early["id"], "by": "me", "reason": "wrong parcel"}
    journal = Journal(Unheard(1, "R-1001", "/test", early["id"], AT, has_event=True))
    write(journal, early, event(VOID, "w", "12:00", return_id="R-1001", **of))
    # Another return claimed the label first: what came before the window is not this one's.
    with journal.transaction() as tx:
        append(tx, [Placed(1, told(Window(is_first=False)), is_settled=True)], lambda _: None)

    assert look(journal) == 1
    assert len(journal.recorded("R-1001")) == 6  # nothing was said

    journal.rules = Rules(label_lead_hours=1)
    assert look(journal) == 1
    assert journal.tables.history[1][-1].entry.event.unheard == ("/test", early["id"])


def test_of_a_void_that_is_of_all_members_of_a_connote_nothing_is_said() -> None:
    of_others = Unheard(1, "R-1001", "/test", "d", AT, has_event=False, is_of_others=True)
    journal = Journal(of_others, Unheard(1, "R-1001", "/Test", "c", AT, has_event=False))
    journal.numbered.clear()

    assert look(journal) == 2

    assert [row.entry.event.unheard for row in journal.tables.history[1]][3:] == [("/Test", "c")]
    assert (journal.forgotten, journal.numbered, journal.read) == (journal.due, [1], [1])


@pytest.mark.parametrize(("most", "read"), ((1, [1]), (3, [1]), (4, [1, 2]), (6, [1, 2, 3])))
def test_so_many_events_are_read_at_a_look_and_the_rest_of_the_voids_another_time(
    monkeypatch: pytest.MonkeyPatch, most: int, read: list[int]
) -> None:
    monkeypatch.setattr(watch, "PAST_A_LOOK", most)
    names = [f"R-100{n}" for n in (1, 2, 3)]
    due = [Unheard(n, name, "/test", f"{name}-COLLECTED-10:00", AT, has_event=True) for n, name in enumerate(names, 1)]
    again = due[0]._replace(id="R-1001-rc")
    unnamed = [Unheard(3, "R-1003", "/Test", "d", AT, has_event=False)]
    journal = Journal(*due, again, *unnamed)
    for name in names[1:]:
        write(journal, creation(name), scan("COLLECTED", "10:00", name))

    look(journal)

    # Of a return that was read, and of what nothing has the name of, there is nothing to read.
    looked = [each for each in journal.due if each.return_no in read or not each.has_event]
    assert journal.forgotten == looked
    assert [row.entry.event.unheard for row in journal.tables.history[3]][2:] == [("/Test", "d")]
    assert journal.read == [*read, 3]  # the last is decided from it


def test_where_nothing_is_due_nothing_is_done() -> None:
    journal = Journal()
    journal.numbered.clear()

    assert look(journal) == 0
    assert (journal.forgotten, journal.numbered) == ([], [])


def test_it_is_said_once_of_a_name_however_often_it_is_looked_at() -> None:
    journal = Journal(Unheard(1, "R-1001", "/Test", "c", AT, has_event=False))

    look(journal)
    look(journal)

    assert len(journal.recorded("R-1001")) == 4


def test_two_names_are_two_rows() -> None:
    names = (("/Test", "c"), ("/Test", "d"), ("/tests", "d"))
    journal = Journal(*(Unheard(1, "R-1001", *name, AT, has_event=False) for name in names))
    journal.numbered.clear()

    assert look(journal) == 3
    assert (len(set(journal.recorded("R-1001"))), journal.numbered) == (6, [3])
