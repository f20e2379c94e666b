"""What a message is refused for lets go of the message: nothing that refers to itself is left, which is kept until somebody
collects it. A worker collects seldom, and a hundred messages of some megabytes each are a gigabyte.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from service.errors import InvalidEvent
from service.wire import models
from service.wire.cloudevents import MAX_BYTES
from service.wire.http_events import read_events
from service.wire.judging.faults import Faults
from service.wire.reasons import Invalid
from service.wire.record import Record
from tests.unit.wire.events import envelope, record, with_data
from tests.unit.wire.test_every_fault import PARSER

SCANNED = models.CARRIER_SCANNED
REFUSED: dict[str, Record] = {
    "too large": record(b"x" * (MAX_BYTES + 1)),
    "no JSON": record(b"{"),
    "no event": record(b"{}"),
    "of another version": record(envelope(SCANNED, specversion="0.3"), topic="scans"),
    "of another topic": record(envelope(models.RETURN_CREATED), topic="scans"),
    "without its time": record({k: v for k, v in envelope(SCANNED).items() if k != "time"}, topic="scans"),
    "several faults": record(with_data(SCANNED, carrier="", code=7), topic="scans"),
    "a fact that nobody can read": record(json.dumps(with_data(SCANNED, code="\ud83d")).encode(), topic="scans"),
    "of nobody who may": record(envelope(SCANNED, source="/strangers"), topic="scans"),
}


@pytest.fixture
def left() -> Iterator[Callable[[Callable[[], object]], list[str]]]:
    """The errors that are left behind by what is called."""

    def found(call: Callable[[], object]) -> list[str]:
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        with suppress(InvalidEvent):
            call()
        gc.collect()
        return [repr(each) for each in gc.garbage if isinstance(each, InvalidEvent)]

    gc.disable()
    yield found
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("what", REFUSED)
def test_a_message_that_is_refused_is_let_go_of_at_once(
    left: Callable[[Callable[[], object]], list[str]], what: str
) -> None:
    refused = REFUSED[what]
    with pytest.raises(InvalidEvent):
        PARSER.parse(refused)

    assert left(lambda: PARSER.parse(refused)) == []


@pytest.mark.parametrize("body", (b"{", json.dumps(with_data(SCANNED, code="\ud83d")).encode(), b"[{},1]"))
def test_so_is_the_body_of_a_request(left: Callable[[Callable[[], object]], list[str]], body: bytes) -> None:
    kind = "application/cloudevents-batch+json" if body[:1] == b"[" else "application/cloudevents+json"

    assert left(lambda: read_events(kind, (), body)) == []


def test_so_is_what_several_judgements_found(left: Callable[[Callable[[], object]], list[str]]) -> None:
    def refuse() -> None:
        raise InvalidEvent(Invalid.NOT_JSON, "it is not")

    def judged() -> None:
        found = Faults()
        found.require(found.judge(refuse))

    assert left(judged) == []
