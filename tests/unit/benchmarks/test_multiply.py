"""The small world that a large journal is copied from is one that a service could have taken in."""

from __future__ import annotations

import pytest

from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from tests.benchmarks.filled import Contents, Unfilled, require
from tests.benchmarks.multiply import NOW, messages, record

# Of 100 and of 602 returns one is reported days after everything else; the others ended with the world.
SIZES = (1, 20, 60, 100, 602)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("returns", SIZES)
def test_each_message_is_sent_after_what_it_reports_and_before_now(returns: int) -> None:
    for at, message in messages(returns, seed=1):
        assert at <= NOW
        assert message.event is None or message.event.at / 1e6 <= at


@pytest.mark.parametrize("returns", SIZES)
def test_each_event_is_taken_in(returns: int) -> None:
    parser = Parser(CarrierTables.load())

    for offset, (at, message) in enumerate(messages(returns, seed=1)):
        if message.event is not None:
            parser.parse(record(offset, at, message))


def test_what_is_there_is_held_against_what_was_meant_to_be() -> None:
    meant = Contents.of(message for _, message in messages(30, seed=1))

    require(meant, meant)
    assert meant.returns == 30
    with pytest.raises(Unfilled, match=rf"^77 returns instead of 30, 17,979 letters instead of {meant.letters}$"):
        require(meant, Contents(77, meant.events, 17_979))
