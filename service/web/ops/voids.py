"""Declaring an event a mistake: a page that says what will change and asks why, and the action.

The session's token has to carry the scope `hub`: whoever may say that a parcel was processed may say that it was not.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from service import logs
from service.application.access.audit import Action
from service.application.commands.speaking import require_speaker
from service.application.commands.voiding import Mistake, without
from service.application.reading.desk import EventView, ReturnDetail
from service.domain.milestones import Milestone
from service.errors import InvalidEvent, Retryable
from service.web.ops.desk import LARGEST_SEQ, Desk, Visit, clean, number
from service.web.ops.return_detail import TYPES, is_number, view_of
from service.wire.stored import from_micros, to_micros

_PATH: Final = "/ops/returns/{return_id}/events/{seq}/void"
_MOST_PAST: Final = 1000  # events that the outlook is made from; of a longer history there is none
_LONGEST_REASON: Final = 1024  # as the contract has it
_LONGEST_NAME: Final = 256
_FORM_LASTS: Final = timedelta(days=1)


class VoidPages:
    """Asks, then does."""

    def __init__(self, desk: Desk) -> None:
        desk.page(_PATH, self.ask, section="returns")
        desk.act(_PATH, self.do, section="returns")

    def ask(self, visit: Visit) -> Response:
        """What it was, what the return will be without it, and a field for the reason."""
        found = _target(visit)
        return found if isinstance(found, Response) else self._page(visit, *found)

    def do(self, visit: Visit) -> Response:
        """Sends the void, and leads back to the return once Kafka has it."""
        found = _target(visit)
        if isinstance(found, Response):
            return found
        detail, event = found
        reason = clean(visit.form.get("reason", ""))
        if not 0 < len(reason) <= _LONGEST_REASON:
            return self._page(visit, detail, event, "void.no_reason", reason)
        by = visit.agent.who.name[:_LONGEST_NAME]
        mistake = Mistake(detail.return_id, event.row.source, event.row.id, by, reason, _asked(visit))
        voiding = visit.parts.services.voiding
        try:
            message = voiding.prepare(mistake)
        except InvalidEvent:
            return self._page(visit, detail, event, "void.no_reason", reason)
        visit.note(Action.VOID, detail.return_id, event=event.row.seq, void_id=mistake.void.id)
        try:
            voiding.publish(mistake, message)
        except Retryable as error:
            logs.get("web").warning("void_failed", cause=str(error))
            return self._page(visit, detail, event, "void.unsent", reason)
        return visit.go(f"/ops/returns/{detail.return_id}?voided={event.row.seq}")

    def _page(
        self, visit: Visit, detail: ReturnDetail, event: EventView, problem: str | None = None, reason: str = ""
    ) -> Response:
        status = {None: HTTPStatus.OK, "void.unsent": HTTPStatus.SERVICE_UNAVAILABLE}
        past = visit.parts.reading.past(visit.bounds, detail.return_id, _MOST_PAST)
        after = None if past is None else without(past, event.row.source, event.row.id)
        before = detail.state.timeline
        return visit.show(
            "ops/void.html",
            status.get(problem, HTTPStatus.UNPROCESSABLE_ENTITY),
            return_id=detail.return_id,
            event=event,
            types=TYPES,
            before=before,
            after=after,
            gone=[] if after is None else [each for each in Milestone if each in before.counts.keys() - after.counts],
            new=[] if after is None else [each for each in Milestone if each in after.counts.keys() - before.counts],
            problem=problem,
            reason=reason,
            longest=_LONGEST_REASON,
            asked=to_micros(_asked(visit)),
        )


def _asked(visit: Visit) -> datetime:
    """When the form was made, as it says itself: sent twice it is one void. Now, where it says nothing to be believed."""
    now = visit.parts.services.now()
    micros = number(visit.form.get("asked", ""), to_micros(now))
    asked = None if micros is None else from_micros(micros)
    return asked if asked is not None and now - asked < _FORM_LASTS else now


def _target(visit: Visit) -> tuple[ReturnDetail, EventView] | Response:
    """The event, or why it is not to be voided by this agent."""
    if not visit.may("hub"):
        return visit.trouble(HTTPStatus.FORBIDDEN, "no_scope")
    return_id, seq = visit.request.path_params["return_id"], number(visit.request.path_params["seq"], LARGEST_SEQ)
    detail = (
        visit.parts.reading.return_detail(visit.bounds, return_id, seq + 1, 1)
        if is_number(return_id) and seq is not None
        else None
    )
    if detail is None or not detail.rows or detail.rows[0].seq != seq:
        return visit.trouble(HTTPStatus.NOT_FOUND, "unknown_event")
    (event,) = view_of(visit, detail).events
    try:
        require_speaker(visit.bounds, event.row.type, event.row.data)
    except InvalidEvent:  # it is another hub's, or a carrier's, and the agent's token is bound
        return visit.trouble(HTTPStatus.FORBIDDEN, "not_own")
    if not event.can_be_voided:
        return visit.trouble(HTTPStatus.CONFLICT, "not_voidable")
    return detail, event
