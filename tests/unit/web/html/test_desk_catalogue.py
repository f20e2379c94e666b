"""The words of the operations desk: none is missing, none is left over."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.application.access.audit import Action, Key
from service.application.access.bounds import UNBOUND
from service.application.access.callers import NOBODY, Caller
from service.application.reading.connotes.documents import NOT_EXPORTED
from service.application.reading.desk import KINDS, EventView
from service.application.reading.filters import ConnoteState
from service.application.reading.listing import STUCK_HOURS
from service.application.reading.local_time import LocalTime
from service.application.reading.public import StepState
from service.application.reading.tracking import RecordedEvent
from service.domain.milestones import Milestone, Reason, Route, Verdict
from service.web.html.assets import Assets
from service.web.html.catalogue import LANGUAGES, load
from service.web.html.desk_values import DeskTemplates, pretty, shown
from service.web.ops.desk import CATALOGUES, NAVIGATION
from service.web.ops.return_detail import TYPES
from service.web.ops.returns import FORM, QUICK
from service.wire.explanations import EXPLANATIONS
from service.wire.models import MODELS, RETURN_CREATED
from service.wire.rows.own import OWN_TYPES
from service.wire.rows.reconciled import RECONCILED

WEB = Path(__file__).parents[4] / "service" / "web" / "html"
# Their keys are made from a value: a status, a verdict, what went wrong.
BY_VALUE = (
    "action.", "detail.", "foreign.", "nowhere.", "away.", "nav.", "keys.", "audit.", "match.", "quick.",
    "field.", "route.", "stuck.", "advice.", "type.", "verdict.", "zone.", "expected.", "resolution.", "unknown_",
    "no_scope.", "not_own.", "not_voidable.", "queue.", "queue_why.", "why.", "list.", "letters.", "letter_reason.", "fate.",
    "chart.", "connote_state.", "ended.", "resolved_exception.", "changed_exception.", "not_own_exception.",
)  # fmt: skip


def test_all_languages_have_the_same_texts() -> None:
    catalogues = load(*CATALOGUES)

    assert tuple(catalogues) == LANGUAGES
    assert all(catalogue.texts.keys() == catalogues["en"].texts.keys() for catalogue in catalogues.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_has_words(language: str) -> None:
    texts = load(*CATALOGUES)[language].texts

    expected = {f"action.{action}" for action in Action} | {f"detail.{key}" for key in Key}
    expected |= {f"nav.{name}" for name, _ in NAVIGATION} | {f"quick.{name}" for name, _ in QUICK}
    expected |= {f"match.{kind}" for kind in KINDS} | {
        f"field.{name}" for name in (*(field.name for field in FORM.fields), "return_id")
    }
    expected |= {f"{subject}.{status}" for subject in ("stuck", "advice") for status in STUCK_HOURS}
    expected |= {f"{subject}.{reason}" for subject in ("expected", "resolution") for reason in Reason}
    expected |= {f"verdict.{verdict}" for verdict in Verdict} | {f"route.{route}" for route in Route}
    expected |= {f"type.{name}" for name in TYPES.values()} | {f"status.{milestone}" for milestone in Milestone}
    expected |= {f"state.{state}" for state in StepState} | {f"zone.{source}" for source in ("event", "carrier_table")}
    expected |= {f"connote_state.{state}" for state in (*ConnoteState, NOT_EXPORTED)}
    assert expected <= texts.keys()


def test_every_text_of_a_page_is_in_the_catalogues_and_the_other_way_round() -> None:
    texts = load("ops", "ops_work")["en"].texts
    sources = "".join(path.read_text() for path in (WEB / "templates" / "ops").iterdir())
    sources += "".join(path.read_text() for path in (WEB.parent / "ops").rglob("*.py"))
    sources += "".join(path.read_text() for path in WEB.glob("*.py"))
    used = set(re.findall(r'\bt\("([a-z_]+\.[a-zA-Z_]+)"', sources))
    used |= set(
        re.findall(r'"((?:login|void|listed|seen)\.[a-z_]+)"', sources)
    )  # what went wrong, and choices of forms

    assert used <= load(*CATALOGUES)["en"].texts.keys()
    assert {key for key in texts if not key.startswith(BY_VALUE)} - used == {"language"}


def test_explanations_in_english_are_those_that_subscribers_get() -> None:
    texts = load(*CATALOGUES)["en"].texts

    for reason, explanation in EXPLANATIONS.items():
        assert texts[f"expected.{reason}"] == explanation.expected
        assert texts[f"resolution.{reason}"] == explanation.resolution.replace("`", "")


def test_every_type_of_event_has_a_name() -> None:
    assert TYPES.keys() == {*MODELS, *OWN_TYPES}


def test_what_cannot_be_seen_is_shown() -> None:
    assert shown("a\u202eb\0c\td") == "a\\u202eb\\u0000c\\u0009d"
    assert shown("Ünïcode – שלום 😀") == "Ünïcode – שלום 😀"
    assert pretty({"a": "\u2066x", "n": [1]}) == '{\n  "a": "\\u2066x",\n  "n": [\n    1\n  ]\n}'


@pytest.mark.parametrize(
    ("type_", "said"), ((RECONCILED, "What subscribers were told"), (RETURN_CREATED, "Data as sent"))
)
def test_a_row_says_whether_its_data_was_sent_or_is_what_subscribers_held(type_: str, said: str) -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    row = RecordedEvent(
        5,
        "/s",
        "i",
        type_,
        None,
        None,
        at,
        at,
        Verdict.INFORMATIONAL,
        None,
        "event",
        "t",
        0,
        1,
        {"published": {"order": "<b>"}},
    )
    event = EventView(row, LocalTime(at, is_local=True), None, None, False, False, False, None, None, None, False, ())
    templates = DeskTemplates(Assets(), CATALOGUES)
    page = templates._environment.from_string(
        '{% from "ops/_event.html" import event_row with context %}{{ event_row(event, "R-1") }}'
    ).render(t=templates.catalogues["en"], types=TYPES, event=event, agent=Caller(NOBODY, "", frozenset(), UNBOUND))

    assert f"<h4>{said}</h4>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
