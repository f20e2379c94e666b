"""Whoever turns the pages of a list sees every row once, in order, however little of it is looked through at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.application.access.bounds import EVERYTHING, UNBOUND, Bounds, Everything
from service.application.reading.connotes.listing import WITHOUT_MEMBERS, UnclaimedDelivery
from service.application.reading.exceptions.given import Giving, PastEvent
from service.application.reading.filters import (
    ConnoteFilter,
    ExceptionFilter,
    ExceptionState,
    LetterFilter,
    ReturnFilter,
)
from service.application.reading.listing import (
    EXCEPTIONS,
    LETTERS,
    PARKED_EVENTS,
    RETURNS,
    STUCK_RETURNS,
    ListedException,
    ListedReturn,
    Listing,
    ListSpec,
    ParkedEvent,
    Window,
)
from service.application.reading.pages import (
    LIST_VALUE_BYTES,
    Page,
    PageKey,
    WrongPageKey,
    due_times,
    list_exceptions,
    list_letters,
    list_returns,
)
from service.domain.milestones import Milestone, Reason
from service.wire.rows.letters import KeptLetter
from service.wire.stored import to_micros

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HIDDEN = "hidden"  # a row that no filter of these tests lets through
Row = TypeVar("Row", ListedReturn, ListedException, ParkedEvent, UnclaimedDelivery, KeptLetter)
OF_EXCEPTIONS: dict[type, ListSpec[Any]] = {  # of one moment in this order
    ListedException: EXCEPTIONS,
    ParkedEvent: PARKED_EVENTS,
    UnclaimedDelivery: WITHOUT_MEMBERS,
}


def moment(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def listed(number: int, minute: int = 0) -> ListedReturn:
    at = moment(minute)
    return ListedReturn(
        number, f"R-{number}", "acme", None, "omnirps", "generic", f"TR-{number}", None, "DS", 1, False, None, at, at,
        at, at,
    )  # fmt: skip


def exceptional(number: int, minute: int, code: str | None = None) -> ListedException:
    at = moment(minute)
    return ListedException(
        number + 1, number % 3 - 1, f"R-{number}", "acme", "held", "awaiting_processed", "RE", "t", "/s", f"e-{number}",
        code, "generic", "TR-7", None, at, at, None, "topic", 0, number,
    )  # fmt: skip


def parked(number: int, minute: int, code: str | None = None) -> ParkedEvent:
    kind = ("return", "label")[number % 2]
    at = moment(minute)
    return ParkedEvent(kind, f"s-{number % 2}", "RT", None, "t", "/s", f"p-{number}", code, at, at, "topic", 0, number)


def unclaimed(number: int, minute: int, id_: str | None = None) -> UnclaimedDelivery:
    at = moment(minute)
    return UnclaimedDelivery(f"CN-{number % 3}", at, at, "topic", 0, number, "/s", id_ or f"c-{number}")


def letter(number: int, minute: int) -> KeptLetter:
    at = moment(minute)
    return KeptLetter(number, "topic", None, 0, number, at, None, b"{", 1, [], "not_json", "not JSON", 1, at)


class Lists:
    """`Listing` of rows in memory, which looks at so many of them at a time."""

    def __init__(self, *rows: Any, look: int = 1000) -> None:
        self.rows, self.look = rows, look
        self.asked: list[tuple[Any, ...]] = []

    def _window(self, spec: ListSpec[Row], after: Any, limit: int, *, rises: bool = False) -> Window[Row]:
        after = (after,) if isinstance(after, int) else after
        ordered = sorted((row for row in self.rows if isinstance(row, spec.row)), key=spec.key_of, reverse=not rises)
        ahead = [
            row for row in ordered if after is None or (spec.key_of(row) > after if rises else spec.key_of(row) < after)
        ]
        assert limit > 0
        looked = ahead[: self.look]
        found = [row for row in looked if HIDDEN not in row][:limit]
        is_all = len(found) == limit or len(looked) == len(ahead)
        return Window(found, None if is_all else spec.key_of(looked[-1]))

    def returns(
        self, bounds: Bounds, wanted: ReturnFilter, due: Mapping[str, datetime], after: int | None, limit: int
    ) -> Window[ListedReturn]:
        assert bounds == UNBOUND
        self.asked.append(("returns", wanted, due, limit))
        return self._window(RETURNS, after, limit)

    def stuck_returns(
        self,
        bounds: Bounds,
        wanted: ReturnFilter,
        due: Mapping[str, datetime],
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> Window[ListedReturn]:
        assert bounds == UNBOUND
        self.asked.append(("stuck", wanted, due, limit))
        return self._window(STUCK_RETURNS, after, limit, rises=True)

    def exceptions(
        self, bounds: Bounds, wanted: ExceptionFilter, after: tuple[datetime, int, int] | None, limit: int
    ) -> Window[ListedException]:
        assert bounds == UNBOUND
        self.asked.append(("exceptions", wanted, limit))
        return self._window(EXCEPTIONS, after, limit)

    def parked(
        self, bounds: Bounds, wanted: ExceptionFilter, after: tuple[datetime, str, str, str, str] | None, limit: int
    ) -> Window[ParkedEvent]:
        assert bounds == UNBOUND
        self.asked.append(("parked", wanted, limit))
        return self._window(PARKED_EVENTS, after, limit)

    def without_members(
        self,
        everything: Everything,
        wanted: ConnoteFilter,
        after: tuple[datetime, str, str, str] | None,
        limit: int,
    ) -> Window[UnclaimedDelivery]:
        assert everything == EVERYTHING
        self.asked.append(("unclaimed", wanted, limit))
        return self._window(WITHOUT_MEMBERS, after, limit)

    def under_way(self, *_: Any) -> Any:
        raise NotImplementedError

    delivered = connote = under_way

    def letters(
        self, everything: Everything, wanted: LetterFilter, after: tuple[datetime, int] | None, limit: int, most: int
    ) -> Window[KeptLetter]:
        assert everything == EVERYTHING
        self.asked.append(("letters", wanted, most, limit))
        return self._window(LETTERS, after, limit)

    def letter(self, _: Everything, letter_no: int) -> KeptLetter | None:
        raise NotImplementedError


class _Unbounded(Lists):
    """Of whoever is bound nothing is asked of these tests' rows."""

    def exceptions(self, *_: Any) -> Window[ListedException]:
        return Window([])

    def parked(self, *_: Any) -> Window[ParkedEvent]:
        return Window([])


def pages(read: Callable[[PageKey | None], Page], limit: int) -> Iterator[Page]:
    """One page after the other, to the end."""
    after: PageKey | None = None
    while True:
        page = read(after)
        assert len(page.items) <= limit
        yield page
        after = page.end
        if after is None:
            return


def ids(found: Iterable[Page], name: str = "id") -> list[Any]:
    return [item[name] for page in found for item in page.items]


minutes = st.integers(0, 3)
kinds = st.sampled_from((exceptional, parked, unclaimed))
rows = st.lists(st.tuples(kinds, minutes, st.sampled_from((None, HIDDEN))), max_size=9)


@given(rows, st.integers(1, 4), st.integers(1, 4))
def test_exceptions_parked_events_and_connotes_without_members_come_as_one_list(
    made: list[tuple[Any, int, str | None]], limit: int, look: int
) -> None:
    events = [make(number, minute, code) for number, (make, minute, code) in enumerate(made)]
    lists = Lists(*events, look=look)
    as_listing: Listing = lists

    def read(after: PageKey | None) -> Page:
        return list_exceptions(as_listing, UNBOUND, ExceptionFilter(), limit, after, connotes=lists)

    found = list(pages(read, limit))

    # The newest first, of one moment the recorded ones first and the connotes last, and each in its own order.
    newest = sorted(
        (each for each in events if HIDDEN not in each),
        key=lambda e: (e.recorded_at, -[*OF_EXCEPTIONS].index(type(e)), OF_EXCEPTIONS[type(e)].key_of(e)),
        reverse=True,
    )
    assert ids(found) == [each.id for each in newest]


def test_no_row_of_a_moment_is_repeated_and_each_list_keeps_its_own_order_in_it() -> None:
    given_together = exceptional(0, 0)
    alike = [parked(2, 0)._replace(milestone="RT"), parked(4, 0)._replace(milestone="DS")]
    lists = Lists(given_together, *alike, unclaimed(5, 0), unclaimed(8, 0))

    def read(limit: int) -> list[Page]:
        return list(
            pages(lambda after: list_exceptions(lists, UNBOUND, ExceptionFilter(), limit, after, connotes=lists), limit)
        )

    for limit in range(1, 6):
        assert ids(read(limit)) == ["e-0", "p-4", "p-2", "c-8", "c-5"]


class Unread:
    """`Pasts`, all of them too long to be read."""

    def pasts(self, _: Collection[int]) -> dict[int, list[PastEvent]]:
        return {}


def test_each_row_says_which_events_give_it_where_that_is_asked() -> None:
    lists = Lists(exceptional(1, 3), parked(2, 2), unclaimed(3, 1), exceptional(4, 0))

    (plain,) = pages(lambda after: list_exceptions(lists, UNBOUND, ExceptionFilter(), 9, after, connotes=lists), 9)
    page = list_exceptions(lists, UNBOUND, ExceptionFilter(), 3, None, connotes=lists, giving=Giving(Unread()))

    own = {"source": "/s", "id": "e-1", "type": "t", "code": None, "milestone": "RE"}
    at = "2026-11-25T12:03:00Z"
    assert page.items == [
        plain.items[0] | {"events": [{**own, "occurred_at": at, "recorded_at": at}], "events_cut": True},
        *(item | {"events": None, "events_cut": False} for item in plain.items[1:3]),
    ]
    assert page.end is not None


@pytest.mark.parametrize(("limit", "lengths"), ((1, [1] * 6), (2, [2, 2, 2]), (3, [3, 3]), (4, [4, 2]), (6, [6])))
def test_a_page_is_as_long_as_asked_and_the_last_one_leads_nowhere(limit: int, lengths: list[int]) -> None:
    lists = Lists(*(exceptional(n, n) for n in range(3)), *(parked(n, n) for n in range(3)))

    found = list(pages(lambda after: list_exceptions(lists, UNBOUND, ExceptionFilter(), limit, after), limit))

    assert [len(page.items) for page in found] == lengths
    assert ids(found) == ["e-2", "p-2", "e-1", "p-1", "e-0", "p-0"]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    (
        (ExceptionFilter(), ["exceptions", "parked", "unclaimed"]),
        (ExceptionFilter(verdict="parked"), ["parked", "unclaimed"]),
        (ExceptionFilter(verdict="held"), ["exceptions"]),
        (ExceptionFilter(open=False), ["exceptions"]),
        (ExceptionFilter(reason=Reason.UNKNOWN_CODE), ["exceptions", "parked"]),
        (ExceptionFilter(carrier="generic"), ["exceptions", "parked"]),
        (ExceptionFilter(code="X", verdict="parked"), ["parked"]),
        (ExceptionFilter(return_id="R-1"), ["exceptions", "parked"]),
    ),
)
def test_only_what_is_wanted_is_looked_for(wanted: ExceptionFilter, kinds: list[str]) -> None:
    lists = Lists(exceptional(1, 0), parked(2, 0), unclaimed(3, 0))

    page = list_exceptions(lists, UNBOUND, wanted, 10, None, connotes=lists)

    assert [kind for kind, *_ in lists.asked] == kinds
    assert all(asked == wanted for kind, asked, _ in lists.asked if kind != "unclaimed")
    assert len(page.items) == len(kinds)


@pytest.mark.parametrize(
    ("state", "acknowledged"), ((None, None), (ExceptionState.OPEN, False), (ExceptionState.ACKNOWLEDGED, True))
)
def test_connotes_are_asked_for_by_whether_somebody_has_seen_them(
    state: ExceptionState | None, acknowledged: bool | None
) -> None:
    lists = Lists()

    list_exceptions(lists, UNBOUND, ExceptionFilter(state=state), 10, None, connotes=lists)

    assert ("unclaimed", ConnoteFilter(acknowledged=acknowledged), 11) in lists.asked


def test_connotes_without_members_are_nobodys_who_is_bound() -> None:
    connotes = Lists(unclaimed(1, 0))

    bound = Bounds(carriers=frozenset({"generic"}))
    page = list_exceptions(_Unbounded(), bound, ExceptionFilter(), 10, None, connotes=connotes)

    assert (page, connotes.asked) == (Page([], None), [])


@given(st.lists(minutes, max_size=7), st.integers(1, 4), st.integers(1, 4))
def test_returns_come_newest_first_and_the_stuck_ones_by_how_long_they_stand(
    made: list[int], limit: int, look: int
) -> None:
    lists = Lists(*(listed(number, minute) for number, minute in enumerate(made)), look=look)

    def read(wanted: ReturnFilter) -> list[str]:
        return ids(pages(lambda after: list_returns(lists, UNBOUND, wanted, limit, after, {}), limit), "return_id")

    newest = [f"R-{number}" for number in reversed(range(len(made)))]
    assert read(ReturnFilter()) == newest
    assert read(ReturnFilter(stuck=False)) == newest
    longest = sorted(range(len(made)), key=lambda number: (made[number], number))
    assert read(ReturnFilter(stuck=True)) == [f"R-{number}" for number in longest]


def test_what_is_asked_of_returns_reaches_the_store_and_what_is_due_the_documents() -> None:
    due, any_, stuck = {"DS": moment(1)}, ReturnFilter(retailer="acme"), ReturnFilter(stuck=True)
    lists = Lists(listed(1, 0), listed(2, 1))

    page = list_returns(lists, UNBOUND, any_, 10, None, due)
    list_returns(lists, UNBOUND, stuck, 10, None, due)

    assert lists.asked == [("returns", any_, due, 11), ("stuck", stuck, due, 11)]
    assert [(item["return_id"], item["stuck"]) for item in page.items] == [("R-2", False), ("R-1", True)]
    (standing,) = list_returns(Lists(listed(1, 0)), UNBOUND, stuck, 10, None, due).items
    assert standing["stuck"]


@given(st.lists(minutes, max_size=7), st.integers(1, 4), st.integers(1, 4))
def test_dead_letters_come_newest_first(made: list[int], limit: int, look: int) -> None:
    lists = Lists(*(letter(number, minute) for number, minute in enumerate(made)), look=look)

    found = ids(pages(lambda after: list_letters(lists, UNBOUND, LetterFilter(), limit, after), limit))

    assert found == sorted(range(len(made)), key=lambda number: (made[number], number), reverse=True)


def test_a_list_of_letters_has_values_up_to_a_bound() -> None:
    lists, wanted = Lists(letter(1, 0)), LetterFilter(open=True)

    list_letters(lists, UNBOUND, wanted, 10, None)
    list_letters(lists, UNBOUND, wanted, 10, None, value_bytes=7)

    assert lists.asked == [("letters", wanted, LIST_VALUE_BYTES, 11), ("letters", wanted, 7, 11)]


def test_dead_letters_are_nobodys_who_is_bound() -> None:
    lists, bound = Lists(letter(1, 0)), Bounds(retailers=frozenset({"acme"}))

    assert (list_letters(lists, bound, LetterFilter(), 10, None), lists.asked) == (Page([], None), [])


AT = to_micros(NOON)
WRONG: dict[str, tuple[Any, ...]] = {
    "returns": (
        (), ("r",), ("r", 1, 2), ("s", 1), ("r", "1"), ("r", -1), ("r", 2**63), ("r", True), ("s", AT, 1), ("e", AT, 1, 1),
    ),
    "stuck": (("r", 1), ("s", AT), ("s", "x", 1), ("s", 253_402_300_800_000_000, 1), ("s", -1, 1), ("s", AT, None)),
    "exceptions": (
        (), ("e",), ("e", AT, 1), ("e", AT, 1, 2**31), ("e", AT, -1, 1), ("e", AT, 1, -(2**31)), ("p", AT, "label", "s", "/s"),
        ("p", AT, "label", "s", "/s", 5), ("p", AT, "label", "s", "/s", "a\0"), ("p", AT, "label", "s", "\ud800", "i"),
        ("x", AT, 1, 1), ("d", AT, 1), ("r", 1), ("cw",), ("cw", AT, "CN-1", "/s"), ("cw", AT, "CN-1", "/s", 1),
    ),
    "letters": (("d",), ("d", AT, 1, 1), ("d", 1.5, 1), ("d", AT, 2**63), ("r", 1), ("e", AT, 1, 1)),
}  # fmt: skip
RIGHT: dict[str, tuple[PageKey, ...]] = {
    "returns": (("r", 0), ("r", 2**63 - 1)),
    "stuck": (("s", 0, 0), ("s", 253_402_300_799_999_999, 2**63 - 1)),
    "exceptions": (
        ("e", AT, 1, 2**31 - 1),
        ("e", 0, 0, 0),
        ("e", AT, 1, -126),
        ("p", AT, "", "", "", ""),
        ("p", AT, "x", "\n", "Ω", "~"),
        ("cw", AT, "", "", ""),
        ("cw", 0, "CN-1", "/s", "Ω"),
    ),
    "letters": (("d", AT, 2**63 - 1), ("d", 0, 0)),
}
READ: dict[str, Callable[[Lists, PageKey | None], Page]] = {
    "returns": lambda lists, after: list_returns(lists, UNBOUND, ReturnFilter(), 5, after, {}),
    "stuck": lambda lists, after: list_returns(lists, UNBOUND, ReturnFilter(stuck=True), 5, after, {}),
    "exceptions": lambda lists, after: list_exceptions(lists, UNBOUND, ExceptionFilter(), 5, after, connotes=lists),
    "letters": lambda lists, after: list_letters(lists, UNBOUND, LetterFilter(), 5, after),
}


@pytest.mark.parametrize(("name", "after"), [(name, key) for name, keys in WRONG.items() for key in keys])
def test_a_key_that_somebody_made_up_leads_nowhere_and_reaches_no_store(name: str, after: PageKey) -> None:
    lists = Lists()

    with pytest.raises(WrongPageKey):
        READ[name](lists, after)

    assert lists.asked == []


@pytest.mark.parametrize("name", READ)
def test_a_page_asks_for_one_row_more_than_it_shows(name: str) -> None:
    lists = Lists()

    READ[name](lists, None)

    assert {asked[-1] for asked in lists.asked} == {6}


@pytest.mark.parametrize(("name", "after"), [(name, key) for name, keys in RIGHT.items() for key in keys])
def test_a_key_of_what_the_store_may_hold_is_taken(name: str, after: PageKey) -> None:
    assert READ[name](Lists(), after) == Page([], None)


def test_the_time_since_which_a_return_is_stuck_is_so_many_hours_ago() -> None:
    assert due_times({Milestone.DS: 24, Milestone.RP: 0.5}, NOON) == {
        "DS": NOON - timedelta(days=1),
        "RP": NOON - timedelta(minutes=30),
    }
