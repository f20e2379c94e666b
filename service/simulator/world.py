"""All messages of a world, in the order its publishers send them: a pure function of options, topics and a moment."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from random import Random
from typing import Final

from service.domain.events import Sense
from service.domain.milestones import Reason
from service.simulator import cast
from service.simulator.facts import DAY, HOUR, Fact
from service.simulator.messages import Message, Nature, encode, spoil
from service.simulator.options import Options, Topics
from service.simulator.silences import Silences
from service.simulator.story import Label, Storyteller
from service.wire import models

# An endless world is a chain of worlds of this size; the next begins while the stories of the last run out. Few
# returns a day make days pass quickly at the rate of a demonstration.
ENDLESS_BATCH: Final = 2_000
_ENDLESS_SPAN: Final = 40 * DAY
_RETURNS_A_DAY: Final = 200
_SHORTEST_SPAN: Final = 2 * DAY
# What is under way is in memory: the more returns, the longer the time they spread over.
_LONGEST_SPAN: Final = 365 * DAY
# Since the last return was created: enough for many stories to come to their end, and too little for all.
_SETTLING: Final = 10 * DAY
# A number that is given again: so long after it was given before, and no earlier than a creation may be.
REUSED_AFTER: Final = 90 * DAY
_OLDEST: Final = 390 * DAY


def beginning(returns: int, now: float) -> int:
    """When a world of so many returns, which ends now, begins, in seconds since 1970: moment 0 of its messages."""
    return int(now) - span(returns) - _SETTLING


def span(returns: int) -> int:
    """Over how many seconds so many returns are created."""
    return min(max(returns * DAY // _RETURNS_A_DAY, _SHORTEST_SPAN), _LONGEST_SPAN)


class World:
    """Carriers, hubs and retailers, seeded.

    `now` answers in seconds since 1970. It is asked once, for an endless world once a batch: what happens after that
    has not happened yet. Nothing is kept but what is under way, unless the stream is shuffled.
    """

    def __init__(self, options: Options, now: Callable[[], float], topics: Topics | None = None) -> None:
        self._options = options
        self._now = now
        self._topics = topics or Topics()
        # Stories have a generator of their own, so that the same returns happen whatever goes wrong on the way.
        self._stories = Random(f"stories {options.seed}")
        self._mishaps = Random(f"mishaps {options.seed}")
        self._shuffler = Random(f"shuffle {options.seed}")
        block = base64.b32encode(Random(f"block {options.seed}").randbytes(5)).decode()[:4]
        self._storyteller = Storyteller(self._stories, block)
        self._silences = Silences(options.seed, options.in_bulk)
        self.skipped = 0  # scans that never happened, of the returns that were made up so far

    @property
    def lost(self) -> int:
        """How many parcels were lost, of the returns that were made up so far."""
        return self._storyteller.lost

    def messages(self) -> Iterator[Message]:
        """Every message once, in the order of sending. To be iterated once."""
        if not self._options.shuffle:
            yield from self._in_order()
            return
        everything = list(self._in_order())
        self._shuffler.shuffle(everything)
        yield from everything

    def _in_order(self) -> Iterator[Message]:
        waiting: list[tuple[float, int, Message]] = []
        tie = count()
        for created, messages in self._returns():
            while waiting and waiting[0][0] < created:
                yield heapq.heappop(waiting)[2]
            for message in messages:
                heapq.heappush(waiting, (message.moment, next(tie), message))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _returns(self) -> Iterator[tuple[float, list[Message]]]:
        """Each return's creation in virtual time, and its messages."""
        size = self._options.returns or ENDLESS_BATCH
        length = span(size) if self._options.returns else _ENDLESS_SPAN
        for batch in count():
            # Virtual time runs on from batch to batch; in real time each batch ends now.
            ends = int(self._now())
            begins = ends - length - _SETTLING
            shift = batch * length - begins
            labels = dict[int, Label]()
            if not batch:
                before = self._long_before(size, begins, ends, length)
                for number, created, facts, label in before:
                    labels[number] = label
                    yield created + shift, self._send(facts, shift)
            for number in range(size):
                # Some are created close together, the average is even.
                created = begins + int((number + self._stories.random()) * length / size)
                told = self._storyteller.tell(batch * size + number, created, batch, labels.get(number))
                facts = [fact for fact in told if fact.event.at <= ends * 1_000_000]
                earliest = begins + number * length // size
                yield earliest + shift, self._send(facts, shift)
                if number % 1_000 == 0:
                    self._storyteller.forget(earliest)
            if self._options.returns:
                return

    def _long_before(
        self, size: int, begins: int, ends: int, length: int
    ) -> Iterator[tuple[int, int, list[Fact], Label]]:
        """Returns of months ago whose tracking numbers come again: number of the later one, creation, facts, label.

        What is told before an endless world, or before one of a year, is told once.
        """
        if not self._options.recycled:
            return
        chance = Random(f"recycled {self._options.seed}").random
        for number in range(size):
            created = begins + number * length // size - REUSED_AFTER
            if chance() < self._options.recycled and created > ends - _OLDEST:
                facts, label = self._storyteller.tell_of_before(number, created)
                yield number, created, facts, label

    def _send(self, facts: list[Fact], shift: int) -> list[Message]:
        """What becomes of the facts on their way to Kafka."""
        options, chance, sent = self._options, self._mishaps.random, list[Message]()
        for told in facts:
            fact, flaws = told, [] if told.oddity is None else [told.oddity.value]
            if fact.is_scan and chance() < options.skipped:
                self.skipped += 1
                continue
            if fact.type is models.CARRIER_SCANNED and chance() < options.wrong_code:
                fact = self._miscode(fact)
                flaws.append("wrong_code")
            moment: float = fact.event.at // 1_000_000 + shift
            if fact.type is models.CARRIER_SCANNED:
                at_once, moment = moment, self._silences.sent(fact.data["carrier"], moment)
                if moment != at_once:
                    flaws.append("in_bulk")
            if chance() < options.late:
                moment += HOUR + chance() * 6 * DAY
                flaws.append("late")
            if chance() < options.invalid:
                sent.append(spoil(fact, self._topics, moment, self._mishaps))
                moment += 30
            binary = chance() < options.binary
            if binary:
                flaws.append("binary")
            message = encode(fact, self._topics, moment, binary=binary, flaws=tuple(flaws))
            sent.append(message)
            if chance() < options.repeated:
                again = moment + 1 + chance() ** 4 * 2 * DAY
                sent.append(message._replace(moment=again, nature=Nature.REPEAT, flaws=("repeated",)))
        return sent

    def _miscode(self, fact: Fact) -> Fact:
        strange = cast.CARRIERS[fact.data["carrier"]].strange
        code = strange[int(self._mishaps.random() * len(strange))]
        event = replace(
            fact.event, sense=Sense.UNMAPPED, milestone=None, unmapped_because=Reason.UNKNOWN_CODE, effect=None
        )
        return fact._replace(data={**fact.data, "code": code}, event=event)
