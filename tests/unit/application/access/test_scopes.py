"""What a token may do, and what its owner is called."""

from __future__ import annotations

import pytest

from service.application.access.callers import NOBODY, Who
from service.application.access.scopes import SCOPES, parse_scopes


@pytest.mark.parametrize(
    ("text", "scopes"),
    (
        ("read", {"read"}),
        ("read,ops", {"read", "ops"}),
        (" hub , scan,hub ", {"hub", "scan"}),
        (",".join(SCOPES), set(SCOPES)),
    ),
)
def test_scopes_are_a_list_with_commas(text: str, scopes: set[str]) -> None:
    assert parse_scopes(text) == scopes


@pytest.mark.parametrize(
    ("text", "unknown"),
    (("root", "'root'"), ("read,wirte,admin", "'admin', 'wirte'"), ("", "''"), ("read,", "''"), ("Read", "'Read'")),
)
def test_scopes_that_there_are_not_are_named_with_those_that_there_are(text: str, unknown: str) -> None:
    with pytest.raises(ValueError, match=f"^no scope {unknown}; there are read, create, scan, hub, ops$"):
        parse_scopes(text)


def test_a_token_is_called_by_its_label_and_else_by_its_number() -> None:
    assert [Who(7, "Ann").name, Who(7, "").name] == ["Ann", "token 7"]
    assert Who(None, "") == NOBODY
