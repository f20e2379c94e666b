"""Events in their order, and what stands before and behind another one."""

from __future__ import annotations

from service.domain.events import Event
from service.domain.lines import Line
from tests.unit.domain.histories import happened

ONE, TWO, ALSO_TWO, FOUR = (happened("RT", at, id=name) for at, name in ((1, "a"), (2, "b"), (2, "c"), (4, "d")))


def line(*events: Event) -> Line:
    made = Line()
    for event in events:
        made.put(event)
    return made


def test_events_stand_in_their_order_whatever_came_first() -> None:
    made = line(FOUR, ALSO_TWO, ONE, TWO)

    assert list(made) == [ONE, TWO, ALSO_TWO, FOUR]
    assert (made.first, made.last, len(made), bool(made)) == (ONE, FOUR, 4, True)
    assert not line()


def test_what_stands_before_and_behind_a_place_is_another_one() -> None:
    made = line(ONE, TWO, ALSO_TWO, FOUR)

    assert [made.after(each.place) for each in (ONE, TWO, ALSO_TWO, FOUR)] == [TWO, ALSO_TWO, FOUR, None]
    assert [made.before(each.place) for each in (ONE, TWO, ALSO_TWO, FOUR)] == [None, ONE, TWO, ALSO_TWO]
    between = happened("RT", 3, id="x").place
    assert (made.before(between), made.after(between)) == (ALSO_TWO, FOUR)


def test_both_ends_of_a_time_are_within_it() -> None:
    made = line(ONE, TWO, FOUR)

    assert [made.within(*span) for span in ((1, 1), (3, 4), (4, 9), (-5, 1), (2, 3))] == [True] * 5
    assert [made.within(*span) for span in ((3, 3), (5, 9), (-5, 0), (4, 3))] == [False] * 4


def test_of_two_in_one_place_the_very_one_is_dropped() -> None:
    same = happened("RT", 2, id="b")
    made = line(ONE, TWO, same, FOUR)

    made.drop(same)
    assert [each is TWO for each in made] == [False, True, False]
    made.drop(TWO)
    assert list(made) == [ONE, FOUR]
