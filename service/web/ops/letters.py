"""Dead letters: what came that is no event, what is wrong with it, and another try."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from fastapi.responses import Response

from service.application.access.audit import Action, Key
from service.application.commands.resending import Correction, changes_of
from service.application.journal.replay import Fate, Replayed
from service.application.reading.filters import LetterFilter, ReturnFilter
from service.application.reading.letters import read_letter
from service.application.reading.listing import LETTERS
from service.application.reading.pages import Page, PageKey, list_letters
from service.topic_names import is_prefix
from service.web.html.desk_values import pretty, shown
from service.web.ops.desk import Desk, Visit, number
from service.web.ops.forms import Field, Form, options, values
from service.web.ops.lists import List, narrowed, register
from service.wire.inbound import Inbound, SubjectKind
from service.wire.rows.letters import KeptLetter

_MOST_SHOWN: Final = 16 * 1024  # bytes of a value; of a longer one the beginning
_HEX_ROW: Final = 16
_MOST_TYPED: Final = 8000  # characters of corrections


class Shown(NamedTuple):
    """Bytes for people: as text where they are one, else as hexadecimal numbers; `left_out` are not shown.

    `laid_out` is the same in lines, where it is JSON and whole.
    """

    text: str
    is_text: bool
    size: int
    left_out: int
    laid_out: str | None = None


class Whereabouts(NamedTuple):
    """Where to look for what the letter is about."""

    kind: str
    subject: str
    address: str


class LetterPages:
    """The list, one letter, and the button that tries it again."""

    def __init__(self, desk: Desk) -> None:
        register(desk, "/ops/dead-letters", "ops/letters.html", LETTERS.file_columns, self.letters, section="letters")
        desk.page("/ops/dead-letters/{letter}", self.show, section="letters")
        desk.act("/ops/dead-letters/{letter}/replay", self.replay, section="letters")

    def letters(self, visit: Visit) -> List:
        """The newest first."""
        form = Form(
            LetterFilter,
            (
                Field("reason", "letters.reason", values(LetterFilter, "reason", "letter_reason.")),
                Field("topic", "letters.topic", options(_topics(visit), None)),
                Field("open", "letters.state", {"yes": "letters.open", "no": "letters.resolved"}),
            ),
        )
        listing = visit.parts.services.listing

        everything = visit.bounds.everything
        fuses = [] if everything is None else visit.parts.queues.fuses(everything)
        shown_fuses = [(fuse, _until(visit, fuse.topic, fuse.last_published_at)) for fuse in fuses]

        def read(wanted: LetterFilter, after: PageKey | None, limit: int) -> Page:
            return list_letters(listing, visit.bounds, wanted, limit, after, value_bytes=0)

        return narrowed(visit, form, read, {"fuses": shown_fuses})

    def show(self, visit: Visit) -> Response:
        """One letter as it came."""
        letter = self._find(visit)
        if letter is None:
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        visit.note(Action.LETTER, str(letter.letter_no))
        return self._page(visit, letter, None)

    def replay(self, visit: Visit) -> Response:
        """Tries it again, and says what became of it."""
        letter = self._find(visit)
        if letter is None:
            return visit.trouble(HTTPStatus.NOT_FOUND, "nowhere")
        typed = visit.form.get("set", "")
        try:
            changes = changes_of(line for line in typed.splitlines() if line.strip())
        except ValueError as error:
            return self._page(visit, letter, None, typed=typed, wrong=str(error))
        if changes:
            visit.note(Action.REPLAY, str(letter.letter_no), changed=Correction(changes, "").noted()[Key.CHANGED])
        else:
            visit.note(Action.REPLAY, str(letter.letter_no))
        everything = visit.bounds.everything
        replayed = None if everything is None else visit.parts.services.replay(everything, letter.letter_no, changes)
        return self._page(visit, self._find(visit) or letter, replayed, typed=typed)

    def _find(self, visit: Visit) -> KeptLetter | None:
        letter_no = number(visit.request.path_params["letter"])
        everything = visit.bounds.everything
        if letter_no is None or everything is None:
            return None
        return visit.parts.services.listing.letter(everything, letter_no)

    def _page(
        self, visit: Visit, letter: KeptLetter, replayed: Replayed | None, *, typed: str = "", wrong: str | None = None
    ) -> Response:
        is_thin = letter.record().unread is not None
        event = read_letter(visit.parts.parser, letter)
        headers = [(shown(str(name)), _header(value)) for name, value in letter.headers]
        return visit.show(
            "ops/letter.html",
            HTTPStatus.OK if wrong is None else HTTPStatus.UNPROCESSABLE_ENTITY,
            letter=letter,
            is_thin=is_thin,
            until=_until(visit, letter.topic, letter.published_at) if is_thin else None,
            typed=typed,
            wrong=wrong,
            longest=_MOST_TYPED,
            replayed=replayed,
            is_good=replayed is not None and replayed.fate is not Fate.FAILED,
            key=None if letter.key is None else show_bytes(letter.key),
            value=None if letter.value is None else show_bytes(letter.value),
            headers=headers,
            is_event=event is not None,
            found=None if event is None else _whereabouts(visit, event),
        )


def _topics(visit: Visit) -> list[str]:
    """The input topics; where some are meant by a prefix, with those that were read."""
    names = {topic for topic in visit.parts.topics if not is_prefix(topic)}
    everything = visit.bounds.everything
    if len(names) < len(visit.parts.topics) and everything is not None:
        names.update(topic for topic, _ in visit.parts.queues.offsets(everything))
    return sorted(names, key=lambda topic: (topic not in visit.parts.topics, topic))


def _until(visit: Visit, topic: str, published_at: datetime) -> datetime | None:
    """About when Kafka deletes what came to it then, where that is known."""
    kept = visit.parts.kept(topic)
    try:
        return None if kept is None else published_at + kept
    except OverflowError:
        return None


def show_bytes(value: bytes) -> Shown:
    """Bytes as people read them; the beginning, where they are many."""
    left_out = max(0, len(value) - _MOST_SHOWN)
    piece = value[:_MOST_SHOWN]
    try:
        value.decode()
    except UnicodeDecodeError:
        rows = (piece[at : at + _HEX_ROW] for at in range(0, len(piece), _HEX_ROW))
        return Shown("\n".join(_hex_row(n * _HEX_ROW, row) for n, row in enumerate(rows)), False, len(value), left_out)
    text = piece.decode(errors="ignore")  # the last character may be cut
    return Shown(shown(text), True, len(value), left_out, None if left_out else _laid_out(text))


def _laid_out(text: str) -> str | None:
    try:
        document: Any = json.loads(text)
        return pretty(document) if isinstance(document, dict | list) else None
    except (ValueError, RecursionError):
        return None


def _hex_row(at: int, row: bytes) -> str:
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"{at:06x}  {row.hex(' '):<{_HEX_ROW * 3 - 1}}  {letters}"


def _header(encoded: str | None) -> Shown | None:
    return None if encoded is None else show_bytes(b64decode(encoded))


def _whereabouts(visit: Visit, event: Inbound) -> Whereabouts | None:
    """The return, as far as it is known; for a connote, its members."""
    if event.kind is SubjectKind.RETURN:
        return Whereabouts("return", event.subject, f"/ops/returns/{event.subject}")
    if event.kind is SubjectKind.CONNOTE:
        return Whereabouts("connote", event.subject, f"/ops/connotes/{event.subject}")
    carrier, _, tracking_number = event.subject.partition("/")
    wanted = ReturnFilter(carrier=carrier, tracking_number=(tracking_number,))
    for row in visit.parts.services.listing.returns(visit.bounds, wanted, {}, None, 1).rows:
        return Whereabouts("return", row.return_id, f"/ops/returns/{row.return_id}")
    return None
