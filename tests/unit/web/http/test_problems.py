from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from service.web.http.problems import MOST_BYTES, Problem, body_of


def told(**members: Any) -> tuple[dict[str, Any], int]:
    body = body_of(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "word", "Something.", **members))
    return json.loads(body), len(body)


def faults(count: int, length: int = 100) -> list[dict[str, str]]:
    return [{"field": f"items.{number}", "detail": "ü" * length} for number in range(count)]


def test_what_is_short_is_told_whole() -> None:
    problem, _ = told(errors=faults(20), items=faults(3))

    assert problem == {
        "type": "urn:returns-status:problem:word",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "Something.",
        "errors": faults(20),
        "items": faults(3),
    }


@pytest.mark.parametrize(("errors", "items"), ((100_000, 0), (0, 100_000), (100_000, 100_000), (3, 100_000)))
def test_what_is_long_is_told_up_to_a_bound_and_how_much_is_left_out(errors: int, items: int) -> None:
    problem, length = told(errors=faults(errors), items=faults(items))

    assert MOST_BYTES * 0.9 < length <= MOST_BYTES
    for name, count in (("errors", errors), ("items", items)):
        assert len(problem[name]) + problem["left_out"].get(name, 0) == count
        assert problem[name] == faults(len(problem[name]))
    assert len(problem["errors"]) >= min(errors, 500)


def test_one_that_is_too_long_by_itself_is_left_out() -> None:
    problem, length = told(errors=faults(2, MOST_BYTES))

    assert (problem["errors"], problem["left_out"]) == ([], {"errors": 2})
    assert length < 1000
