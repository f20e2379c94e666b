"""Requests that are sent until they are answered, and what is made of the answers: no server here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from service.errors import Fatal
from service.simulator.messages import Message, Nature
from service.simulator.options import Options
from service.simulator.public.calls import batch, posted, refusals, single
from service.simulator.public.client import Answer, Client
from service.simulator.public.native import OpenFeed
from service.simulator.public.playing import TAKEN, Outbox, play_publicly
from service.simulator.public.publishers import Publisher, everybody, publisher_of
from service.simulator.public.sending import PATIENCE_SECONDS, Sending
from service.simulator.report import Tally
from service.simulator.world import World
from service.wire.feeds.definition import load_feeds
from service.wire.feeds.signatures import Request

NOW = 1_795_000_000.0
MESSAGES = tuple(World(Options(returns=30, seed=3, rate=0, invalid=0.1), lambda: NOW).messages())
VALID = tuple(message for message in MESSAGES if message.nature is Nature.EVENT and not message.is_binary)


class Server(Client):
    """Gives the answers that it was told, and then takes everything."""

    def __init__(self, *answers: Answer | None) -> None:
        super().__init__("http://127.0.0.1:1", 1)
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    def post(self, path: str, headers: Any, body: bytes) -> Answer | None:
        self.asked.append((path, dict(headers), body))
        if self.answers:
            return self.answers.pop(0)
        try:
            events = json.loads(body)
        except ValueError:
            return answered(422)
        number = len(events) if isinstance(events, list) else 1
        return answered(200, [{"status": "accepted"}] * number)


def answered(status: int, items: Sequence[dict[str, Any]] | None = None, retry_after: float = 1.0) -> Answer:
    return Answer(status, b"" if items is None else json.dumps({"items": list(items)}).encode(), retry_after)


class Sky:
    """Time that passes only in naps."""

    def __init__(self) -> None:
        self.time, self.stops_at = 0.0, float("inf")

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def sending(self, server: Server) -> Sending:
        return Sending(
            server, lambda publisher: publisher.name, lambda: self.time >= self.stops_at, lambda: self.time, self.sleep
        )


def call_of(messages: Sequence[Message]) -> Any:
    return batch(publisher_of(messages[0].fact), messages)


@pytest.mark.parametrize("status", (429, 503))
def test_who_is_told_to_come_back_later_comes_back_then_with_the_same(status: int) -> None:
    server, sky = Server(answered(status, retry_after=7.0)), Sky()

    found = sky.sending(server).send(call_of(VALID[:3]))

    assert found == [None, None, None]
    assert sky.time == pytest.approx(7.0)
    assert len(server.asked) == 2
    assert server.asked[0] == server.asked[1]


def test_what_was_not_answered_is_sent_again_and_counted() -> None:
    server, sky = Server(None, answered(502)), Sky()
    sending = sky.sending(server)

    assert sending.send(call_of(VALID[:1])) == [None]
    assert sending.waits == 2


def test_a_server_that_stays_away_ends_it_and_one_that_only_asks_for_time_does_not() -> None:
    for_ever = int(PATIENCE_SECONDS) + 2
    sky = Sky()
    with pytest.raises(Fatal, match="no answer for 120 s"):
        sky.sending(Server(*[None] * for_ever)).send(call_of(VALID[:1]))
    with pytest.raises(Fatal, match="HTTP 503 for 120 s"):
        sky.sending(Server(*[answered(503)] * for_ever)).send(call_of(VALID[:1]))

    assert sky.sending(Server(*[answered(429)] * for_ever)).send(call_of(VALID[:1])) == [None]
    with pytest.raises(Fatal, match="come back in 86,400 s"):
        sky.sending(Server(answered(503, retry_after=86_400))).send(call_of(VALID[:1]))


def test_who_is_to_stop_waits_no_longer_and_says_that_it_is_not_known() -> None:
    server, sky = Server(answered(503, retry_after=60.0)), Sky()
    sky.stops_at = 5.0

    assert sky.sending(server).send(call_of(VALID[:1])) is None
    assert sky.time == pytest.approx(5.0, abs=0.2)


def test_what_is_refused_is_told_message_by_message() -> None:
    taken: dict[str, Any] = {"status": "accepted"}
    wrong: dict[str, Any] = {"status": "invalid", "reason": "not_allowed", "faults": [{"path": "type"}]}
    call = call_of(VALID[:2])

    assert refusals(call, 207, answered(207, [taken, wrong]).body) == [None, "not_allowed at type"]
    assert refusals(call, 422, answered(422, [wrong, wrong]).body) == ["not_allowed at type"] * 2
    assert refusals(call, 422, answered(422, [taken, wrong]).body) == ["invalid", "not_allowed at type"], (
        "nothing was taken"
    )
    assert refusals(call, 401, b"no JSON") == ["HTTP 401"] * 2
    assert refusals(call, 200, answered(200, [taken]).body) == ["HTTP 200"] * 2, "an answer of other things"
    assert refusals(call, 500, answered(500, [taken, taken]).body) == ["HTTP 500"] * 2
    feed: list[dict[str, Any]] = [
        {"state": "accepted"},
        {"state": "invalid", "fault": {"path": "p", "reason": "bad_time"}},
    ]
    assert refusals(call, 200, answered(200, feed).body) == [None, "bad_time at p"]


def test_everybody_sends_with_a_token_of_their_own_and_nothing_is_lost_on_the_way() -> None:
    server, tally = Server(), Tally()
    outbox = Outbox(Sky().sending(server), {}, tally, clock=lambda: 0.0)

    for message in MESSAGES:
        outbox.put(message)
    outbox.flush()
    outbox.close()

    assert tally.messages == len(MESSAGES)
    assert {headers["authorization"] for _, headers, _ in server.asked} >= {"Bearer omnireturns", "Bearer hub-akl"}
    bound = {publisher_of(message.fact) for message in MESSAGES}
    assert bound <= set(everybody())
    assert all(publisher.bounds.everything is None for publisher in bound)
    assert {publisher.scope for publisher in bound} == {"create", "scan", "hub"}
    wrong = sum(tally.refused.values())
    assert wrong == tally.refused[TAKEN] > 0, "this server takes JSON of any kind; that is told"


def test_what_was_not_answered_before_a_stop_is_not_counted_as_sent() -> None:
    sky, tally = Sky(), Tally()
    sky.stops_at = 0.0
    outbox = Outbox(sky.sending(Server(*[answered(503)] * 99)), {}, tally, clock=lambda: 0.0)

    for message in VALID[:10]:
        outbox.put(message)
    outbox.flush()
    outbox.close()

    assert tally.messages == 0


def test_a_carrier_posts_its_own_words_with_what_its_feed_asks_for() -> None:
    feed = load_feeds()["omniparcel"]
    scan = next(m for m in VALID if m.is_carriers and m.fact.data["carrier"] == "omniparcel")

    signed = posted("omniparcel", OpenFeed("omniparcel-nz", feed.signature, "user:pass"), [scan])
    with_token = posted("omniparcel", OpenFeed("omniparcel"), [scan])

    assert signed.path == "/v1/feeds/omniparcel-nz"
    assert signed.publisher is None
    assert feed.signature.is_of(("user:pass",), Request(dict(signed.headers), signed.body, None, NOW))
    assert with_token.publisher == Publisher("first-mile-omniparcel", "scan", publisher_of(scan.fact).bounds)
    (document,) = json.loads(signed.body)
    assert document["ConsignmentNo"] == scan.fact.data["tracking_number"]
    assert document["Events"][0]["OmniCode"] == scan.fact.data["code"]
    assert "pass" not in repr(OpenFeed("omniparcel", feed.signature, "user:pass"))


def test_binary_mode_over_http_has_its_attributes_in_headers() -> None:
    message = next(m for m in MESSAGES if m.is_binary)
    assert message.event is not None

    call = single(message)

    assert call.headers["ce-id"] == message.event.id
    assert call.headers["ce-source"] == message.event.source
    assert call.headers["content-type"] == "application/json"
    assert call.body == message.value


def test_a_play_is_told_in_full() -> None:
    tally = play_publicly(
        Sky().sending(Server(answered(429))), {}, Options(returns=5, seed=3, rate=0, invalid=0), lambda: False
    )

    assert tally.messages > 30
    assert tally.waits == 1
    assert "waited for the server 1 times" in tally.summary()
    assert not tally.refused
