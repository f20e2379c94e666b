"""What a play sent, and which share of it had which flaw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from service.simulator.facts import Oddity
from service.simulator.messages import Message, Nature
from service.wire.models import RETURN_CREATED

# What each flaw is a share of.
_EVENTS: Final = "events"
_SCANS: Final = "carrier scans"
_CREATIONS: Final = "creations"
_OF: Final = {
    "late": _EVENTS,
    "repeated": _EVENTS,
    "invalid": _EVENTS,
    "wrong_code": _SCANS,
    "in_bulk": _SCANS,
    **dict.fromkeys((oddity.value for oddity in Oddity), _EVENTS),
    Oddity.RECYCLED_NUMBER.value: _CREATIONS,
    "binary": _EVENTS,
}


@dataclass(slots=True)
class Tally:
    """What was sent. `skipped` are scans that never happened, `lost` parcels that were, of the returns that were made up by then.

    `by_way` has where it was sent: topics, or calls of the API. `refused` counts, by the reason that was given, what was not
    taken though it is right, and what was taken though it is not.
    """

    seconds: float = 0.0
    skipped: int = 0
    lost: int = 0
    by_nature: Counter[Nature] = field(default_factory=Counter)
    by_way: Counter[str] = field(default_factory=Counter)
    by_flaw: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    waits: int = 0  # how often a server asked to come back later, or did not answer
    scans: int = 0
    creations: int = 0

    @property
    def messages(self) -> int:
        """All that was sent."""
        return self.by_nature.total()

    def count(self, message: Message, way: str | None = None) -> None:
        """One more; without a way on its topic."""
        self.by_nature[message.nature] += 1
        self.by_way[way or message.topic] += 1
        self.by_flaw.update(message.flaws)
        if message.nature is Nature.EVENT:
            self.scans += message.is_carriers
            self.creations += message.fact.type is RETURN_CREATED

    def summary(self) -> str:
        """A few lines for people."""
        rate = self.messages / self.seconds if self.seconds else 0.0
        natures = self.by_nature
        kinds = (
            f"{natures[Nature.EVENT]:,} events, {natures[Nature.REPEAT]:,} repeats, {natures[Nature.INVALID]:,} invalid"
        )
        lines = [f"sent {self.messages:,} messages in {self.seconds:.1f} s ({rate:,.0f}/s): {kinds}"]
        lines += [f"  {way:<24}{sent:>12,}" for way, sent in sorted(self.by_way.items())]
        lines += [f"  waited for the server {self.waits:,} times"] if self.waits else []
        lines += [f"  refused: {number:,}, {why}" for why, number in self.refused.most_common()]
        return "\n".join(lines)

    def report(self) -> str:
        """Which share of what was sent had which flaw: a line each, counted as it was sent, not as it was asked for."""
        return "\n".join(self._shares())

    def _shares(self) -> Iterator[str]:
        totals = {_EVENTS: self.by_nature[Nature.EVENT], _SCANS: self.scans, _CREATIONS: self.creations}
        for flaw, of in _OF.items():
            yield _share(flaw, self.by_flaw[flaw], totals[of], of)
        yield f"  {'skipped':<24}{self.skipped:>12,}  scans that never happened"
        yield f"  {'lost':<24}{self.lost:>12,}  parcels that never arrived"


def _share(flaw: str, number: int, total: int, of: str) -> str:
    share = number / total if total else 0.0
    return f"  {flaw:<24}{number:>12,}  {share:.2%} of {total:,} {of}"
