from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.adapters.postgres.journal.memory import Recent


def test_what_was_not_asked_for_long_is_forgotten() -> None:
    recent: Recent[str, int] = Recent(4)
    recent.keep({"a": 1, "b": 2})
    recent.keep({"c": 3})

    assert recent.find(["b"]) == {"b": 2}
    recent.keep({"d": 4})

    assert recent.find(["a"]) == {}
    assert recent.find(["b"]) == {"b": 2}


def test_what_is_asked_for_all_the_time_stays() -> None:
    recent: Recent[int, int] = Recent(10)
    recent.keep({0: 0})

    for number in range(1, 100):
        recent.keep({number: number})
        assert recent.find([0]) == {0: 0}


@given(st.integers(0, 5), st.lists(st.dictionaries(st.integers(0, 9), st.integers(1, 9), max_size=8), max_size=8))
def test_never_holds_more_than_its_size_and_never_what_was_replaced(size: int, turns: list[dict[int, int]]) -> None:
    recent: Recent[int, int] = Recent(size)
    newest: dict[int, int] = {}

    for turn in turns:
        recent.keep(turn)
        newest |= turn

        assert len(recent) <= size
        assert recent.find(range(10)).items() <= newest.items()
