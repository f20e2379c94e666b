"""POST /v1/returns/bulk: many returns at once, checked whole before any of them is created."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from io import BytesIO
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import Field

from service.application.access.audit import Action
from service.application.access.callers import Caller
from service.application.commands.bulk import Bulk, Outcome
from service.errors import Retryable, SettingsError
from service.web.api.answers import answer
from service.web.api.creating import perhaps
from service.web.api.models import Answer
from service.web.http.cursors import invalid
from service.web.http.problems import Problem, documented
from service.web.http.security import Require, bearer
from service.web.services import Services, Wired
from service.wire.documents import tracking_url
from service.wire.feeds.files import FileKind
from service.wire.feeds.reading import Unreadable
from service.wire.omnireturns.lines import BulkLine, bulk_lines

router = APIRouter(prefix="/v1", tags=["returns"])

MOST_LINES: Final = 500
_KINDS: Final = {"text/csv": FileKind.CSV, "application/x-ndjson": FileKind.JSONL, "application/jsonl": FileKind.JSONL}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"key":"r-1","retailer":"acme","route":"omnirps","carrier":"omniparcel","order_number":"A-1"}\n',
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "key,retailer,route,carrier,order_number\nr-1,acme,omnirps,omniparcel,A-1\n",
            },
        },
    }
}


class CreatedLine(Answer):
    """What became of a line."""

    line: int = Field(description="Its number in the body, from 1; of CSV the first is the names of the columns.")
    state: Literal["created", "existed", "failed"] = Field(description="existed: an earlier request created it.")
    return_id: str | None
    tracking_number: str | None
    tracking_url: str | None
    fault: str | None = Field(description="Of a failed one: where, and what is wrong.")


class CreatedLines(Answer):
    """What became of each line, in their order."""

    items: list[CreatedLine]


@router.post(
    "/returns/bulk",
    status_code=HTTPStatus.OK,
    summary="Create many returns",
    response_model=CreatedLines,
    openapi_extra=_BODY,
    responses={
        207: {"model": CreatedLines, "description": "Some could not be created."},
        **documented(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ),
    },
)
async def create_returns(
    request: Request,
    services: Wired,
    caller: Annotated[Caller, Depends(Require("create"))],
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
) -> Response:
    """JSON lines (`application/x-ndjson`), each as `POST /v1/returns` takes it, or CSV (`text/csv`); up to 500 lines.

    All lines are checked first: where something is wrong with one, nothing is created, and the answer is 422 with every
    fault. A line is known by its `key`, or without one by what it says: the same body, sent again after an error 503,
    creates what is missing and nothing twice.
    """
    kind = _KINDS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
    if kind is None:
        detail = "Send JSON lines (application/x-ndjson) or CSV (text/csv)."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
    body, token = await request.body(), credentials.credentials

    def create() -> list[Outcome]:
        services.audit.note(caller.who, Action.CREATE)
        return _create(Bulk(services.creating, caller.bounds, token), body, kind)

    outcomes = await to_thread.run_sync(create, limiter=request.app.state.creations)
    is_whole = all(outcome.fault is None for outcome in outcomes)
    items = [_item(outcome, services) for outcome in outcomes]
    return answer({"items": items}, status=HTTPStatus.OK if is_whole else HTTPStatus.MULTI_STATUS)


def _create(work: Bulk, body: bytes, kind: FileKind) -> list[Outcome]:
    lines = _lines(body, kind)
    try:
        return _created(work, lines)
    except Retryable as error:
        detail = "Some were perhaps created, some not: a server does not answer. Send the same lines again."
        raise perhaps(error, detail) from None


def _lines(body: bytes, kind: FileKind) -> list[BulkLine]:
    try:
        lines = list(bulk_lines(BytesIO(body), kind))
    except SettingsError as error:
        raise invalid("body", str(error)) from None
    except Unreadable as error:
        raise invalid(f"body.{error.fault.path}", error.fault.detail) from None
    if not 0 < len(lines) <= MOST_LINES:
        raise invalid("body", f"1 to {MOST_LINES} lines are expected")
    return lines


def _created(work: Bulk, lines: Sequence[BulkLine]) -> list[Outcome]:
    checked = work.check(lines)
    if checked.wrong:
        errors = [
            {"field": f"lines[{n}].{fault.path}".rstrip("."), "detail": fault.detail} for n, fault in checked.faults
        ]
        detail = f"{checked.wrong} faults: see errors. Nothing was created."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, errors=errors)
    return list(work.create(lines))


def _item(outcome: Outcome, services: Services) -> dict[str, Any]:
    fault, return_id = outcome.fault, outcome.return_id
    return {
        "line": outcome.line.number,
        "state": "failed" if fault is not None else "existed" if outcome.existed else "created",
        "return_id": return_id,
        "tracking_number": outcome.tracking_number,
        "tracking_url": None if return_id is None else tracking_url(services.public_url, return_id),
        "fault": None if fault is None else f"{fault.path}: {fault.detail}",
    }
