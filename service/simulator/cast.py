"""Who plays: retailers, hubs, first-mile carriers, and the words they use. Data only, all of it invented."""

from __future__ import annotations

from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from service.domain.events import Effect, Sense
from service.domain.milestones import Milestone

Location = dict[str, str]
Meaning = tuple[Sense, Milestone | None, Effect | None]


class Country(NamedTuple):
    """Where consumers send from: its clocks where no place says otherwise, its hub, the depots that a parcel passes and who
    carries it.
    """

    code: str
    zone: ZoneInfo
    hub: str
    depots: tuple[Location, ...]
    carriers: tuple[str, ...]


class Retailer(NamedTuple):
    """Who gets the returns back, and what it sells: SKUs of this prefix. `zone` is that of its warehouse."""

    name: str
    country: str
    sku: str
    warehouse: Location
    zone: ZoneInfo


class Carrier(NamedTuple):
    """A carrier's codes, from label to door. Its feed has no offset where `local_times` says so."""

    name: str
    source: str
    announced: tuple[str, ...]
    collected: tuple[str, ...]
    moving: tuple[str, ...]
    elsewhere: tuple[str, ...]  # known codes that assert nothing: not at the destination, or not the whole parcel
    delivered: tuple[str, ...]
    returning: tuple[str, ...]  # on its way back to the sender
    strange: tuple[str, ...]  # in no table
    local_times: frozenset[str]

    def means(self, code: str) -> Meaning:
        """What one of its codes says."""
        if code in self.collected:
            return Sense.ASSERTS, Milestone.RT, Effect.COLLECTED
        if code in self.moving:
            return Sense.ASSERTS, Milestone.RT, None
        if code in self.delivered:
            return Sense.ASSERTS, Milestone.RDTPF, None
        return Sense.INFORMS, None, Effect.RETURNING if code in self.returning else None


class Shift(NamedTuple):
    """When a hub works, by its own clock: from one hour to another, and on which days (Monday is 0)."""

    begins: int
    ends: int
    days: frozenset[int]


def _depots(country: str, *towns: tuple[str, str]) -> tuple[Location, ...]:
    return tuple({"name": f"{name} depot", "code": code, "country": country} for code, name in towns)


# The clocks of places, by their codes, where they are not their country's.
ZONES: Final = {
    "PER": ZoneInfo("Australia/Perth"),
    "BNE": ZoneInfo("Australia/Brisbane"),
    "DFW": ZoneInfo("America/Chicago"),
    "ORD": ZoneInfo("America/Chicago"),
    "EWR": ZoneInfo("America/New_York"),
}

COUNTRIES: Final = {
    "NZ": Country(
        "NZ",
        ZoneInfo("Pacific/Auckland"),
        "akl",
        _depots("NZ", ("AKL", "Auckland"), ("HLZ", "Hamilton"), ("WLG", "Wellington"), ("CHC", "Christchurch")),
        ("omniparcel", "omniparcel", "generic"),
    ),
    "AU": Country(
        "AU",
        ZoneInfo("Australia/Sydney"),
        "syd",
        _depots("AU", ("SYD", "Sydney"), ("MEL", "Melbourne"), ("BNE", "Brisbane"), ("PER", "Perth")),
        ("omniparcel", "generic"),
    ),
    "GB": Country(
        "GB",
        ZoneInfo("Europe/London"),
        "lhr",
        _depots("GB", ("LHR", "London"), ("MAN", "Manchester"), ("BHX", "Birmingham"), ("GLA", "Glasgow")),
        ("generic", "omniparcel"),
    ),
    "US": Country(
        "US",
        ZoneInfo("America/Los_Angeles"),
        "lax",
        _depots("US", ("LAX", "Los Angeles"), ("DFW", "Dallas"), ("ORD", "Chicago"), ("EWR", "Newark")),
        ("generic",),
    ),
}

HUBS: Final[dict[str, Location]] = {
    "akl": {"name": "Auckland returns hub", "code": "AKL1", "country": "NZ"},
    "syd": {"name": "Sydney returns hub", "code": "SYD1", "country": "AU"},
    "lhr": {"name": "London returns hub", "code": "LHR2", "country": "GB"},
    "lax": {"name": "Los Angeles returns hub", "code": "LAX3", "country": "US"},
}

_WEEK: Final = frozenset(range(7))
_WITHOUT_SUNDAY: Final = _WEEK - {6}
SHIFTS: Final = {
    "akl": Shift(6, 22, _WITHOUT_SUNDAY),
    "syd": Shift(5, 23, _WITHOUT_SUNDAY),
    "lhr": Shift(4, 24, _WEEK),
    "lax": Shift(6, 22, _WEEK),
}
# What leaves a hub by air: a flight a day to each country. What stays in the hub's own goes by road.
AIRLINES: Final = {"akl": ("NZ", "086"), "syd": ("QF", "081"), "lhr": ("BA", "125"), "lax": ("UA", "016")}

RETAILERS: Final = tuple(
    Retailer(name, country, sku, {"name": f"{town} returns dock", "country": country}, ZoneInfo(zone))
    for name, country, sku, town, zone in (
        ("harbour-and-pine", "NZ", "HP", "Tauranga", "Pacific/Auckland"),
        ("southern-thread", "AU", "ST", "Geelong", "Australia/Melbourne"),
        ("northlight", "GB", "NL", "Leeds", "Europe/London"),
        ("mason-vale", "GB", "MV", "Bristol", "Europe/London"),
        ("copper-canyon", "US", "CC", "Reno", "America/Los_Angeles"),
        ("atelier-lune", "US", "AL", "Columbus", "America/New_York"),
        ("tidewear", "AU", "TW", "Newcastle", "Australia/Sydney"),
        ("little-fern", "NZ", "LF", "Dunedin", "Pacific/Auckland"),
    )
)

CARRIERS: Final = {
    "omniparcel": Carrier(
        "omniparcel",
        "urn:carrier:omniparcel",
        announced=("OP-1", "OP-8", "OP-9", "OP-12"),
        collected=("OP-33", "OP-33", "OP-89", "OP-14", "OP-10"),
        moving=("OP-18", "OP-79", "OP-47", "OP-50", "OP-51", "OP-22"),
        elsewhere=("OP-54", "OP-56", "OP-71", "OP-76"),
        delivered=("OP-72", "OP-72", "OP-72", "OP-74"),
        returning=("OP-66", "OP-62", "OP-61", "OP-85"),
        strange=("OP-199", "OP-7X", "op-33", "0072"),
        # Its table takes local times for New Zealand's.
        local_times=frozenset({"NZ"}),
    ),
    "generic": Carrier(
        "generic",
        "urn:carrier:generic",
        announced=(),
        collected=("COLLECTED",),
        moving=("IN_TRANSIT",),
        elsewhere=(),
        delivered=("DELIVERED",),
        returning=("RETURNING",),
        strange=("OUT_FOR_DELIVERY", "collected", "PICKUP_FAILED", "?"),
        local_times=frozenset(),
    ),
}

RETURN_REASONS: Final = ("too small", "too large", "changed my mind", "arrived late", "faulty", "not as described")
GOODS: Final = ("linen shirt", "rain jacket", "trail shoes", "wool jumper", "canvas bag", "swim shorts", "denim skirt")
CONDITIONS: Final = ("as new", "as new", "as new", "opened", "damaged packaging", "worn")
REJECT_REASONS: Final = ("wrong_item", "item_missing", "worn_or_used", "prohibited_goods", "empty_parcel")
SIGNATURES: Final = ("DOCK 1", "DOCK 4", "M OKAFOR", "J TAMA", "RECEPTION")
FINAL_MILE: Final = ("mainfreight", "dhl-express", "aramex")
