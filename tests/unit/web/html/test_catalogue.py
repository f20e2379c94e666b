from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from service.application.reading.public import StepState, view_return
from service.application.reading.redaction import Rejection
from service.domain.milestones import NAMES, Milestone
from service.errors import SettingsError
from service.web.html.assets import Assets
from service.web.html.catalogue import LANGUAGES, checked, choose, load
from service.web.html.rendering import Renderer
from tests.support.found import TABLES, found
from tests.support.journals import creation, scan

TEMPLATES = Path(__file__).parents[4] / "service" / "web" / "html" / "templates"


def test_all_languages_have_the_same_texts() -> None:
    catalogues = load()

    assert tuple(catalogues) == LANGUAGES
    for catalogue in catalogues.values():
        assert catalogue.texts.keys() == catalogues["en"].texts.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_state_and_reason_has_words(language: str) -> None:
    texts = load()[language].texts

    for milestone in Milestone:
        assert {f"{subject}.{milestone}" for subject in ("status", "lead", "next", "event")} <= texts.keys()
    assert {f"state.{state}" for state in StepState} | {f"rejection.{reason}" for reason in Rejection} <= texts.keys()


def test_every_text_of_a_template_is_in_the_catalogues_and_the_other_way_round() -> None:
    texts = load()["en"].texts
    sources = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    used = set(re.findall(r'\bt\("([a-z_]+\.[a-zA-Z_]+)"', sources))
    # Their keys are made from a status, a state, a reason or what went wrong.
    by_value = ("status.", "state.", "lead.", "next.", "event.", "rejection.", "who.", "limited.", "failed.", "closed.")

    assert used <= texts.keys()
    assert {key for key in texts if not key.startswith(by_value)} - used == {"language"}


def test_names_of_statuses_in_english_are_those_of_the_domain() -> None:
    texts = load()["en"].texts

    assert {milestone: texts[f"status.{milestone}"] for milestone in Milestone} == NAMES


@pytest.mark.parametrize(
    ("texts", "named"),
    (({"a": "x {n}"}, "'b'"), ({"a": "x {n}", "b": "y", "c": "z"}, "'c'"), ({"a": "x", "b": "y"}, "'a'"), ({"a": "{n}", "b": " "}, "'b'")),
)  # fmt: skip
def test_a_catalogue_that_differs_is_refused(texts: dict[str, str], named: str) -> None:
    english = {"a": "one {n}", "b": "two"}

    with pytest.raises(SettingsError, match=rf"de\.toml.*{named}"):
        checked({**dict.fromkeys(LANGUAGES, english), "de": texts})


@pytest.mark.parametrize(
    ("asked", "accepted", "chosen"),
    (
        (None, None, "en"),
        ("de", "fr", "de"),
        ("xx", "fr-CA,de;q=0.5", "fr"),
        (None, "it, es;q=0.3, ar;q=0.8", "ar"),
        (None, "de;q=0", "en"),
        (None, "DE-at", "de"),
        (None, "de;q=abc, <script>, *;q=1", "en"),
        (None, "," * 100_000, "en"),
        ("../../etc/passwd", "\x00", "en"),
    ),
)
def test_the_language_is_the_one_asked_for_or_accepted(asked: str | None, accepted: str | None, chosen: str) -> None:
    assert choose(asked, accepted) == chosen


@pytest.mark.parametrize(
    ("language", "two_days"), (("en", "2 days"), ("de", "2 Tage"), ("fr", "2 jours"), ("es", "2 días"), ("ar", "يومان"))
)
def test_how_long_it_takes_is_said_in_the_readers_language(language: str, two_days: str) -> None:
    view = view_return(found("R-1001", [creation(), scan("COLLECTED", "10:00")]), TABLES)

    page = Renderer(Assets()).return_page(view, timedelta(days=2, hours=3), language, explicit=True)

    assert two_days in page.replace("\u00a0", " ")
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page


def test_a_week_and_more_is_said_in_days_and_hours_as_less_than_a_day() -> None:
    view = view_return(found("R-1001", [creation()]), TABLES)
    renderer = Renderer(Assets())

    assert "about 17 days" in renderer.return_page(view, timedelta(days=17), "en", explicit=False)
    assert "less than a day" in renderer.return_page(view, timedelta(hours=5), "en", explicit=False)
    assert "usually" not in renderer.return_page(view, None, "en", explicit=False)
