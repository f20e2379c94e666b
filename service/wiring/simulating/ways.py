"""Which way a world is played: through the public ways in where the service's own API answers, else on the topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple

from service.adapters.kafka.publishing.producing import Publishing
from service.application.access.bounds import Bounds
from service.config import Settings
from service.errors import Fatal, ServiceError
from service.runtime.lifecycle import Stop
from service.settings.environment import variable
from service.settings.topics import INPUTS
from service.simulator.options import Options, Topics
from service.simulator.play import play
from service.simulator.public.calls import CHECK
from service.simulator.public.client import Client
from service.simulator.public.native import CARRIERS, SHOWN, OpenFeed
from service.simulator.public.playing import play_publicly
from service.simulator.public.publishers import Publisher, everybody
from service.simulator.public.sending import Sending
from service.simulator.report import Tally
from service.wiring.feeds import definitions, opened
from service.wiring.parts import database
from service.wiring.simulating.minting import Minting

_ANSWER_SECONDS: Final = 9.0  # a request gets this long; the API itself gives Kafka a second less
_LOOK_SECONDS: Final = 2.0  # an address that nobody named gets this long to answer
_START_SECONDS: Final = 60.0  # an API that was named may be starting
_NAP_SECONDS: Final = 0.1
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens everywhere is asked here
# Shows the API a token of this database, before a publisher comes with its own; it may send nothing of anybody's.
_ASKING: Final = Publisher("simulator", "scan", Bounds(carriers=frozenset({"nobody"})))


class Way(NamedTuple):
    """`told` is which way it goes, and why; `play` plays a world that way until it ends or is asked to stop."""

    told: str
    play: Callable[[Options, Stop], Tally]


@contextmanager
def way_in(
    settings: Settings,
    stop: Stop,
    url: str | None = None,
    *,
    on_topics: bool = False,
    now: Callable[[], float] = time.time,
) -> Iterator[Way]:
    """The way that was asked for; unasked through the API if it answers, and knows a token of our database.

    `now` places the world in time. Raises Fatal where `url` is given, and no such API is there.
    """
    with Minting(database(settings)) as minting:
        found, why = (None, "so it was asked") if on_topics else _found(settings, minting, stop, url)
        if found is None:
            yield Way(f"playing on the input topics: {why}", partial(_play_on_topics, settings, now))
            return
        feeds = open_feeds(settings)
        with Client(found, _ANSWER_SECONDS) as client:

            def played(options: Options, stop: Stop) -> Tally:
                sending = Sending(client, minting.token, lambda: bool(stop))
                return play_publicly(sending, feeds, options, lambda: bool(stop), now)

            yield Way(f"playing through the API at {found}: {why}", played)


def _play_on_topics(settings: Settings, now: Callable[[], float], options: Options, stop: Stop) -> Tally:
    topics = Topics(*map(settings.sent_to, INPUTS))
    with Publishing(settings, "returns-simulator", lingering_ms=20) as publishing:
        return play(publishing.publish, options, topics=topics, should_stop=lambda: bool(stop), now=now)


def open_feeds(settings: Settings) -> Mapping[str, OpenFeed]:
    """By carrier the feed that takes its own words: signed where it is open here, else with a token. Raises SettingsError."""
    defined = definitions(settings)
    feeds = {name: OpenFeed(name) for name in CARRIERS if name in defined and defined[name].carrier == name}
    for name, enabled in opened(settings, defined).items():
        feed = enabled.source.feed
        if feed.carrier in CARRIERS and not feed.of_connotes and feed.signature.scheme in SHOWN:
            feeds[feed.carrier] = OpenFeed(name, feed.signature, enabled.secrets[0])
    return feeds


def _found(settings: Settings, minting: Minting, stop: Stop, url: str | None) -> tuple[str | None, str]:
    """Where the API is, None where it is not there; and why that is so."""
    if url is not None:
        minting.prepare((_ASKING, *everybody()))  # meanwhile it may start
        _await(url, stop)
        _require_ours(url, minting)
        return url, "so it was asked"
    addresses = _addresses(settings)
    if not addresses:
        return None, f"no address of the API is set ({variable('http_port')} is 0)"
    for address in addresses:
        if _is_there(address):
            try:
                _require_ours(address, minting)
            except ServiceError as error:
                return None, str(error)
            minting.prepare(everybody())
            return address, "it answers"
    return None, f"no API answers at {' or '.join(addresses)}"


def _addresses(settings: Settings) -> list[str]:
    """Where `serve` listens by the settings, and where people reach it."""
    host = _EVERYWHERE.get(settings.http_host, settings.http_host)
    local = f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}" if settings.http_port else None
    return [address for address in (local, settings.public_url) if address]


def _is_there(url: str) -> bool:
    with Client(url, _LOOK_SECONDS) as client:
        answer = client.get("/livez")
    return answer is not None and answer.status == HTTPStatus.OK


def _await(url: str, stop: Stop) -> None:
    until = time.monotonic() + _START_SECONDS
    while not stop and not _is_there(url):
        if time.monotonic() > until:
            raise Fatal(f"no API answers at {url}")
        stop.wait(_NAP_SECONDS)


def _require_ours(url: str, minting: Minting) -> None:
    """Raises ServiceError unless the API at `url` knows tokens of our database, and so is of this service."""
    token = minting.token(_ASKING)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
    # Valid or not: who has no token is told so first.
    with Client(url, _ANSWER_SECONDS) as client:
        answer = client.post(CHECK, headers, b"{}")
    if answer is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Fatal(f"what is at {url} does not answer as the API does")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise Fatal(f"the API at {url} does not know the tokens of this database")
    if answer.status not in (HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY):
        raise Fatal(f"what is at {url} answers HTTP {answer.status}: it is not this service's API")
