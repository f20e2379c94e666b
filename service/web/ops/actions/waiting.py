"""Acknowledging what waits and is no return's: parked events by their return or label, and connotes without members."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from service.application.access.audit import Action
from service.application.commands.acknowledging import ChangedException, UnknownException
from service.application.commands.waiting import WaitingException
from service.web.ops.actions.asking import Asked, ask, note_of
from service.web.ops.desk import Desk, Visit, number
from service.web.ops.forms import address
from service.wire.rows.exception_ids import NamedWait, Waits, waiting_id, waiting_named_by

_PATH: Final = "/ops/waiting/{waits:path}/acknowledge"
_QUEUE: Final = "/ops/queues/parked"
_LATEST: Final = 2**63 - 1


class WaitingPages:
    """Asks, then does."""

    def __init__(self, desk: Desk) -> None:
        desk.page(_PATH, self.ask, section="queues")
        desk.act(_PATH, self.do, section="queues")

    def ask(self, visit: Visit) -> Response:
        """What waits and since when, who has seen it before, and a field for the note."""
        found = _find(visit, None)
        return found if isinstance(found, Response) else ask(visit, _asked(found), _way_back(found.named))

    def do(self, visit: Visit) -> Response:
        """Hides it until it changes. Nothing is done where it has changed since the page was made."""
        found = _find(visit, number(visit.form.get("seen"), _LATEST))
        if isinstance(found, Response):
            return found
        note, is_one = note_of(visit)
        if not is_one:
            return ask(visit, _asked(found), _way_back(found.named), note=note)
        visit.note(Action.ACKNOWLEDGE, found.named.subject, reason=found.named.reason)
        try:
            visit.parts.services.waiting.acknowledge(found, visit.agent.who, note)
        except ChangedException:
            return visit.trouble(HTTPStatus.CONFLICT, "changed_exception")
        done = {"acknowledged": waiting_id(found.named)} if found.named.kind is not Waits.CONNOTE else {}
        return visit.go(address(_way_back(found.named), done))


def _find(visit: Visit, seen: int | None) -> WaitingException | Response:
    """What waits, or why it is not to be acknowledged by this agent."""
    named = waiting_named_by(visit.request.path_params["waits"])
    if named is None:
        return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_exception")
    try:
        return visit.parts.services.waiting.find(visit.bounds, named, seen)
    except UnknownException:
        return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_exception")
    except ChangedException:
        return visit.trouble(HTTPStatus.CONFLICT, "changed_exception")


def _asked(found: WaitingException) -> Asked:
    named = found.named
    return Asked(
        f"/ops/waiting/{waiting_id(named)}/acknowledge",
        named.subject.replace("/", " "),
        _way_back(named),
        named.reason,
        "seen.intro_waiting",
        found.events,
        found.since,
        found.acknowledged,
        found.upto,
    )


def _way_back(named: NamedWait) -> str:
    return f"/ops/connotes/{named.subject}" if named.kind is Waits.CONNOTE else _QUEUE
