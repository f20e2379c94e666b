"""The words of the operations desk: none is missing, none is left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.application.audit import Action, Key
from service.web.catalogue import LANGUAGES, load
from service.web.ops.desk import CATALOGUES, NAVIGATION
from service.web.ops.rendering import pretty, shown

WEB = Path(__file__).parents[3] / "service" / "web"
# Their keys are made from a value: a status, a verdict, what went wrong.
BY_VALUE = (
    "status.",
    "route.",
    "queue.",
    "queue_why.",
    "why.",
    "list.",
    "letters.",
    "letter_reason.",
    "fate.",
    "chart.",
    "action.",
    "detail.",
    "foreign.",
    "nowhere.",
    "failed.",
    "login.",
    "nav.",
    "keys.",
    "audit.",
)


def test_all_languages_have_the_same_texts() -> None:
    catalogues = load(*CATALOGUES)

    assert tuple(catalogues) == LANGUAGES
    assert all(catalogue.texts.keys() == catalogues["en"].texts.keys() for catalogue in catalogues.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_has_words(language: str) -> None:
    texts = load(*CATALOGUES)[language].texts

    expected = {f"action.{action}" for action in Action} | {f"detail.{key}" for key in Key}
    expected |= {f"nav.{name}" for name, _ in NAVIGATION}
    assert expected <= texts.keys()


def test_every_text_of_a_page_is_in_the_catalogues_and_the_other_way_round() -> None:
    texts = load(*CATALOGUES)["en"].texts
    sources = "".join(path.read_text() for path in (WEB / "templates" / "ops").iterdir())
    sources += "".join(path.read_text() for path in (WEB / "ops").glob("*.py"))
    used = set(re.findall(r'\b(?:t|catalogue|words)\("([a-z_]+\.[a-zA-Z_]+)"', sources))

    assert used <= texts.keys()
    assert {key for key in texts if not key.startswith(BY_VALUE)} - used == {"language"}


def test_what_cannot_be_seen_is_shown() -> None:
    assert shown("a\u202eb\0c\td") == "a\\u202eb\\u0000c\\u0009d"
    assert shown("Ünïcode – שלום 😀") == "Ünïcode – שלום 😀"
    assert pretty({"a": "\u2066x", "n": [1]}) == '{\n  "a": "\\u2066x",\n  "n": [\n    1\n  ]\n}'
