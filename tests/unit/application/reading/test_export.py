from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.application.reading.export import csv_chunks, csv_lines, harmless
from service.application.reading.pages import Page, PageKey

COLUMNS = ("a", "b")


def read_back(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize(
    "value", ("=1+1", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "\n=1", '=HYPERLINK("http://x")', "\uff1d1", "\uff20a")
)
def test_a_value_that_looks_like_a_formula_is_made_a_text(value: str) -> None:
    assert harmless(value) == f"'{value}"


@pytest.mark.parametrize(
    ("value", "text"),
    (
        (None, ""),
        (True, "true"),
        (False, "false"),
        (-5, "-5"),
        (0, "0"),
        ("R-1001", "R-1001"),
        ("a=b", "a=b"),
        ("", ""),
    ),
)
def test_other_values_stay_what_they_are(value: Any, text: str) -> None:
    assert harmless(value) == text


def test_lines_end_and_values_are_quoted_as_rfc_4180_says() -> None:
    text = csv_lines(COLUMNS, [{"a": 'say "no", please', "b": "two\r\nlines"}, {"a": "ü", "b": None}])

    assert text == '"say ""no"", please","two\r\nlines"\r\nü,\r\n'


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_what_is_written_is_read_back_but_for_the_mark_before_formulas(rows: list[tuple[str, str]]) -> None:
    rows = [row for row in rows if "\0" not in "".join(row)]

    found = read_back(csv_lines(COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in rows]))

    assert found == [[harmless(value) for value in row] for row in rows]
    assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for row in found for value in row)


class Pages:
    """So many rows, a page at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked: list[tuple[PageKey | None, int]] = []

    def read(self, after: PageKey | None, limit: int) -> Page:
        self.asked.append((after, limit))
        first = 0 if after is None else int(after[0])
        last = min(first + limit, self.number)
        return Page([{"a": n, "b": "x"} for n in range(first, last)], (last,) if last < self.number else None)


@pytest.mark.parametrize("number", (0, 1, 9, 10, 11, 30))
def test_a_file_has_all_rows_of_all_pages(number: int) -> None:
    pages = Pages(number)

    rows = read_back("".join(csv_chunks(COLUMNS, pages.read, 1000, page_rows=10)))

    assert rows == [["a", "b"], *([str(n), "x"] for n in range(number))]


@pytest.mark.parametrize(
    ("most", "limits"), ((25, [10, 10, 5]), (21, [10, 10, 1]), (20, [10, 10]), (1, [1]), (0, list[int]()))
)
def test_a_file_has_so_many_rows_and_no_more(most: int, limits: list[int]) -> None:
    pages = Pages(1000)

    rows = read_back("".join(csv_chunks(COLUMNS, pages.read, most, page_rows=10)))

    assert len(rows) == 1 + most
    assert [limit for _, limit in pages.asked] == limits


def test_a_page_is_read_when_the_one_before_has_gone() -> None:
    pages = Pages(30)
    chunks = csv_chunks(COLUMNS, pages.read, 1000, page_rows=10)

    next(chunks)
    before = len(pages.asked)
    next(chunks)

    assert (before, len(pages.asked)) == (0, 1)
