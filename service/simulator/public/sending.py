"""Sends a request until it is answered: who is told to come back later does so, as late as it was told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from service.errors import Fatal
from service.simulator.public.calls import Call, refusals
from service.simulator.public.client import Answer, Client
from service.simulator.public.publishers import Publisher

PATIENCE_SECONDS: Final = 120.0  # with a server that does not answer, or cannot
_LONGEST_WAIT: Final = 600.0  # that a server may ask for
_NAP_SECONDS: Final = 0.1
_AWAY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


class Sending:
    """Safe from any thread. `token` is a publisher's, which may be another one the next time.

    `waits` counts how often a server asked to be left alone for a while, or did not answer.
    """

    def __init__(
        self,
        client: Client,
        token: Callable[[Publisher], str],
        should_stop: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._token, self._should_stop = client, token, should_stop
        self._clock, self._sleep = clock, sleep
        self.waits, self._counting = 0, threading.Lock()

    def send(self, call: Call) -> list[str | None] | None:
        """Of each message why it was refused, None where it was taken; None where it was to stop before it was known.

        What was not answered is sent again, which repeats nothing. Raises Fatal where that does not help for too long.
        """
        since = self._clock()
        while True:
            headers = dict(call.headers)
            if call.publisher is not None:
                headers["authorization"] = f"Bearer {self._token(call.publisher)}"
            answer = self._client.post(call.path, headers, call.body)
            if answer is not None and answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                since = self._clock()  # it is there, and only asks for time
            elif answer is not None and answer.status not in _AWAY:
                return refusals(call, answer.status, answer.body)
            elif self._clock() - since > PATIENCE_SECONDS:
                raise Fatal(f"{self._client.url}{call.way}: {_what(answer)} for {PATIENCE_SECONDS:.0f} s")
            with self._counting:
                self.waits += 1
            if not self._rests(call, 1.0 if answer is None else answer.retry_after):
                return None

    def _rests(self, call: Call, seconds: float) -> bool:
        """Wait so long; whether to go on then."""
        if seconds > _LONGEST_WAIT:
            raise Fatal(f"{self._client.url}{call.way} asks to come back in {seconds:,.0f} s")
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if self._should_stop():
                return False
            self._sleep(min(left, _NAP_SECONDS))
        return not self._should_stop()


def _what(answer: Answer | None) -> str:
    return "no answer" if answer is None else f"HTTP {answer.status}"
