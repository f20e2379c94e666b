"""What an address has of a form: cleaned, checked against the filters, and told from nonsense."""

from __future__ import annotations

import pytest

from service.application.reading.filters import ExceptionFilter, LetterFilter, ReturnFilter
from service.domain.milestones import Milestone, Reason, Route
from service.web.ops.forms import Field, Form, values
from service.web.ops.returns import FORM

LETTERS = Form(LetterFilter, (Field("open", "letters.state", {"yes": "letters.open", "no": "letters.resolved"}),))
CODES = Form(ExceptionFilter, (Field("carrier", "list.carrier"), Field("code", "list.code")))


def test_every_filter_of_returns_is_in_the_form_of_their_list() -> None:
    assert {field.name for field in FORM.fields} == ReturnFilter.model_fields.keys() - {"return_id", "updated_since"}


def test_what_was_typed_becomes_a_filter() -> None:
    given = FORM.read({"status": "RDTPF", "stuck": "true", "hub": " LHR-1\u202e ", "route": "", "other": "x"})

    assert given.typed == {"status": "RDTPF", "stuck": "true", "hub": "lhr-1"}
    assert given.texts["route"] is None
    assert ReturnFilter.model_validate(given.typed) == ReturnFilter(status=Milestone.RDTPF, stuck=True, hub="lhr-1")


@pytest.mark.parametrize(("typed", "meant"), (("yes", True), ("no", False)))
def test_a_choice_is_said_in_its_forms_words(typed: str, meant: bool) -> None:
    assert LetterFilter.model_validate(LETTERS.read({"open": typed}).typed).open is meant


@pytest.mark.parametrize(("name", "typed"), (("status", "XX"), ("stuck", "yes"), ("route", "OMNIRPS")))
def test_a_choice_that_no_form_offers_is_nonsense(name: str, typed: str) -> None:
    given = FORM.read({name: typed})

    assert (list(given.wrong), list(given.nonsense)) == ([name], [name])


def test_what_cannot_be_meant_is_wrong_and_stays_as_it_was_typed() -> None:
    given = FORM.read({"carrier": "A B", "connote": "!", "order_number": "A B"})

    assert given.typed == {"carrier": "A B", "connote": "!", "order_number": "A B"}
    assert (set(given.wrong), list(given.nonsense)) == ({"carrier", "connote"}, [])


def test_a_text_that_no_field_takes_is_nonsense() -> None:
    given = CODES.read({"code": "x" * 129, "carrier": "y" * 41})

    assert (set(given.wrong), list(given.nonsense)) == ({"carrier", "code"}, ["code"])


def test_the_choices_of_a_filter_are_the_values_of_its_type() -> None:
    assert values(ReturnFilter, "route", "route.") == {route.value: f"route.{route.value}" for route in Route}
    assert values(ExceptionFilter, "reason", "why.").keys() == {reason.value for reason in Reason}
