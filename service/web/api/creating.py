"""POST /v1/returns: OmniReturns makes a return and its label."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final, NotRequired

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Header, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import ConfigDict, Field, with_config

from service import logs
from service.application.access.audit import Action
from service.application.access.callers import Caller
from service.application.commands.creation import (
    RETURN_ID_FORMAT,
    Created,
    CreationRequest,
    KeyReused,
    NumbersExhausted,
    ReturnExists,
)
from service.errors import InvalidEvent, ReadOnly, Retryable
from service.web.api.answers import answer, linked
from service.web.api.models import Return
from service.web.http.cursors import invalid
from service.web.http.problems import Problem, documented, unavailable
from service.web.http.security import Require, TokenFirst, bearer
from service.web.services import Services, Wired
from service.wire import models
from service.wire.judging.countries import Assigned
from service.wire.reasons import Invalid

router = APIRouter(prefix="/v1", tags=["returns"], route_class=TokenFirst)

AT_A_TIME: Final = 8  # waits for Kafka must not use up the threads that everything else is answered on
_EXAMPLES: Final = {
    "least": {
        "summary": "What a return needs",
        "value": {
            "retailer": "acme",
            "route": "omnirps",
            "carrier": "omniparcel",
            "tracking_number": "OP123456789GB",
        },
    },
    "numbered": {
        "summary": "With a tracking number of the carrier's range",
        "value": {"retailer": "acme", "route": "omnirps", "carrier": "nzpost", "order_number": "A-4711"},
    },
    "full": {
        "summary": "With a number of its own and items",
        "value": {
            "return_id": "R-1001",
            "retailer": "acme",
            "route": "omnirps",
            "carrier": "omniparcel",
            "tracking_number": "OP987654321GB",
            "order_number": "A-4711",
            "origin_country": "GB",
            "destination_country": "DE",
            "items": [{"sku": "SHOE-42", "quantity": 1, "description": "Running shoe", "reason": "too small"}],
        },
    },
}


@with_config(ConfigDict(extra="allow", strict=True))
class NewReturn(models.ReturnCreatedData):
    """The return to be. Members that are not known are kept with it; a null is as good as nothing."""

    return_id: NotRequired[  # type: ignore[misc]  # an event must have one, a request may leave it to us
        Annotated[models.Number, Field(description=f"By default a new one: {RETURN_ID_FORMAT}.")] | None
    ]
    tracking_number: NotRequired[  # type: ignore[misc]  # likewise
        Annotated[
            models.Number, Field(description="By default the next of the carrier's range, where it has one here.")
        ]
        | None
    ]
    origin_country: NotRequired[Assigned | None]
    destination_country: NotRequired[Assigned | None]


@router.post(
    "/returns",
    status_code=HTTPStatus.CREATED,
    summary="Create a return",
    response_model=Return,
    responses={
        201: {
            "description": "Kafka has its event. The return can be read as soon as that is ingested, a moment later.",
            "headers": {
                "Location": {"description": "Where the return is.", "schema": {"type": "string"}},
                "Idempotent-Replayed": {
                    "description": "`true`: an earlier request created it.",
                    "schema": {"type": "string", "enum": ["true"]},
                },
            },
        },
        **documented(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ),
    },
)
async def create_return(
    request: Request,
    data: Annotated[NewReturn, Body(openapi_examples=_EXAMPLES)],
    services: Wired,
    caller: Annotated[Caller, Depends(Require("create"))],
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r"^[\x21-\x7e]{1,128}$",
            description="A text that names this request, say a UUID. The same request with the same key creates nothing "
            "new and gets the same answer; another request with it gets 409.",
            examples=["0b3c1c0e-8a4e-4b6e-9d5b-2f0e6f7f9a11"],
        ),
    ] = None,
) -> Response:
    """Publishes `return.created` and answers once Kafka has it, with the return as it will be.

    Without a `tracking_number` it gets the next one of its carrier's range, check digit included. No number is given twice,
    and a request that comes again with its key gets the same one.

    After an error 503 it is not known whether it was created: send the same request again, with the same
    `Idempotency-Key`; a request with a `return_id` may do without. A number that is taken gets 409.
    """
    creation = CreationRequest(credentials.credentials, idempotency_key, dict(data), caller.bounds)
    created = await to_thread.run_sync(_create, services, caller, creation, limiter=request.app.state.creations)
    headers = {"location": f"/v1/returns/{created.return_id}"}
    if created.again:
        headers["idempotent-replayed"] = "true"
    return answer(linked(created.document, request.app.state.public_url), status=HTTPStatus.CREATED, headers=headers)


def _create(services: Services, caller: Caller, creation: CreationRequest) -> Created:
    try:
        services.audit.note(caller.who, Action.CREATE, creation.data.get("return_id"))
        return services.creating.create(creation)
    except InvalidEvent as error:
        raise _refused(error) from None
    except KeyReused:
        detail = "This Idempotency-Key came with another request before. A new request needs a new key."
        raise Problem(HTTPStatus.CONFLICT, "idempotency-key-reused", detail) from None
    except ReturnExists as error:
        detail = f"{str(error).capitalize()}."
        raise Problem(HTTPStatus.CONFLICT, "return-exists", detail) from None
    except NumbersExhausted as error:
        detail = f"{str(error).capitalize()}: send a `tracking_number`, or have a further range declared."
        raise Problem(HTTPStatus.CONFLICT, "numbers-exhausted", detail) from None
    except Retryable as error:
        detail = "The return was perhaps created, perhaps not: a server does not answer. Send the same request again."
        raise perhaps(error, detail) from None


def perhaps(error: Retryable, detail: str) -> Exception:
    """What to answer where it is not known what was created; where nothing was, since the database takes no writes, that."""
    if isinstance(error, ReadOnly):
        return error
    logs.get("web").warning("creation_failed", cause=str(error))
    return unavailable(detail)


def _refused(error: InvalidEvent) -> Problem:
    """What ingestion would refuse, said of the request."""
    if error.reason == Invalid.TOO_LARGE:
        detail = "The event would be larger than Kafka's readers accept."
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content-too-large", detail)
    where, _, what = error.detail.partition(": ")
    if where.startswith("data."):
        return invalid(f"body.{where.removeprefix('data.')}", what)
    return invalid("body", error.detail)
