"""The audit log: who did what at the desk."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from service.application.access.bounds import Everything
from service.web.ops.desk import Desk, Visit, clean, number

_ROWS: Final = 50
_LONGEST_SUBJECT: Final = 128


class AuditPages:
    """The newest first, a page at a time."""

    def __init__(self, desk: Desk) -> None:
        desk.whole_page("/ops/audit", self.show, section="audit")

    def show(self, visit: Visit, everything: Everything) -> Response:
        """All entries, or those of one subject."""
        subject = clean(visit.request.query_params.get("subject", "")) or None
        before = number(visit.request.query_params.get("before"))
        if subject is not None and len(subject) > _LONGEST_SUBJECT:
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        entries = visit.parts.audit.entries(everything, subject, before, _ROWS + 1)
        more = entries[_ROWS - 1].audit_no if len(entries) > _ROWS else None
        return visit.show("ops/audit.html", entries=entries[:_ROWS], subject=subject, before=before, more=more)
