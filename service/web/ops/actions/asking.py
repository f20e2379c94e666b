"""The page that asks what somebody says of an exception: what it is, who has seen it before, and a field for the note."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from typing import Final, NamedTuple

from fastapi.responses import Response

from service.application.commands.acknowledging import LONGEST_NOTE, NOTE_PATTERN, Acknowledgement
from service.web.ops.desk import Visit, clean

_is_note: Final = re.compile(NOTE_PATTERN).search


class Asked(NamedTuple):
    """An exception as the page shows it.

    `action` is where its form goes, `about` what it is of, with a page of its own at `address`; `reason` is the last part of
    the keys of its words, `intro` the key of what acknowledging does. `seen` says what was looked at.
    """

    action: str
    about: str
    address: str
    reason: str
    intro: str
    events: int
    since: datetime | None
    acknowledged: Acknowledgement | None
    seen: int


def ask(visit: Visit, asked: Asked, way_back: str, back: str = "", note: str | None = None) -> Response:
    """The page; `note` is one that was sent and says nothing."""
    return visit.show(
        "ops/acknowledge.html",
        HTTPStatus.OK if note is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        asked=asked,
        back=back,
        way_back=way_back,
        problem=None if note is None else "seen.no_note",
        note=note or "",
        longest=LONGEST_NOTE,
    )


def note_of(visit: Visit) -> tuple[str, bool]:
    """What the form says, and whether it says anything."""
    note = clean(visit.form.get("note", ""))
    return note, 0 < len(note) <= LONGEST_NOTE and _is_note(note) is not None
