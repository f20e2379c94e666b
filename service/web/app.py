"""The web application: what it is made of, and its own health."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final, NamedTuple, Protocol

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from service.application.access.callers import Callers
from service.application.readiness import ReadinessCheck
from service.application.reading.tracking import ReturnReading
from service.metrics import Metrics
from service.settings.servers import TOKEN_FAILURES, TOKEN_RATE
from service.web.api import bulk, connotes, creating, events, feeds, hub, labels, reference
from service.web.api import exceptions as desk
from service.web.api import returns as api
from service.web.api.models import Health
from service.web.http import problems as problem_details
from service.web.http.bodies import Bodies
from service.web.http.limits import Limiter, Rate
from service.web.http.middleware import Access
from service.web.http.problems import ProblemDetails
from service.web.http.readiness import Known, Readiness
from service.web.http.security import Guesses, Tokens
from service.web.hub.page import Station
from service.web.ops.desk import Parts
from service.web.ops.router import create_router
from service.web.public.pages import Pages, Public
from service.web.public.returning import Returning
from service.web.services import Services

_SUMMARY: Final = "The status of every consumer return, from its label to the retailer."

# What waits for somebody, or works, on threads of its own number, by its name in the application's state.
_AT_A_TIME: Final = {"creations": creating.AT_A_TIME, "feeds": feeds.AT_A_TIME, "labels": labels.AT_A_TIME}

health = APIRouter(tags=["health"])


class Use(NamedTuple):
    """Of tokens: how many requests a minute each may make that has no rate of its own, and who wants to know of each.

    `failures`: how many a minute may turn out not to be valid, of one client; `hashes`: of all that are.
    """

    rate: int
    used: Callable[[int], None]
    failures: int = TOKEN_FAILURES
    hashes: Callable[[], frozenset[bytes]] = frozenset


_ANY_USE: Final = Use(TOKEN_RATE, lambda _: None)


class Store(ReturnReading, Callers, ReadinessCheck, Protocol):
    """What every application reads: returns, tokens, and whether it can read."""


def create_app(
    store: Store,
    metrics: Metrics,
    public: Public | None = None,
    services: Services | None = None,
    desk_parts: Parts | None = None,
    *,
    problems: Callable[[], list[str]] | None = None,
    use: Use = _ANY_USE,
) -> FastAPI:
    """The application on this store: with the public pages and the operations desk where their parts are given, and
    with what the API does beyond reading one return where its `services` are.

    `problems` says at once what keeps it from answering; without it, the store is asked. `use` is of tokens.
    """
    app = FastAPI(
        title="Returns status service",
        summary=_SUMMARY,
        version=version("returns-status"),
        docs_url=None,  # its assets would come from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.reading, app.state.tokens = store, Tokens(store)
    app.state.rates, app.state.used = Limiter(Rate(use.rate, use.rate), time.monotonic), use.used
    app.state.guesses = Guesses(Rate(use.failures, use.failures), use.hashes)
    app.state.services = services
    app.state.public_url = None if services is None else services.public_url
    # A store may be missing where the API is only described.
    app.state.readiness = Readiness(lambda: store.problems()) if problems is None else Known(problems)  # noqa: PLW0108
    app.state.metrics = metrics
    for name, most in _AT_A_TIME.items():
        setattr(app.state, name, CapacityLimiter(most))
    app.add_middleware(Bodies)
    app.add_middleware(Access, metrics=metrics, public_url=app.state.public_url)
    problem_details.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    if public is not None:
        _add_pages(app, public, services)
    if desk_parts is not None:
        app.include_router(create_router(desk_parts))
    _describe(app)
    return app


def _add_pages(app: FastAPI, public: Public, services: Services | None) -> None:
    """The pages that ask for no session: the public ones, the scan station, and where consumers make returns, that one."""
    app.include_router(Pages(public).router)
    app.include_router(Station().router)
    if services is not None and services.portals is not None and services.labelling is not None:
        app.include_router(Returning(services.portals, services.labelling, public.limits.client).router)


@health.get("/livez", summary="Whether the process runs", response_model=Health)
async def livez() -> dict[str, Any]:
    """Asks nothing of anybody, and waits for no thread: it is answered while every other request waits."""
    return {"status": "ok", "problems": []}


@health.get(
    "/readyz",
    summary="Whether requests can be answered",
    response_model=Health,
    responses={503: {"model": Health, "description": "Not now."}},
)
async def readyz(request: Request, response: Response) -> dict[str, Any]:
    """Says what is wrong, where something is; within some seconds, whatever becomes of the database."""
    found = await request.app.state.readiness.problems()
    response.headers["cache-control"] = "no-store"
    if found:
        response.status_code = 503
    return {"status": "unready" if found else "ok", "problems": found}


_ROUTERS: Final = (
    api.router,
    connotes.router,
    creating.router,
    bulk.router,
    labels.router,
    events.router,
    feeds.router,
    hub.router,
    desk.router,
    health,
    reference.router,
)


def _describe(app: FastAPI) -> None:
    """Problems are answers of no function, so OpenAPI has to be told of their schema."""
    generate = app.openapi

    def described() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["ProblemDetails"] = problem
        return document

    app.openapi = described  # type: ignore[method-assign]
