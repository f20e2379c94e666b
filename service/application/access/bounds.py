"""What a token is bound to: whose returns it may see, and for whom it may speak.

A `Bounds` is an argument of everything that reads returns, so that a reader who forgets it does not pass the type checker;
what fulfils the port puts it into its question. What belongs to nobody in particular (dead letters, the figures of the
whole service, the audit log) takes an `Everything` in its place, which only bounds that bind nothing have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from service.domain.events import Attributes
from service.domain.milestones import Route


@dataclass(frozen=True, slots=True)
class Everything:
    """Shows that nothing bounds whoever asks: see `Bounds.everything`."""


EVERYTHING: Final = Everything()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The retailers, carriers and hubs that a token is bound to; none of a kind: it is not bound in that.

    What is seen lies within all kinds that are given. A hub handles the parcels of everybody: bound to hubs means every
    return of the route that leads through one, without personal data.

    >>> acme = Bounds(retailers=frozenset({"acme"}))
    >>> acme.cover(Attributes("bravo", Route.OMNIRPS, "nzpost", "T-1"))
    False
    """

    retailers: frozenset[str] = frozenset()
    carriers: frozenset[str] = frozenset()
    hubs: frozenset[str] = frozenset()

    @property
    def everything(self) -> Everything | None:
        """None where anything bounds."""
        return None if self.retailers or self.carriers or self.hubs else EVERYTHING

    @property
    def routes(self) -> frozenset[str]:
        """The routes of the returns that are seen; none: of any."""
        return frozenset({Route.OMNIRPS.value}) if self.hubs else frozenset()

    @property
    def is_impersonal(self) -> bool:
        """Whether personal data is left out of what is seen."""
        return bool(self.hubs)

    def cover(self, attributes: Attributes) -> bool:
        """Whether a return with these attributes is seen."""
        kinds = (
            (self.retailers, attributes.retailer),
            (self.carriers, attributes.carrier),
            (self.routes, attributes.route.value),
        )
        return all(not allowed or value in allowed for allowed, value in kinds)


UNBOUND: Final = Bounds()
