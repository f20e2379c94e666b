"""What the domain knows of an event: enough to decide, nothing of how it travelled."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from service.domain.labels import Label, Retailers, Window
from service.domain.milestones import Milestone, Reason, Route
from service.domain.values import value

KEY_DIGEST_BYTES: Final = 8
WHITE_SPACE: Final = " \t\n\v\f\r\u00a0\u202f\ufeff"  # means nothing around a carrier's code


@unique
class Sense(StrEnum):
    """What an event says, once its type and, for a scan, its carrier's code are understood."""

    ASSERTS = "asserts"  # a milestone
    INFORMS = "informs"  # a known carrier code without a milestone
    UNMAPPED = "unmapped"  # a carrier code, or a carrier, that no table knows
    VOIDS = "voids"  # another event was a mistake
    CLOSES = "closes"  # nothing further is expected of the return
    REOPENS = "reopens"  # something is again
    RECONCILES = "reconciles"  # what subscribers were told is not what the journal says


@unique
class Effect(StrEnum):
    """What a scan did to the parcel's direction, where that matters."""

    COLLECTED = "collected"  # from whoever sends it
    RETURNING = "returning"  # on its way back to the sender


class Words(NamedTuple):
    """What an event says, but for its time: its type, and its data as JSON with sorted members.

    `is_timed` is off where the data says when it happened, and not the envelope.
    """

    type: str = ""
    data: bytes = b""
    is_timed: bool = True


class Attributes(NamedTuple):
    """What a return's creation says of it."""

    retailer: str
    route: Route
    carrier: str
    tracking_number: str
    order_number: str | None = None

    @property
    def label(self) -> Label:
        """The label that the creation names."""
        return self.carrier, self.tracking_number


@value(frozen=True, slots=True)
class Published:
    """What subscribers hold of a return: the newest version they were told, and what it says.

    `counts` has, for each milestone that counts there, when (microseconds since 1970-01-01 UTC), by which source, where.
    """

    version: int
    counts: Mapping[Milestone, tuple[int, str, Mapping[str, str] | None]]
    attributes: Attributes | None
    connote: str | None
    closed: tuple[int, str] | None = None  # when, and why
    labels: tuple[Label, ...] = ()  # beside that of the attributes


NO_WORDS: Final = Words()

_new_digest: Final = blake2b(digest_size=KEY_DIGEST_BYTES).copy  # a third faster than to make one


@value(frozen=True, slots=True)
class Event:
    """One distinct event that concerns a return.

    (`source`, `id`) is its name, which other events may have too that say something else in other `words`. `at` is when it happened, in microseconds since 1970-01-01 UTC. `milestone` is set where `sense` is ASSERTS;
    `attributes` with RC, `connote` with RE and RDBTC, `voids` (the source and id of the mistaken event) with VOIDS.
    `location` is opaque to the domain, `effect` is a scan's. `unmapped_because` tells an unknown code from an unknown carrier. `published` is
    set with RECONCILES, `because` with CLOSES. `label` is the one that a scan came by; with `window` the event says what other
    returns' claims make of that label's window. `is_ahead` says that it lay in the future when it came, by more than clocks
    differ. `retailers` are those for whose claims a scan counts, sorted, where its publisher is bound to some; none: for all.
    With `bound` the window is that for scans which are bound so (see `bound_of`). `unheard` is the name that a void gave, and that no event had an hour after it: the service's own row says so. `over` and
    `found` are reasons that rows of earlier rules gave and that are none, and those that no row told: what was found when the
    return was decided anew.
    """

    source: str
    id: str
    at: int
    sense: Sense
    milestone: Milestone | None = None
    location: Mapping[str, str] | None = None
    attributes: Attributes | None = None
    connote: str | None = None
    voids: tuple[str, str] | None = None
    unmapped_because: Reason | None = None
    published: Published | None = None
    effect: Effect | None = None
    label: Label | None = None
    window: Window | None = None
    because: str | None = None
    words: Words = NO_WORDS
    is_ahead: bool = False
    unheard: tuple[str, str] | None = None
    over: tuple[Reason, ...] = ()
    found: tuple[Reason, ...] = ()
    retailers: Retailers = ()
    bound: str = ""

    @property
    def key(self) -> bytes:
        """The event's name among the events of its return, as a digest."""
        return key_digest(self.source, self.id)

    @property
    def identity(self) -> bytes:
        """The event itself among those of its return, as a digest of its name and of all that it says."""
        return self.digests[1]

    @property
    def digests(self) -> tuple[bytes, bytes]:
        """`key` and `identity`, which begin alike. Who says the same words for certain retailers says something else."""
        type_, data, is_timed = self.words
        digest = _new_digest()
        digest.update(f"{self.source}\0{self.id}".encode())
        key = digest.digest()
        digest.update(f"\0{type_}\0{self.at if is_timed else ''}\0".encode())
        digest.update(data)
        if self.retailers:
            digest.update(f"\0{','.join(self.retailers)}".encode())
        return key, digest.digest()

    @property
    def order(self) -> tuple[int, str, str]:
        """The earliest event of a milestone is the one that is smallest in this order, among events of different names."""
        return (self.at, self.source, self.id)

    @property
    def place(self) -> tuple[int, str, str, int, Words]:
        """The same order among all events: of those of one name and time the one that says most of its place is first."""
        return (self.at, self.source, self.id, -len(self.location or ()), self.words)


def is_facility(location: Mapping[str, Any]) -> bool:
    """Whether a place may be named to people whom it does not concern: it has a code. Without one it may be an address.

    >>> is_facility({"name": "Jane Doe Cottage", "country": "NZ"}), is_facility({"name": "Auckland", "code": "AKL"})
    (False, True)
    """
    code = location.get("code")
    return isinstance(code, str) and bool(code.strip())


def told_place(location: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """What subscribers are told of a place, for ever: its name only where it is a facility.

    >>> told_place({"name": "Jane Doe Cottage", "country": "NZ"})
    {'country': 'NZ'}
    """
    if not location or "name" not in location or is_facility(location):
        return location
    return {member: said for member, said in location.items() if member != "name"} or None


def key_digest(source: str, event_id: str) -> bytes:
    """Eight bytes that name (source, id) among the events of one return."""
    # NUL cannot occur in either, so the pair is unambiguous.
    return blake2b(f"{source}\0{event_id}".encode(), digest_size=KEY_DIGEST_BYTES).digest()


def has_digest(digests: bytes, digest: bytes) -> bool:
    """Whether it is one of these, which stand end to end."""
    at = digests.find(digest)
    while at % KEY_DIGEST_BYTES and at != -1:  # a match across two digests is none
        at = digests.find(digest, at + 1)
    return at != -1
