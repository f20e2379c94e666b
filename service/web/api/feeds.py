"""POST /v1/feeds/{feed}: what carriers and aggregators send in their own words."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from service import logs
from service.application.access.audit import Action, Key
from service.application.access.callers import Caller
from service.application.commands.feeding import NoSuchFeed, NotAuthentic, OutOfBounds
from service.errors import Retryable
from service.web.http.bodies import CALLER
from service.web.http.problems import Problem, documented, unavailable
from service.web.http.security import caller_of
from service.web.services import Services, services_of
from service.wire.feeds import signatures
from service.wire.feeds.reading import Onto, Scan, Unreadable

router = APIRouter(prefix="/v1", tags=["feeds"])

AT_A_TIME: Final = 8  # waits for Kafka must not use up the threads that everything else is answered on
_MOST_ERRORS: Final = 500
_UNAVAILABLE: Final = (
    "A server does not answer, and it is not known whether Kafka has the scans. Send the same request again: "
    "what Kafka has already is not repeated."
)
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The carrier's own payload.",
        "required": True,
        "content": {"application/json": {"schema": {}}},
    }
}
_RESPONSES: Final = documented(
    HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY
)
FeedName = Annotated[str, PathParameter(max_length=64, description="An open feed.", examples=["omniparcel"])]


class FeedFault(BaseModel):
    """What is wrong with one event."""

    path: str = Field(description="Where: the event, what was looked for, and the expression that looked.")
    reason: str = Field(description="A stable word, that of the dead letter.")
    detail: str


class FeedItem(BaseModel):
    """What became of one event of the request."""

    path: str
    state: Literal["accepted", "invalid", "ignored"] = Field(
        description="invalid: Kafka has it all the same, and ingestion keeps it as a dead letter, for people to see. "
        "ignored: of a feed whose numbers are connotes, and no delivery; nothing of it is recorded."
    )
    meaning: str | None = Field(
        description="The milestone that its code asserts (of a connote's delivery `RDBTC`), `informational`, or `unmapped`: no table knows the code."
    )
    fault: FeedFault | None = None


class FeedAnswer(BaseModel):
    """Kafka has all of these events but those that are ignored; none where the request is about something else than scans."""

    items: list[FeedItem]


@router.post(
    "/feeds/{feed}",
    summary="Take in a carrier's or aggregator's own payload",
    response_model=FeedAnswer,
    responses=_RESPONSES,
    openapi_extra=_BODY,
)
async def take_feed(
    request: Request, feed: FeedName, services: Annotated[Services | None, Depends(services_of)]
) -> FeedAnswer:
    """Authenticated by the feed's own signature, with the secret of the feeds file, or by a token with the scope `scan`.
    Publishes each event as `carrier.scanned`, or the deliveries of connotes where the feed's numbers are those, and answers once Kafka has them all, in every copy that is in sync.

    With a token the events come from its publisher, and one that is bound to carriers brings only theirs.

    A request that comes again repeats nothing.
    """
    return await _take(request, services, feed, None)


@router.post(
    "/feeds/{feed}/{secret}",
    summary="The same, for senders that sign nothing: the secret is in the address",
    response_model=FeedAnswer,
    responses=_RESPONSES,
    openapi_extra=_BODY,
)
async def take_feed_by_address(
    request: Request,
    feed: FeedName,
    secret: Annotated[str, PathParameter(max_length=256)],
    services: Annotated[Services | None, Depends(services_of)],
) -> FeedAnswer:
    """Of feeds whose scheme is `path`. The address is logged without it."""
    return await _take(request, services, feed, secret)


async def _take(request: Request, services: Services | None, feed: str, secret: str | None) -> FeedAnswer:
    if services is None or services.feeding is None:
        raise _no_such_feed()
    # As the bytes that came: Starlette takes them for Latin-1, and a password may be anything.
    headers = {name.decode("latin-1"): value.decode(errors="surrogateescape") for name, value in request.headers.raw}
    came = signatures.Request(headers, b"", secret, time.time())
    is_open, sender = services.feeding.is_open(feed), None
    if not is_open or not services.feeding.may_be_signed(feed, came):
        # Nothing is read of who has no token for it either.
        sender = await _caller(request) if secret is None else None
        if sender is None:
            raise _unsigned(feed, services.feeding.expects(feed)) if is_open else _no_such_feed()
        request.scope[CALLER] = sender
    came = came._replace(body=await request.body())
    limiter = request.app.state.feeds
    try:
        scans = await to_thread.run_sync(_scans, services, feed, came, sender, limiter=limiter)
    except Problem as problem:
        is_unsigned = sender is None and problem.status is HTTPStatus.UNAUTHORIZED
        caller = await _caller(request) if secret is None and is_unsigned else None
        if caller is None:
            raise
        scans = await to_thread.run_sync(_scans, services, feed, came, caller, limiter=limiter)
    return FeedAnswer(items=[_item(scan) for scan in scans])


async def _caller(request: Request) -> Caller | None:
    """Who sends what no feed's sender has signed; None: nobody with a token for it."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    caller = await caller_of(request, token.strip())
    return caller if caller is not None and "scan" in caller.scopes else None


def _scans(services: Services, feed: str, came: signatures.Request, caller: Caller | None) -> list[Scan]:
    assert services.feeding is not None  # noqa: S101 - asked before
    try:
        if caller is None:
            return services.feeding.take(feed, came)
        services.audit.note(caller.who, Action.FEED, None, {Key.FEED: feed})
        return services.feeding.take_from(caller, feed, came)
    except OutOfBounds as error:
        errors = [{"field": where, "detail": what} for where, what in error.faults[:_MOST_ERRORS]]
        detail = "The token is bound, and the request is of something else: see errors. Nothing of it was used."
        raise Problem(HTTPStatus.FORBIDDEN, "out-of-bounds", detail, errors=errors) from None
    except NoSuchFeed:
        raise _no_such_feed() from None
    except NotAuthentic as error:
        raise _unsigned(feed, str(error)) from None
    except Unreadable as error:
        errors = [{"field": error.fault.path, "detail": error.fault.detail}]
        detail = "The body is not one of this feed: see errors. Nothing of it was used."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, errors=errors) from None
    except Retryable as error:
        logs.get("web").warning("feed_failed", feed=feed, cause=str(error))
        raise unavailable(_UNAVAILABLE) from None


def _item(scan: Scan) -> FeedItem:
    if scan.fault is None:
        state: Literal["accepted", "ignored"] = "ignored" if scan.onto is Onto.NOWHERE else "accepted"
        return FeedItem(path=scan.path, state=state, meaning=scan.meaning)
    fault = FeedFault(path=scan.fault.path, reason=scan.fault.reason, detail=scan.fault.detail)
    return FeedItem(path=scan.path, state="invalid", meaning=None, fault=fault)


def _unsigned(feed: str, expected: str) -> Problem:
    detail = f"The request is not signed as this feed's are; {expected}, or a token with the scope `scan`."
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"www-authenticate": f'Feed realm="{feed}"'})


def _no_such_feed() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "not-found", "No feed of that name is open here.")
