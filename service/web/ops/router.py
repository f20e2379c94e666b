"""All pages of the desk."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from service.web.ops.actions.acknowledging import AcknowledgePages
from service.web.ops.actions.waiting import WaitingPages
from service.web.ops.audit import AuditPages
from service.web.ops.carriers import CarrierPages
from service.web.ops.connotes import ConnotePages
from service.web.ops.desk import Desk, Parts, Visit
from service.web.ops.figures import FiguresPage
from service.web.ops.home import HomePage
from service.web.ops.letters import LetterPages
from service.web.ops.login import Login
from service.web.ops.queues import QueuePages
from service.web.ops.return_detail import ReturnDetailPage
from service.web.ops.returns import ReturnsPage
from service.web.ops.voids import VoidPages

# Who names pages of the desk. One that matches whatever the others do not comes last, below.
PAGES: Final[tuple[Callable[[Desk], object], ...]] = (
    Login,
    HomePage,
    ReturnsPage,
    ReturnDetailPage,
    ConnotePages,
    VoidPages,
    AcknowledgePages,
    WaitingPages,
    QueuePages,
    CarrierPages,
    LetterPages,
    FiguresPage,
    AuditPages,
)


def create_router(parts: Parts) -> APIRouter:
    """The desk on these parts."""
    desk = Desk(parts)
    for pages in PAGES:
        pages(desk)
    desk.page("/ops/{rest:anything}", _nothing_here)
    return desk.router


def _nothing_here(visit: Visit) -> Response:
    if not visit.request.path_params["rest"]:
        return visit.go("/ops")
    return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
