"""A list is declared once: what is made of it by hand says the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from service.application.reading import listing
from service.application.reading.documents import exception_item, letter_item, return_item
from service.application.reading.exceptions.given import NOT_TOLD
from service.application.reading.export import csv_chunks
from service.application.reading.listing import ListedException, ListedReturn, ListSpec, ParkedEvent
from service.application.reading.pages import Page
from service.web.api.lists import DeadLetter, Exceptional
from service.web.api.lists import ListedReturn as DescribedReturn
from service.wire.rows.letters import KeptLetter

AT = datetime(2026, 11, 25, tzinfo=UTC)
ITEM_OF: dict[str, Any] = {
    "r": return_item({}),
    "s": return_item({}),
    "e": exception_item,
    "p": exception_item,
    "d": letter_item,
}
SPECS = (listing.RETURNS, listing.STUCK_RETURNS, listing.EXCEPTIONS, listing.PARKED_EVENTS, listing.LETTERS)
DESCRIBED: Mapping[str, type[BaseModel]] = {
    "r": DescribedReturn,
    "s": DescribedReturn,
    "e": Exceptional,
    "p": Exceptional,
    "d": DeadLetter,
}
RETURN = ListedReturn(7, "R-7", "acme", None, "omnirps", "generic", "TR-7", None, "RC", 1, False, None, AT, AT, AT, AT)
EXCEPTION = ListedException(
    7, 2, "R-7", "acme", "held", "awaiting_processed", "RE", "t", "/s", "i", None, "generic", "TR-7", None, AT, AT, None,
    "topic", 0, 1,
)  # fmt: skip
PARKED = ParkedEvent("label", "generic/TR-7", "RT", None, "t", "/s", "i", "COLLECTED", AT, AT, "topic", 0, 1)
LETTER = KeptLetter(12, "topic", None, 0, 1, AT, None, b"{", 1, [], "not_json", "not JSON", 1, AT)
ROWS: dict[str, Any] = {"r": RETURN, "s": RETURN, "e": EXCEPTION, "p": PARKED, "d": LETTER}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.mark)
def test_the_document_of_a_row_has_the_members_that_the_api_describes(spec: ListSpec[Any]) -> None:
    document = ITEM_OF[spec.mark](ROWS[spec.mark]) | (NOT_TOLD if spec.mark in "ep" else {})

    assert list(document) == list(DESCRIBED[spec.mark].model_fields)
    DESCRIBED[spec.mark].model_validate(document)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.mark)
def test_a_file_has_columns_of_the_document_each_once(spec: ListSpec[Any]) -> None:
    assert len(set(spec.file_columns)) == len(spec.file_columns) > 0
    assert {column.split(".")[0] for column in spec.file_columns} <= DESCRIBED[spec.mark].model_fields.keys()


def test_the_file_of_returns_says_that_one_was_closed_when_and_why() -> None:
    closed = RETURN._replace(complete=True, closed_at=AT, closed_reason="lost")
    items = [ITEM_OF["r"](RETURN), ITEM_OF["r"](closed)]

    chunks = csv_chunks(listing.RETURNS.file_columns, lambda *_: Page(items, None), 10)
    rows = list(csv.DictReader(io.StringIO("".join(chunks), newline="")))

    assert [(row["complete"], row["closed_at"], row["closed_reason"]) for row in rows] == [
        ("false", "", ""),
        ("false", "2026-11-25T00:00:00Z", "lost"),
    ]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.mark)
def test_a_list_goes_by_columns_of_its_rows(spec: ListSpec[Any]) -> None:
    assert len(spec.key_of(ROWS[spec.mark])) == len(spec.key)


def test_no_cursor_of_one_list_is_one_of_another() -> None:
    assert len({spec.mark for spec in SPECS}) == len(SPECS)
