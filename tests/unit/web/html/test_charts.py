from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.html.charts import Scale, labels, percent, round_top, series, spans, spread


def number(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])


@pytest.mark.parametrize(
    ("most", "top"), ((0, 1), (1, 1), (2, 2), (3, 5), (7, 10), (10, 10), (11, 20), (499, 500), (501, 1000))
)
def test_an_axis_ends_at_a_round_number(most: int, top: int) -> None:
    assert round_top(most) == top


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=70), st.booleans())
def test_columns_stand_side_by_side_on_the_ground_within_the_chart(values: list[int], rtl: bool) -> None:
    drawn = series(values, 120, head=16, rtl=rtl)

    columns = sorted(drawn.columns, key=lambda column: number(column.x))
    for left, right in pairwise(columns):
        assert number(left.x) + number(left.width) <= number(right.x) + 0.01
    assert number(columns[0].x) >= 0
    assert number(columns[-1].x) + number(columns[-1].width) <= 100.01
    for column in drawn.columns:
        assert column.y >= 16 - 0.01
        assert column.y + column.height == pytest.approx(120, abs=0.02)
        assert (column.height > 0) == (column.value > 0)
    assert drawn.peak == (values.index(max(values)) if max(values) else None)
    assert (drawn.peak_label is None) == (drawn.peak is None)


def test_the_first_value_stands_where_reading_begins() -> None:
    ltr, rtl = series([1, 2], 10), series([1, 2], 10, rtl=True)

    assert number(ltr.columns[0].x) < number(ltr.columns[1].x)
    assert number(rtl.columns[0].x) > number(rtl.columns[1].x)


def test_series_that_share_an_axis_are_drawn_to_one_scale() -> None:
    small = series([5], 100, top=10)

    assert small.columns[0].height == 50


def test_what_is_not_nothing_can_be_seen() -> None:
    assert series([1, 1_000_000], 100).columns[0].height == 2
    assert next(number(span.width) for span in spans([1, 1_000_000], 1_000_001)) > 0.5


def test_a_chart_of_nothing_has_no_peak() -> None:
    assert series([0, 0], 100).peak is None
    assert series([], 100).columns == ()


@given(st.lists(st.integers(0, 10**6), max_size=5), st.booleans())
def test_the_pieces_of_a_row_fill_no_more_than_the_row(parts: list[int], rtl: bool) -> None:
    drawn = spans(parts, sum(parts), rtl=rtl)

    assert sum(number(span.width) for span in drawn) <= 100.01
    assert all(0 <= number(span.x) <= 100 for span in drawn)
    assert all(number(span.x) + number(span.width) <= 100.01 for span in drawn)


@pytest.mark.parametrize(("count", "most"), ((30, 5), (60, 4), (1, 5), (7, 7), (8, 7)))
def test_labels_are_few_and_the_last_one_is_among_them(count: int, most: int) -> None:
    places = spread(count, most)

    assert len(places) <= most
    assert places[-1] == count - 1
    assert places == tuple(sorted(set(places)))


def test_a_label_at_an_edge_stays_inside() -> None:
    first, middle, last = labels([0, 15, 29], 30)
    assert (first.x, first.anchor) == ("0%", "start")
    assert middle.anchor == "middle"
    assert (last.x, last.anchor) == ("100%", "end")

    first, _, last = labels([0, 15, 29], 30, rtl=True)
    assert (first.x, first.anchor) == ("100%", "start")
    assert (last.x, last.anchor) == ("0%", "end")


def test_a_logarithmic_axis_gives_each_factor_the_same_room() -> None:
    scale = Scale(1, 10_000)

    assert [round(scale.percent_of(10**power)) for power in range(5)] == [0, 25, 50, 75, 100]
    assert scale.percent_of(0) == 0
    assert scale.percent_of(10**9) == 100
    assert scale._replace(rtl=True).percent_of(10) == 75
    assert scale.between(10, 100) == ("25%", "25%")
    assert scale._replace(rtl=True).between(10, 100) == ("50%", "25%")


def test_numbers_in_attributes_are_plain() -> None:
    assert [percent(value) for value in (0, -0.0, 33.33333, 100.0, 0.0000001)] == ["0%", "0%", "33.333%", "100%", "0%"]
