"""The web application: what it is made of, and its own health."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any, Final

from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.application.tracking import Reading
from service.metrics import Metrics
from service.web import api, creating, desk, problems, reference
from service.web.access import Access
from service.web.bodies import Bodies
from service.web.models import Health
from service.web.operations import Operations
from service.web.ops.desk import Parts
from service.web.ops.router import create_router
from service.web.pages import Pages, Public
from service.web.problems import ProblemDetails
from service.web.security import Tokens, reading

_SUMMARY: Final = "The status of every consumer return, from its label to the retailer."

health = APIRouter(tags=["health"])


def create_app(
    store: Reading,
    metrics: Metrics,
    public: Public | None = None,
    operations: Operations | None = None,
    desk_parts: Parts | None = None,
) -> FastAPI:
    """The application on this store: with the public pages and the operations desk where their parts are given, and
    with what the API does beyond reading one return where its `operations` are.
    """
    app = FastAPI(
        title="Returns status service",
        summary=_SUMMARY,
        version=version("returns-status"),
        docs_url=None,  # its assets would come from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.reading = store
    app.state.tokens = Tokens(store)
    app.state.operations = operations
    app.state.metrics = metrics
    app.state.creations = CapacityLimiter(creating.AT_A_TIME)
    app.add_middleware(Bodies)
    app.add_middleware(Access, metrics=metrics)
    problems.install(app)
    for router in (api.router, creating.router, desk.router, health, reference.router):
        app.include_router(router)
    if public is not None:
        app.include_router(Pages(public).router)
    if desk_parts is not None:
        app.include_router(create_router(desk_parts))
    _describe(app)
    return app


@health.get("/livez", summary="Whether the process runs", response_model=Health)
def livez() -> dict[str, Any]:
    """Asks nothing of the database: a restart of this process would not help that."""
    return {"status": "ok", "problems": []}


@health.get(
    "/readyz",
    summary="Whether requests can be answered",
    response_model=Health,
    responses={503: {"model": Health, "description": "Not now."}},
)
def readyz(store: Annotated[Reading, Depends(reading)], response: Response) -> dict[str, Any]:
    """Says what is wrong, where something is."""
    found = store.problems()
    response.headers["cache-control"] = "no-store"
    if found:
        response.status_code = 503
    return {"status": "unready" if found else "ok", "problems": found}


@health.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """The metrics of this process."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


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
