"""What a simulation is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

SHARES: Final = ("late", "in_bulk", "repeated", "skipped", "wrong_code", "recycled", "invalid", "binary")
FASTEST: Final = 1_000.0  # times real time


class Topics(NamedTuple):
    """The input topics, by who writes them."""

    returns: str = "omnireturns.returns"
    scans: str = "first-mile.scans"
    hub_events: str = "omnirps.hub-events"
    deliveries: str = "final-mile.deliveries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A world and how it plays; the same options and the same moment give the same messages, byte for byte.

    Shares are between 0 and 1 and independent of each other. Raises ValueError that names the option.
    """

    returns: int = 1_000  # 0: endless
    seed: int = 1
    rate: float = 200.0  # messages a second; 0: as fast as it goes
    speed: float = 0.0  # how many times as fast as real time the world's clock runs; 0: as the rate allows
    late: float = 0.02  # share of messages that arrive days after their time, behind others
    in_bulk: float = 0.03  # share of the time in which a carrier's feed says nothing, and then everything at once
    repeated: float = 0.03  # share of messages that are sent twice, with the same source and id
    skipped: float = 0.02  # share of scans by carriers and hubs that never happen
    wrong_code: float = 0.01  # share of carrier scans with a code that the carrier's table does not know
    recycled: float = 0.02  # share of returns whose tracking number another return had months before
    invalid: float = 0.005  # share of messages whose publisher first sends something broken
    binary: float = 0.3  # share of messages in binary mode, with ce_ headers
    shuffle: bool = False  # the whole stream in random order; it is held in memory for that

    def __post_init__(self) -> None:
        if self.returns < 0 or self.rate < 0:
            raise ValueError("returns and rate cannot be negative")
        if not 0 <= self.speed <= FASTEST:
            raise ValueError(f"speed is between 0 and {FASTEST:,.0f} times real time")
        if self.shuffle and not self.returns:
            raise ValueError("an endless world cannot be shuffled: give a number of returns")
        if self.shuffle and self.speed:
            raise ValueError("a world that is shuffled has no clock: leave speed out")
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1")
