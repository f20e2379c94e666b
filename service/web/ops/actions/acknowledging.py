"""Acknowledging an exception: a page that says what it is and asks for a note, and the action. It leads back to where it came from."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from service.application.access.audit import Action
from service.application.commands.acknowledging import (
    ChangedException,
    ResolvedException,
    ReturnException,
    UnknownException,
)
from service.domain.milestones import Reason
from service.errors import InvalidEvent
from service.web.ops.actions.asking import Asked, ask, note_of
from service.web.ops.desk import LARGEST_SEQ, Desk, Visit, number
from service.web.ops.queues import EXCEPTION_QUEUES
from service.web.ops.return_detail import is_number

_PATH: Final = "/ops/returns/{return_id}/exceptions/{reason}/acknowledge"
_REASONS: Final = frozenset(reason.value for reason in Reason)


class AcknowledgePages:
    """Asks, then does."""

    def __init__(self, desk: Desk) -> None:
        desk.page(_PATH, self.ask, section="queues")
        desk.act(_PATH, self.do, section="queues")

    def ask(self, visit: Visit) -> Response:
        """What is exceptional and for how long, who has seen it before, and a field for the note."""
        found = _find(visit, None)
        back = visit.request.query_params.get("back", "")
        return found if isinstance(found, Response) else _ask(visit, found, back)

    def do(self, visit: Visit) -> Response:
        """Hides it until it changes. Nothing is done where it has changed since the page was made."""
        found = _find(visit, number(visit.form.get("seen"), LARGEST_SEQ))
        if isinstance(found, Response):
            return found
        (note, is_one), back = note_of(visit), visit.form.get("back", "")
        if not is_one:
            return _ask(visit, found, back, note)
        visit.note(Action.ACKNOWLEDGE, found.return_id, reason=found.reason.value)
        try:
            visit.parts.services.acknowledging.acknowledge(found, visit.agent.who, note)
        except ChangedException:
            return visit.trouble(HTTPStatus.CONFLICT, "changed_exception")
        if back in EXCEPTION_QUEUES:
            return visit.go(f"{back}?acknowledged={found.return_id}")
        return visit.go(f"/ops/returns/{found.return_id}?acknowledged={found.reason}#exceptions")


def _find(visit: Visit, seen: int | None) -> ReturnException | Response:
    """The exception, or why it is not to be acknowledged by this agent."""
    return_id, reason = visit.request.path_params["return_id"], visit.request.path_params["reason"]
    if not is_number(return_id) or reason not in _REASONS:
        return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_exception")
    try:
        return visit.parts.services.acknowledging.find(visit.bounds, return_id, Reason(reason), seen)
    except UnknownException:
        return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_exception")
    except ResolvedException:
        return visit.trouble(HTTPStatus.CONFLICT, "resolved_exception")
    except ChangedException:
        return visit.trouble(HTTPStatus.CONFLICT, "changed_exception")
    except InvalidEvent:
        return visit.trouble(HTTPStatus.FORBIDDEN, "not_own_exception")


def _ask(visit: Visit, found: ReturnException, back: str, note: str | None = None) -> Response:
    queue = back if back in EXCEPTION_QUEUES else ""
    own = f"/ops/returns/{found.return_id}"
    asked = Asked(
        f"{own}/exceptions/{found.reason}/acknowledge",
        found.return_id,
        f"{own}#exceptions",
        found.reason.value,
        "seen.intro",
        found.events,
        found.since,
        found.acknowledged,
        found.seq,
    )
    return ask(visit, asked, queue or asked.address, queue, note)
