"""POST /v1/events: CloudEvents over HTTP, for publishers that do not speak Kafka; and the same judgement without sending."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from service import logs
from service.application.access.audit import Action, Key
from service.application.access.callers import Caller
from service.application.commands.accepting import MAY_SEND, Judged, Sender, told, told_of_check
from service.errors import InvalidEvent, Retryable
from service.web.api.answers import answer
from service.web.api.models import Answer
from service.web.http.cursors import invalid
from service.web.http.problems import Problem, documented, unavailable
from service.web.http.security import Authenticated
from service.web.services import Wired
from service.wire.http_events import BATCH_MEDIA_TYPE, MOST_EVENTS, read_events

router = APIRouter(prefix="/v1", tags=["events"])

_MOST_ERRORS: Final = 500
_EVENT: Final = {
    "specversion": "1.0",
    "id": "8c1f6a52",
    "source": "/depot-scanner/7",
    "type": "com.omnirps.carrier.scanned.v1",
    "time": "2026-11-24T09:12:00+13:00",
    "data": {"carrier": "generic", "tracking_number": "TK12345678NZ", "code": "COLLECTED"},
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": {"type": "object"}, "example": _EVENT},
            BATCH_MEDIA_TYPE: {"schema": {"type": "array", "maxItems": MOST_EVENTS}, "example": [_EVENT]},
            "application/json": {
                "schema": {"description": "Binary mode: the data; the attributes stand in `ce-` headers."},
                "example": _EVENT["data"],
            },
        },
    }
}


class Fault(Answer):
    """One thing that is wrong with an event."""

    path: str = Field(description="The names that lead there, `data.code` say; empty: the event as a whole.")
    detail: str


class EventAnswer(Answer):
    """What became of an event."""

    index: int = Field(description="Its place in the request, from 0.")
    id: str | None
    source: str | None = Field(description="As it was sent.")
    type: str | None
    status: Literal["accepted", "invalid"]
    reason: str | None = Field(description="Of an invalid one: a stable word, as dead letters have it.")
    faults: list[Fault]
    not_understood: list[str] = Field(
        description="Optional members of the data of an accepted one that are wrong, and so ignored: `location.country`, say."
    )


class EventsAnswer(Answer):
    """What became of each event, in their order."""

    items: list[EventAnswer]


class ConcernedReturn(Answer):
    """A return that the event would concern, and what it would be there, as of now."""

    return_id: str
    verdict: str | None = Field(
        description="`duplicate`: it is there already. Null: a void, which takes the whole history."
    )
    reason: str | None
    status: str | None = Field(description="The return's, after it.")


class CheckedEvent(EventAnswer):
    """The judgement of an event that was not sent."""

    published_source: str | None = Field(description="The `source` that it would have.")
    means: str | None = Field(
        description="Of a scan: the milestone that its code asserts, `informational` or `unmapped`."
    )
    concerns: list[ConcernedReturn] | None = Field(
        description="Empty: the event would wait until its return is known. Null: the token lacks the scope `read`."
    )


class CheckAnswer(Answer):
    """The judgement of each event."""

    items: list[CheckedEvent]


@router.post(
    "/events",
    summary="Send events",
    response_model=EventsAnswer,
    openapi_extra=_BODY,
    responses={
        207: {"model": EventsAnswer, "description": "Some are accepted, some are invalid."},
        **documented(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY),
    },
)
async def send_events(
    request: Request,
    services: Wired,
    caller: Annotated[Caller, Depends(Authenticated(MAY_SEND))],
) -> Response:
    """CloudEvents over HTTP: structured (`application/cloudevents+json`), binary (`ce-` headers) or a batch.

    Accepted means that Kafka has it, in all replicas that are in sync; the return shows it a moment later. After an error
    503 it is not known: send the same events again, which repeats nothing, for an event is known by its `source` and `id`.
    The `source` is kept below the name of the token's publisher. Which types a token may send is a matter of its scopes:
    `create` for creations, `scan` for scans and deliveries of connotes, `hub` for what hubs say and for voids. One that is
    bound says its carriers' scans, its hubs' events, or what its retailers' returns concerns.
    """
    events = await _read(request)

    def send() -> list[Judged]:
        services.audit.note(caller.who, Action.SEND, None, {Key.EVENTS: len(events)})
        return services.accepting.accept(events, _sender(caller))

    try:
        judged = await to_thread.run_sync(send, limiter=request.app.state.creations)
    except Retryable as error:
        logs.get("web").warning("events_failed", cause=str(error))
        detail = "Perhaps Kafka has the events, perhaps not: a server does not answer. Send the same events again."
        raise unavailable(detail) from None
    items = [told(index, each) for index, each in enumerate(judged)]
    if not any(each.error for each in judged):
        return answer({"items": items})
    if any(each.error is None for each in judged):
        return answer({"items": items}, status=HTTPStatus.MULTI_STATUS)
    raise _all_invalid(judged, items)


@router.post(
    "/events/check",
    summary="Judge events without sending them",
    response_model=CheckAnswer,
    openapi_extra=_BODY,
    responses=documented(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def check_events(
    request: Request,
    services: Wired,
    caller: Annotated[Caller, Depends(Authenticated())],
) -> Response:
    """The same judgement as of `POST /v1/events`, with what each event would be to its return; nothing is sent. Of returns
    that the token does not see nothing is told.

    Of a body with nothing in it that is an event the answer is 422; an empty batch is none of those.
    """
    events = await _read(request)

    def check() -> list[dict[str, Any]]:
        judged = services.accepting.judge(events, _sender(caller))
        if events and all(isinstance(event, InvalidEvent) for event in events):
            raise _all_invalid(judged, [told_of_check(index, each, None) for index, each in enumerate(judged)])
        items = []
        for index, each in enumerate(judged):
            concerns = None
            if "read" in caller.scopes:
                inbound = each.inbound
                concerns = [] if inbound is None else services.accepting.concerned(caller.bounds, inbound)
            items.append(told_of_check(index, each, concerns))
        return items

    return answer({"items": await to_thread.run_sync(check, limiter=request.app.state.creations)})


async def _read(request: Request) -> list[dict[str, Any] | InvalidEvent]:
    body = await request.body()
    if not body:
        raise invalid("body", "an event, or a batch of events, is expected")
    try:
        return read_events(request.headers.get("content-type"), request.headers.items(), body)
    except InvalidEvent as error:
        raise invalid("body", error.faults[0][1]) from None


def _sender(caller: Caller) -> Sender:
    return Sender(caller.publisher, caller.scopes, caller.bounds)


def _all_invalid(judged: Sequence[Judged], items: Sequence[dict[str, Any]]) -> Problem:
    """None was taken: a publisher that looks at nothing but the status has to see that."""
    errors = [
        {"field": f"events[{index}].{path}".rstrip("."), "detail": detail}
        for index, each in enumerate(judged)
        if each.error is not None
        for path, detail in each.error.faults
    ]
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-events",
        "No event is valid: see errors.",
        errors=errors[:_MOST_ERRORS],
        items=items,
    )
