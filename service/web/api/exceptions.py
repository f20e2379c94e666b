"""What operations see under /v1: exceptions, parked events and dead letters, and the replay of one."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from service.application.access.audit import Action
from service.application.access.callers import Caller
from service.application.commands.resending import Correction
from service.application.reading.documents import letter_item
from service.application.reading.pages import list_exceptions, list_letters
from service.web.api.answers import ITEM_RESPONSES, LIST_RESPONSES, IfNoneMatch, answer, list_page
from service.web.api.lists import (
    DeadLetter,
    ExceptionsPage,
    ExceptionsQuery,
    LetterCorrection,
    LettersPage,
    LettersQuery,
    Replayed,
)
from service.web.http.problems import Problem, documented
from service.web.http.security import Require, TokenFirst
from service.web.services import Wired

router = APIRouter(prefix="/v1", tags=["operations"], route_class=TokenFirst)

Operator = Annotated[Caller, Depends(Require("ops"))]

_LARGEST: Final = 2**63 - 1
LetterId = Annotated[int, Path(ge=1, le=_LARGEST, description="The letter's `id`.", examples=[12])]


@router.get(
    "/exceptions",
    summary="Events that were held, refused, unmapped or parked",
    response_model=ExceptionsPage,
    responses=LIST_RESPONSES,
)
def get_exceptions(
    query: Annotated[ExceptionsQuery, Query()], services: Wired, caller: Operator, if_none_match: IfNoneMatch = None
) -> Response:
    """The newest first. Also events that count with a reason to look at them: a tracking number in use twice.

    All but parked ones are made from tables that follow what is recorded, a moment later.
    """
    read = partial(list_exceptions, services.listing, caller.bounds, query, query.limit)
    return list_page(read, query.cursor, if_none_match)


@router.get(
    "/dead-letters",
    summary="Messages that are no events",
    response_model=LettersPage,
    responses=LIST_RESPONSES,
)
def get_dead_letters(
    query: Annotated[LettersQuery, Query()], services: Wired, caller: Operator, if_none_match: IfNoneMatch = None
) -> Response:
    """The newest first, with values of up to 4 KiB; a letter by itself has all of its value. None for a token that is bound."""
    read = partial(list_letters, services.listing, caller.bounds, query, query.limit)
    return list_page(read, query.cursor, if_none_match)


@router.get(
    "/dead-letters/{id}",
    summary="A message that is no event, byte for byte",
    response_model=DeadLetter,
    responses=ITEM_RESPONSES,
)
def get_dead_letter(
    letter_no: Annotated[LetterId, Path(alias="id")],
    services: Wired,
    caller: Operator,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Its key, value and headers as they came, and what was wrong when it was last tried."""
    everything = caller.bounds.everything
    letter = None if everything is None else services.listing.letter(everything, letter_no)
    if letter is None:
        raise _unknown(letter_no)
    return answer(letter_item(letter), if_none_match)


@router.post(
    "/dead-letters/{id}/replay",
    summary="Try a dead letter again",
    response_model=Replayed,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def replay_dead_letter(
    letter_no: Annotated[LetterId, Path(alias="id")],
    services: Wired,
    caller: Operator,
    correction: LetterCorrection | None = None,
) -> Response:
    """Today's rules read its bytes. What is an event now is recorded, and the letter is resolved; safe to repeat.

    With a body it is read as corrected: the letter stays as it came, the history has the event as it is then, and the audit
    log who set which members.
    """
    everything = caller.bounds.everything
    if everything is None:  # nobody who is bound is told whose a letter is
        raise _unknown(letter_no)
    said = None if correction is None else Correction(correction.set, correction.by)
    services.audit.note(caller.who, Action.REPLAY, str(letter_no), None if said is None else said.noted())
    replayed = services.replay(everything, letter_no, {} if said is None else said.changes)
    if replayed is None:
        raise _unknown(letter_no)
    document = replayed._asdict()
    return answer({"id": document.pop("letter_no"), **document})


def _unknown(letter_no: int) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-letter", f"There is no dead letter {letter_no}.")
