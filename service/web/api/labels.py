"""A return's label: its tracking number as bars, a QR code to the tracking page, and two addresses that nobody keeps."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from service.application.access.callers import Caller
from service.application.commands.labelling import (
    LONGEST_LINE,
    MOST_LINES,
    LabelFormat,
    LabelSize,
    NotPrintable,
    Parties,
    Party,
    party,
)
from service.application.reading import tracking
from service.web.api.returns import ReturnId, Store, unknown_return
from service.web.html.label_words import country_name, words
from service.web.http.cursors import invalid
from service.web.http.problems import documented, unavailable
from service.web.http.security import Require, TokenFirst
from service.web.services import Services, Wired
from service.wire.judging.countries import Assigned

router = APIRouter(prefix="/v1", tags=["returns"], route_class=TokenFirst)

Creator = Annotated[Caller, Depends(Require("create"))]

AT_A_TIME: Final = 2  # labels that are drawn: each takes a tenth of a second of a core
MEDIA_TYPES: Final = {LabelFormat.PDF: "application/pdf", LabelFormat.PNG: "image/png"}
_HEADERS: Final = {"cache-control": "no-store", "vary": "authorization"}
_LINE: Final = Field(max_length=LONGEST_LINE)


class Address(BaseModel):
    """A name and an address as they are printed, in any script."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_LINE)]
    lines: Annotated[list[Annotated[str, _LINE]], Field(max_length=MOST_LINES)] = []
    country: Assigned | None = Field(
        default=None, description="ISO 3166-1 alpha-2; printed as its name, in the language of the label."
    )


class Addresses(BaseModel):
    """What is printed on the label and stored nowhere."""

    model_config = ConfigDict(extra="forbid")

    sender: Address | None = Field(default=None, description="The consumer. Without one there are lines to write on.")
    destination: Address | None = Field(default=None, description="The first-mile destination; likewise.")


Size = Annotated[
    LabelSize, Query(description="a6: the label alone, 105 by 148 mm. a4: the same in a corner, to cut out.")
]
Language = Annotated[Literal["en", "de", "fr", "es", "ar"], Query(description="Of the few words on it.")]
_EXAMPLES: Final = {
    "both": {
        "summary": "A consumer's parcel to a hub",
        "value": {
            "sender": {"name": "Jo Bloggs", "lines": ["1 High Street", "Leeds LS1 1AA"], "country": "GB"},
            "destination": {"name": "Returns hub", "lines": ["2 Dock Road", "London E16 2AB"], "country": "GB"},
        },
    }
}


def _responses(form: LabelFormat, *more: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPES[form]: {"schema": {"type": "string", "format": "binary"}}}
    return {
        200: {"description": "The label.", "content": content},
        **documented(*more, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY),
    }


def _add(form: LabelFormat) -> None:
    """The two routes of a format: with lines to write on, and with the addresses of the call."""

    async def blank(
        request: Request,
        return_id: ReturnId,
        store: Store,
        services: Wired,
        caller: Creator,
        size: Size = LabelSize.A6,
        lang: Language = "en",
    ) -> Response:
        """With lines to write sender and destination on. Without the setting of a public address it has no QR code."""
        return await _label(request, form, size, lang, Addresses(), (return_id, store, services, caller))

    async def addressed(
        request: Request,
        return_id: ReturnId,
        store: Store,
        services: Wired,
        caller: Creator,
        addresses: Annotated[Addresses, Body(openapi_examples=_EXAMPLES)],
        size: Size = LabelSize.A6,
        lang: Language = "en",
    ) -> Response:
        """The addresses are printed and kept nowhere, so a label that is asked for again needs them again.

        Any script prints that one of the fonts has; another one is refused by its name, not printed as empty boxes.
        """
        return await _label(request, form, size, lang, addresses, (return_id, store, services, caller))

    address, named = f"/returns/{{return_id}}/label.{form}", form.upper()
    router.get(
        address,
        summary=f"A return's label as {named}",
        name=f"get_label_{form}",
        responses=_responses(form),
        response_class=Response,
    )(blank)
    router.post(
        address,
        summary=f"A return's label as {named}, addressed",
        name=f"make_label_{form}",
        responses=_responses(form, HTTPStatus.BAD_REQUEST),
        response_class=Response,
    )(addressed)


for each in LabelFormat:
    _add(each)


async def _label(
    request: Request,
    form: LabelFormat,
    size: LabelSize,
    language: str,
    addresses: Addresses,
    whose: tuple[str, tracking.ReturnReading, Services, Caller],
) -> Response:
    return_id, store, services, caller = whose

    def draw() -> bytes:
        document = tracking.find_return(store, caller.bounds, return_id) or services.creating.find(
            caller.bounds, return_id
        )
        if document is None:
            raise unknown_return(return_id)
        if services.labelling is None:
            raise unavailable("Labels are not made here.")
        try:
            parties = Parties(
                _party("sender", addresses.sender, language), _party("destination", addresses.destination, language)
            )
            return services.labelling.printed(document, parties, words(language), form, size)
        except NotPrintable as error:
            raise invalid(f"body.{error.where}", error.what) from None

    body = await to_thread.run_sync(draw, limiter=request.app.state.labels)
    name = f'inline; filename="{return_id}.{form}"'
    return Response(body, media_type=MEDIA_TYPES[form], headers={**_HEADERS, "content-disposition": name})


def _party(where: str, address: Address | None, language: str) -> Party | None:
    if address is None:
        return None
    return party(where, address.model_dump(include={"name", "lines"}), country_name(address.country, language))
