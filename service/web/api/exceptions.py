"""What operations see under /v1: exceptions, parked events and dead letters; an exception is acknowledged, a letter replayed."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from service.application.access.audit import Action, Key
from service.application.access.callers import Caller
from service.application.commands.acknowledging import (
    Acknowledgement,
    ChangedException,
    ResolvedException,
    UnknownException,
)
from service.application.commands.resending import Correction
from service.application.reading.documents import letter_item, text_of
from service.application.reading.pages import list_exceptions, list_letters
from service.errors import InvalidEvent
from service.web.api.acknowledging import Acknowledged, Note
from service.web.api.answers import ITEM_RESPONSES, LIST_RESPONSES, IfNoneMatch, answer, given_once, list_page
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
from service.web.services import Services, Wired
from service.wire.rows.exception_ids import named_by, waiting_named_by

router = APIRouter(prefix="/v1", tags=["operations"], route_class=TokenFirst)

Operator = Annotated[Caller, Depends(Require("ops"))]

_LARGEST: Final = 2**63 - 1
_LONGEST_ID: Final = 160
ExceptionId = Annotated[
    str,
    Path(
        max_length=_LONGEST_ID,
        description="The `exception_id` as it is listed, and as it is told of on the topic of exceptions. Its slashes may be "
        "written as they are, or as %2F.",
        examples=["return/R-1001/unknown_code"],
    ),
]
LetterId = Annotated[int, Path(ge=1, le=_LARGEST, description="The letter's `id`.", examples=[12])]


@router.get(
    "/exceptions",
    summary="Events that were held, refused, unmapped or parked, and connotes without members",
    response_model=ExceptionsPage,
    responses=LIST_RESPONSES,
    dependencies=[Depends(given_once())],
)
def get_exceptions(
    query: Annotated[ExceptionsQuery, Query()], services: Wired, caller: Operator, if_none_match: IfNoneMatch = None
) -> Response:
    """The newest first. Also events that count with a reason to look at them: a tracking number in use twice; and, for who is
    not bound, connotes that were delivered and that no export names, with their last delivery.

    With `state=open` those that somebody should look at: what was acknowledged is left out until it changes, and listed with
    `state=acknowledged`. All but those that wait (`parked`) are made from tables that follow what is recorded, a moment later.
    """
    connotes = services.connotes
    read = partial(
        list_exceptions, services.listing, caller.bounds, query, query.limit, connotes=connotes, giving=services.giving
    )
    return list_page(read, query.cursor, if_none_match)


@router.post(
    "/exceptions/{exception_id:path}/acknowledge",
    summary="Say that somebody has seen an exception",
    response_model=Acknowledged,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def acknowledge_exception(
    named: Annotated[ExceptionId, Path(alias="exception_id")], said: Note, services: Wired, caller: Operator
) -> Response:
    """Hides it until it changes: until it opens anew after it was resolved, or another event gives its reason, too; what is
    parked until another event is parked under its name, a connote without members until it is delivered once more.

    All events of the exception are hidden with it. It stays open: subscribers are told nothing, and it is resolved by itself
    as ever. Safe to repeat; another note, or somebody else's, takes the place of the one before. A token that is bound to
    carriers or hubs acknowledges what those said.
    """
    try:
        seen = _acknowledge(services, caller, named, said.note)
    except UnknownException:
        raise _no_exception(named) from None
    except ResolvedException:
        detail = f"The exception {named} is resolved: nothing gives its reason any more, and there is nothing to acknowledge."
        raise Problem(HTTPStatus.CONFLICT, "exception-resolved", detail) from None
    except ChangedException:
        detail = f"The exception {named} has changed just now. Look at it again."
        raise Problem(HTTPStatus.CONFLICT, "exception-changed", detail) from None
    except InvalidEvent as error:
        detail = f"What gives this exception is somebody else's to say. {error.detail}"
        raise Problem(HTTPStatus.FORBIDDEN, "not-own", detail) from None
    acknowledged = {"at": text_of(seen.at), "by": seen.by, "note": seen.note}
    return answer({"exception_id": named, "state": "acknowledged", "acknowledged": acknowledged})


def _acknowledge(services: Services, caller: Caller, named: str, note: str) -> Acknowledgement:
    who, found, waits = caller.who, named_by(named), waiting_named_by(named)
    if found is not None:
        exception = services.acknowledging.find(caller.bounds, *found)
        services.audit.note(who, Action.ACKNOWLEDGE, found.return_id, {Key.REASON: found.reason.value})
        return services.acknowledging.acknowledge(exception, who, note)
    if waits is None:
        raise UnknownException
    waiting = services.waiting.find(caller.bounds, waits)
    services.audit.note(who, Action.ACKNOWLEDGE, waits.subject, {Key.REASON: waits.reason})
    return services.waiting.acknowledge(waiting, who, note)


@router.get(
    "/dead-letters",
    summary="Messages that are no events",
    response_model=LettersPage,
    responses=LIST_RESPONSES,
    dependencies=[Depends(given_once())],
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


def _no_exception(named: str) -> Problem:
    detail = (
        f"The lists have no exception {named[:_LONGEST_ID]}. One of a return is called return/RETURN_ID/REASON, what is parked "
        "return/RETURN_ID/parked or label/CARRIER/NUMBER/parked, and a connote that was delivered without members "
        "connote/CONNOTE/without_members; what opened just now is listed a moment later."
    )
    return Problem(HTTPStatus.NOT_FOUND, "unknown-exception", detail)


def _unknown(letter_no: int) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-letter", f"There is no dead letter {letter_no}.")
