"""Subscribers and the journal are made to agree: what is compared, recorded, published, and in which order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.application.journal.publish import Outgoing, OutputTopics
from service.application.journal.reconcile import Summary, differs, dry_run, entry_of, open_in, read_topics, reconcile
from service.application.journal.sides import (
    Change,
    Document,
    Held,
    OpenException,
    Standing,
    Stood,
    ToldException,
    ToldLetter,
)
from service.application.journal.slices import Position
from service.application.ports import HistoryRow
from service.domain.events import Sense, Words
from service.domain.exceptional import UNTOLD
from service.domain.journey import State, replay
from service.domain.milestones import Reason
from service.domain.rules import EARLIEST
from service.wire.documents import return_document
from service.wire.outbound import Message
from service.wire.rows.exception_ids import NamedWait, Waits
from service.wire.rows.letters import KeptLetter
from service.wire.rows.logged import LogRow
from service.wire.rows.reconciled import RECONCILED, SOURCE
from tests.support.fakes import MemoryJournal, MemoryTransaction
from tests.unit.domain.histories import happened, story
from tests.unit.wire.test_outbound import EXCEPTIONAL, RETURN

NOW = datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC)
EARLIER = datetime(2026, 11, 20, tzinfo=UTC)
STOOD = Stood("status", 1, 7, 1_795_600_000_000)
TOPICS = OutputTopics("changes", "current", "exceptions", "dead")
UPTO = Position(9, batch_id="nine")
TOLD = ToldException(
    "return/R-1/awaiting_processed", "open", "R-1", "/s", "i", "awaiting_processed",
    {"exception_id": "return/R-1/awaiting_processed", "state": "open", "return_id": "R-1", "recorded_at": "before"},
)  # fmt: skip


def document(words: str, return_id: str = "R-1") -> dict[str, Any]:
    return return_document(return_id, replay(story(words)))


def standing(number: int, words: str, held: str | None, *, is_document: bool = True) -> Standing:
    """Return R-number as it is after these events, beside what subscribers hold of it."""
    id_ = f"R-{number}"
    told = None if held is None else Held(id_, document(held, id_), STOOD, is_document)
    return Standing(number, replay(story(words)), id_, told)


class Transaction(MemoryTransaction):
    """`Agreeing`."""

    sides: Sides

    def end(self) -> Position:
        return UPTO

    def standings(self) -> Iterator[Standing]:
        yield from self.sides.standings

    def unknown(self) -> Iterator[Held]:
        yield from self.sides.unknown

    def load(self, return_nos: Collection[int]) -> dict[int, State]:
        self.sides.happened.append(("load", list(return_nos)))
        return {each.return_no: each.state for each in self.sides.standings if each.return_no in return_nos}

    def append(self, rows: Sequence[HistoryRow]) -> bool:
        self.sides.rows += rows
        self.sides.happened.append(("append", len(rows)))
        return self.sides.is_alone

    def number_batch(self, events: int) -> None:
        self.sides.happened.append(("number", events))

    def go_on_from(self, held: Sequence[Held]) -> None:
        self.sides.happened.append(("go on", [each.return_id for each in held]))

    def open_waits(self) -> Iterator[NamedWait]:
        yield from self.sides.waits

    def note_open(self, found: Iterable[OpenException]) -> None:
        self.sides.open += found

    def note(self, upto: Position, ends: Mapping[str, Sequence[int]]) -> None:
        self.sides.happened.append(("note", upto, ends))


class Sides:
    """`Sides` and `Outputs` of what a test says, and what happened, in order."""

    def __init__(self, *standings: Standing, unknown: Sequence[Held] = ()) -> None:
        self.standings, self.unknown = standings, unknown
        self.rows_untold: Sequence[LogRow] = ()
        self.told: list[ToldException] = [TOLD]
        self.open: list[OpenException] = []
        self.waits: list[NamedWait] = []
        self.are_open: list[ToldException] = []
        self.are_over: list[tuple[str, LogRow]] = []
        self.untold: Sequence[KeptLetter] = ()
        self.happened: list[tuple[Any, ...]] = []
        self.rows: list[HistoryRow] = []
        self.is_alone = True
        self.behind: set[str] = set()
        self.kept_documents: list[Document] = []
        self.kept_changes: list[Change] = []
        self.folded: list[tuple[str, Mapping[str, Any], Stood]] = []

    @contextmanager
    def transaction(self, *, alone: bool) -> Iterator[Transaction]:
        journal = MemoryJournal()
        tx = Transaction(journal, journal.tables)
        tx.sides = self
        self.happened.append(("begin", alone))
        yield tx
        self.happened.append(("commit",))

    def note_documents(self, documents: Iterable[Document]) -> None:
        self.happened.append(("documents", len(list(documents))))

    def note_changes(self, changes: Iterable[Change]) -> None:
        self.happened.append(("changes", len(list(changes))))

    def outdated(self) -> set[str]:
        return self.behind

    def documents_of(self, return_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        wanted = set(return_ids)
        return {each.return_id: each.data for each in self.kept_documents if each.return_id in wanted}

    def note_folded(self, held: Iterable[tuple[str, Mapping[str, Any], Stood]]) -> None:
        self.folded += held

    def note_exceptions(self, told: Iterable[ToldException]) -> None:
        self.happened.append(("noted", list(told)))

    def untold_exceptions(self, upto: Position, since: datetime | None) -> Iterator[LogRow]:
        self.happened.append(("exceptions", upto, since))
        yield from self.rows_untold

    def held_open(self) -> Iterator[ToldException]:
        self.happened.append(("held open",))
        yield from self.are_open

    def held_over(self) -> Iterator[tuple[str, LogRow]]:
        self.happened.append(("held over",))
        yield from self.are_over

    def untold_letters(
        self, told: Iterable[ToldLetter], upto: Position, since: datetime | None
    ) -> Iterator[KeptLetter]:
        self.happened.append(("letters", list(told), upto, since))
        yield from self.untold

    def ends(self) -> Mapping[str, Sequence[int]]:
        return {"topic": [10, 20]}

    def documents(self) -> Iterator[Document]:
        yield from self.kept_documents

    def changes(self) -> Iterator[Change]:
        yield from self.kept_changes

    def exceptions(self) -> Iterator[ToldException]:
        yield from self.told

    def letters(self) -> Iterator[ToldLetter]:
        yield ToldLetter("in", 0, 1, 5)

    def kept_since(self, *, letters: bool) -> datetime | None:
        return NOW if letters else EARLIER


class Sink:
    """Where messages go: how many to which topics, and the position."""

    def __init__(self, happened: list[tuple[Any, ...]]) -> None:
        self.happened = happened
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Outgoing], position: Position | None) -> None:
        self.messages += [each.message for each in messages]
        self.happened.append(("publish", [each.topic for each in messages], position))


def agree(sides: Sides, messages: list[Message] | None = None) -> tuple[Summary, list[str], list[str]]:
    said, told = list[str](), list[str]()
    sink: Any = Sink(sides.happened)
    done = reconcile(sides, sides, sink, TOPICS, NOW, said.append, told.append)
    if messages is not None:
        messages += sink.messages
    return done, said, told


def test_only_where_somebody_holds_something_else_a_return_differs() -> None:
    assert not differs(standing(1, "RC@1 RT@2", "RC@1 RT@2"))
    assert differs(standing(1, "RC@1 RT@2", "RC@1"))
    assert differs(standing(1, "RC@1 RT@2", "RC@1 RT@3"))
    assert differs(standing(1, "RC@1", None))
    assert not differs(standing(1, "RC@1 RP@2 RE@3/CN-B", "RC@1 RP@2 RE@3/CN-B"))
    assert differs(standing(1, "RC@1 RP@2 RE@3/CN-B", "RC@1 RP@2 RE@3/CN-C"))
    # The compacted topic lacks it, whatever the changes say.
    assert differs(standing(1, "RC@1 RT@2", "RC@1 RT@2", is_document=False))


def test_where_somebody_holds_another_place_a_return_differs() -> None:
    def at(country: str | None) -> State:
        place = None if country is None else {"country": country}
        return replay([*story("RC@1"), happened("RT", 2, location=place)])

    for country, held in itertools.product(("NZ", "AU", None), repeat=2):
        told = Held("R-1", return_document("R-1", at(held)), STOOD)

        assert differs(Standing(1, at(country), "R-1", told)) == (country != held)


def test_what_they_held_is_recorded_with_the_changes_from_there_and_the_place_that_says_so() -> None:
    known = standing(1, "RC@1 RT@2 RP@5", "RC@1 DS@3")

    row = entry_of(known, known.state, "run", NOW)

    event, inbound, record = row.entry.event, row.arrival.inbound, row.arrival.record
    assert (row.return_no, event.source, event.id, event.sense) == (1, SOURCE, "R-1/run", Sense.RECONCILES)
    assert event.at == 1_795_608_000_250_000
    assert event.words == Words(RECONCILED, inbound.data)
    assert (inbound.kind.value, inbound.subject, inbound.type) == ("return", "R-1", RECONCILED)
    assert inbound.data.startswith(b'{"published":{')
    assert inbound.data.endswith(b'"version":2},"return_id":"R-1"}')
    assert (record.topic, record.partition, record.offset, record.timestamp) == STOOD
    assert [(change.kind.value, change.milestone) for change in row.entry.changes] == [
        ("revoked", "DS"),
        ("reached", "RT"),
        ("reached", "RP"),
    ]
    assert row.entry.state.version == 2 + 3


def test_of_a_return_of_which_they_held_nothing_no_place_says_so() -> None:
    known = standing(1, "RC@1", None)

    row = entry_of(known, known.state, "run", NOW)

    record = row.arrival.record
    assert row.arrival.inbound.data == b'{"published":null,"return_id":"R-1"}'
    assert (record.topic, record.partition, record.offset, record.timestamp) == ("", 0, 0, 1_795_608_000_250)
    assert row.entry.state.version == 1


SAID = "R-2: subscribers hold version 1, Return Created; to version 2, Return In Transit: reached RT"


def test_a_dry_run_says_what_would_be_told_and_changes_nothing() -> None:
    unknown = [Held("R-8", document("RC@1 RP@2", "R-8"), STOOD), Held("R-9", document("RC@1", "R-9"), STOOD)]
    sides, said = Sides(standing(1, "RC@1", "RC@1"), standing(2, "RC@1 RT@2", "RC@1"), unknown=unknown), list[str]()

    sides.rows_untold = [shared_row()]
    sides.are_open = [TOLD]

    done = dry_run(sides, sides, TOPICS, NOW, said.append)

    assert done == Summary(returns=2, told=1, changes=1, unknown=2, exceptions=1, resolved=1)
    assert said == [
        SAID,
        "R-8: subscribers hold version 2, Return Processed; not in this journal, left alone",
        "R-9: subscribers hold version 1, Return Created; not in this journal, left alone",
    ]
    assert sides.rows == []
    assert sides.happened[0] == ("begin", False)
    assert ("exceptions", UPTO, EARLIER) in sides.happened
    assert [what for what, *_ in sides.happened] == [
        *("begin", "commit", "noted", "exceptions", "noted", "held open", "held over", "letters")
    ]


@pytest.mark.parametrize(
    ("is_true", "held", "said"),
    (
        ("", "RC@1", "version 1, Return Created; to version 1, nothing: no milestone moves"),
        ("RC@1 RT@2 DS@3", "RC@1", "version 1, Return Created; to version 3, Depot Scan: reached RT, reached DS"),
    ),
)
def test_what_is_true_of_a_return_is_said_and_by_which_changes_it_is_told(is_true: str, held: str, said: str) -> None:
    sides, lines = Sides(standing(1, is_true, held)), list[str]()

    dry_run(sides, sides, TOPICS, NOW, lines.append)

    assert lines == [f"R-1: subscribers hold {said}"]


def test_what_differs_is_recorded_first_and_the_position_published_last() -> None:
    unknown = [Held("R-9", document("RC@1", "R-9"), STOOD)]
    sides = Sides(
        standing(1, "RC@1", "RC@1"), standing(2, "RC@1 RT@2", "RC@1"), standing(3, "RC@1 RT@2", "RC@1 RT@2",
        is_document=False), unknown=unknown,
    )  # fmt: skip

    done, said, told = agree(sides)

    assert done == Summary(returns=3, told=2, changes=1, unknown=1)
    assert said == [
        SAID,
        "R-3: subscribers hold version 2, Return In Transit; to version 2, Return In Transit: no milestone moves",
        "R-9: subscribers hold version 1, Return Created; not in this journal, left alone",
    ]
    assert told == ["comparing every return", "looking for exceptions and dead letters that were not published"]
    assert [row.arrival.inbound.event.id for row in sides.rows] == [
        "R-2/20261125T120000.250000",
        "R-3/20261125T120000.250000",
    ]
    assert sides.happened == [
        ("begin", True),
        ("load", [2, 3]),
        ("append", 2),
        ("go on", ["R-9"]),
        ("number", 2),
        ("note", UPTO, {"topic": [10, 20]}),
        ("commit",),
        ("noted", [TOLD]),
        ("exceptions", UPTO, EARLIER),
        ("held open",),
        ("held over",),
        ("letters", [ToldLetter("in", 0, 1, 5)], UPTO, NOW),
        ("publish", [], UPTO),
    ]


def test_where_all_agree_nothing_is_recorded_and_the_relay_goes_on_all_the_same() -> None:
    sides = Sides(standing(1, "RC@1", "RC@1"))

    done, said, _ = agree(sides)

    assert (done, said) == (Summary(returns=1), [])
    assert [what for what, *_ in sides.happened] == [
        *("begin", "note", "commit", "noted", "exceptions", "held open", "held over", "letters", "publish")
    ]


def test_very_many_returns_are_recorded_in_pieces_of_one_batch() -> None:
    sides = Sides(*(standing(number, "RC@1", None) for number in range(1, 502)))

    done, _, _ = agree(sides)

    assert (done.returns, done.told, done.changes) == (501, 501, 501)
    assert [each for each in sides.happened if each[0] in ("append", "number")] == [
        ("append", 500),
        ("append", 1),
        ("number", 501),
    ]


def test_returns_that_differ_are_found_behind_very_many_that_do_not() -> None:
    alike = (standing(number, "RC@1", "RC@1") for number in range(1, 501))
    sides = Sides(*alike, standing(501, "RC@1", None))

    done, _, _ = agree(sides)

    assert (done.returns, done.told) == (501, 1)
    assert [row.return_no for row in sides.rows] == [501]


def test_somebody_who_writes_beside_it_is_no_matter_to_go_on_with() -> None:
    sides = Sides(standing(1, "RC@1", None))
    sides.is_alone = False

    with pytest.raises(AssertionError, match="somebody else wrote"):
        agree(sides)


def shared_row() -> LogRow:
    state = replay(story("RC@1"))
    return EXCEPTIONAL._replace(
        reason="tracking_number_in_use", state={"m": {"RC": [1, "s", "RC@1", None]}, "a": state.evidence.attributes},
    )  # fmt: skip


def test_what_is_open_in_the_journal_is_noted_of_returns_and_of_what_waits() -> None:
    sides = Sides(standing(1, "RC@1 RE@2", "RC@1"), standing(2, "RC@1 RP@2", None))
    sides.waits = [NamedWait(Waits.LABEL, "generic/GX-1"), NamedWait(Waits.CONNOTE, "CN-1")]

    agree(sides)

    assert sides.open == [
        OpenException("return/R-1/awaiting_processed", 1, "awaiting_processed"),
        OpenException("label/generic/GX-1/parked"),
        OpenException("connote/CN-1/without_members"),
    ]


def test_of_what_the_earliest_rules_could_not_tell_it_is_not_sure_that_it_is_over() -> None:
    old = standing(1, "RC@1 RE@2", None)
    old = old._replace(state=replace(old.state, rules=EARLIEST))

    found = {each.reason: each for each in open_in(old)}

    sure = {Reason.AWAITING_PROCESSED.value: True} | dict.fromkeys(map(str, UNTOLD), False)
    assert found == {
        reason: OpenException(f"return/R-1/{reason}", 1, reason, is_sure) for reason, is_sure in sure.items()
    }


def test_exceptions_that_subscribers_hold_otherwise_are_told_to_be_over_and_to_be_open_again() -> None:
    sides = Sides()
    sides.are_open = [TOLD] * 201
    sides.are_over = [("tracking_number_in_use", shared_row())]

    messages = list[Message]()
    done, _, _ = agree(sides, messages)

    assert (done.exceptions, done.resolved, done.reopened) == (0, 201, 1)
    assert [len(each[1]) for each in sides.happened if each[0] == "publish"] == [200, 1, 1, 0]
    over, again = (json.loads(message.value or b"") for message in messages[-2:])
    assert over["data"] == {**TOLD.data, "state": "resolved", "recorded_at": "2026-11-25T12:00:00.250000Z"}
    assert over["id"] == "return/R-1/awaiting_processed/over/2026-11-25T12:00:00.250000Z"
    assert (messages[0].key, over["subject"]) == (b"R-1", "R-1")
    assert (again["data"]["exception_id"], again["data"]["state"]) == (
        f"return/{RETURN}/tracking_number_in_use",
        "open",
    )
    assert again["id"] == f"{RETURN}/exception/1/again/2026-11-25T12:00:00.250000Z"


def test_what_is_published_now_is_what_subscribers_hold() -> None:
    sides = Sides()
    sides.rows_untold = [shared_row()]

    agree(sides)

    (_, (told,)) = [each for each in sides.happened if each[0] == "noted"][1]
    assert told.data["exception_id"] == told.exception_id
    assert told[:6] == (
        f"return/{RETURN}/tracking_number_in_use", "open", RETURN, "/tests", "1", "tracking_number_in_use",
    )  # fmt: skip


def test_exceptions_and_letters_that_were_not_published_go_out_in_pieces_without_a_position() -> None:
    sides = Sides()
    sides.rows_untold = [shared_row()] * 201
    sides.untold = [KeptLetter(n, "in", None, 0, n, NOW, None, b"{", 1, [], "not_json", "e", 1, NOW) for n in range(9)]

    messages = list[Message]()
    done, _, _ = agree(sides, messages)

    assert (done.exceptions, done.letters) == (201, 9)
    assert {message.key for message in messages[:201]} == {RETURN.encode()}
    assert {message.value for message in messages[201:]} == {b"{"}
    published = [(each[1], each[2]) for each in sides.happened if each[0] == "publish"]
    assert published == [
        (["exceptions"] * 200, None),
        (["exceptions"], None),
        (["dead"] * 8, None),
        (["dead"], None),
        ([], UPTO),
    ]


def change(return_id: str, version: int, words: str) -> Change:
    known = document(words, return_id)
    step = known["timeline"][["RC", "RT", "RDTPF", "DS", "RP"].index(words.rsplit(maxsplit=1)[-1].partition("@")[0])]
    data = {
        "return_id": return_id, "kind": "reached", "milestone": step["code"], "occurred_at": step["occurred_at"],
        "location": None, "cause": {"source": "s", "id": "i"}, **{n: v for n, v in known.items() if n != "timeline"},
        "version": version,
    }  # fmt: skip
    return Change(STOOD._replace(offset=version), return_id, version, data)


def test_what_subscribers_hold_is_the_newest_document_and_what_changes_say_beyond_it() -> None:
    sides, told = Sides(), list[str]()
    sides.kept_documents = [
        Document(STOOD, "R-1", 1, 1, document("RC@1", "R-1")),
        Document(STOOD, "R-4", 1, 1, document("RC@1", "R-4")),
    ]
    sides.kept_changes = [
        change("R-1", 1, "RC@1"), change("R-2", 1, "RC@1"), change("R-3", 1, "RC@1"), change("R-1", 2, "RC@1 RT@2"),
        change("R-2", 2, "RC@1 RP@5"), change("R-4", 1, "RC@1"),
    ]  # fmt: skip
    sides.behind = {"R-1", "R-2", "R-4"}

    read_topics(sides, sides, told.append)

    assert told == ["reading the current statuses", "reading the status changes"]
    assert sides.happened == [("documents", 2), ("changes", 6)]
    assert [(id_, held["version"], stood.offset) for id_, held, stood in sides.folded] == [
        ("R-1", 2, 2),
        ("R-2", 2, 2),
        ("R-4", 1, 1),
    ]
    assert [[step["code"] for step in held["timeline"]] for _, held, _ in sides.folded] == [
        ["RC", "RT"],
        ["RC", "RP"],
        ["RC"],
    ]


def test_where_no_document_is_behind_nothing_is_folded() -> None:
    sides = Sides()
    sides.kept_changes = [change("R-1", 1, "RC@1")]

    read_topics(sides, sides, lambda _: None)

    assert sides.folded == []


def test_a_document_knows_more_than_the_change_of_its_version_and_that_stays() -> None:
    """A connote becomes known while the version stays: the document that was published then says it, no change does."""
    sides = Sides()
    sides.kept_documents = [Document(STOOD, "R-1", 1, 2, document("RC@1", "R-1") | {"connote": "C-1"})]
    sides.kept_changes = [change("R-1", 1, "RC@1")]
    sides.behind = {"R-1"}

    read_topics(sides, sides, lambda _: None)

    assert [held["connote"] for _, held, _ in sides.folded] == ["C-1"]
