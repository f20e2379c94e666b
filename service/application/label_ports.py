"""What use cases need of labels that several returns claim, as a protocol that a transaction of the journal fulfils too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.domain.events import KEY_DIGEST_BYTES, key_digest
from service.domain.labels import Claim, Label, Retailers, Window

if TYPE_CHECKING:
    from service.application.ports import Arrival
    from service.domain.journey import State


class Claimed(NamedTuple):
    """A return's claim on a label: since when, by a creation of which retailer, and when the return was closed.

    One that `is_void` is none any more, or not for now: each creation that names the label is void.
    """

    at: int
    retailer: str
    closed_at: int | None
    is_void: bool = False


class KeptClaim(NamedTuple):
    """A claim as it is kept; `told` is the window that its return's history says, None where it says nothing of one.

    `is_changed`: by a batch that no sweep has done with, be it this one's or a later one's. `is_new`: such a batch made it, and
    none changed it since.
    `is_void`: it is none.
    """

    claim: Claim
    return_id: str
    told: Window | None
    is_changed: bool
    is_new: bool
    is_void: bool = False


class HeldLabel(NamedTuple):
    """What is kept of a label and one return; `claimed` is None where `labels` alone names the return.

    `told` is as of `KeptClaim`. `is_contested`: another return's claim is kept too, and has been swept.
    """

    label: Label
    claimed: Claimed | None
    told: Window | None
    is_contested: bool


class ScanPlace(NamedTuple):
    """A scan in a return's history; `key` is what stands there of it: a digest of its name, and since 2026-11 its own."""

    return_no: int
    seq: int
    source: str
    id: str
    at: int
    key: bytes

    @property
    def identity(self) -> bytes:
        """What tells it from others; of one that was recorded before 2026-11 its name does."""
        return self.key[-KEY_DIGEST_BYTES:]

    @property
    def is_evaluated_again(self) -> bool:
        """Whether it stands here under another name than its own. As it was understood at first it stands there, too."""
        return self.key[:KEY_DIGEST_BYTES] != key_digest(self.source, self.id)


class KeepsClaims(Protocol):
    """What whoever takes events in keeps of claims. A part of a transaction; every method may raise what its others do."""

    def join_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        """Keep returns' claims of labels that others claim, or of returns that were closed; the earlier of two is kept."""

    def set_claims(self, claims: Mapping[tuple[Label, int], Claimed]) -> None:
        """Keep claims as they are now: of a return some of whose creations are void they may be later, or none."""


class MendsClaims(Protocol):
    """What whoever mends claims asks and writes. A part of a transaction; every method may raise what its others do."""

    def held_labels(self, return_no: int, labels: Collection[Label]) -> Sequence[HeldLabel]:
        """What is kept of these labels and of the return; of a label that is not its own in any way, nothing."""

    def mend_claims(self, return_no: int, claims: Mapping[Label, tuple[Claimed, Window | None]]) -> None:
        """Keep these claims of a return as they are, each with the window that its history says."""

    def touch_claims(self, return_no: int, labels: Collection[Label]) -> bool:
        """Let the sweep look at what is kept of a return's claims on these labels; whether anything is."""


class LabelQueries(Protocol):
    """What the sweep asks of claims. A part of a transaction; every method may raise what its others do."""

    def touched_labels(self, batches: Sequence[str]) -> Mapping[Label, bool]:
        """Labels with several claims of which these batches wrote one, or parked a scan; and those where scans wait that are
        bound to retailers, if these batches parked one or were the first to claim the label. With each, whether scans of it are
        bound: then there is something to ask for with `bounds`.
        """

    def claims(self, label: Label) -> Sequence[KeptClaim]:
        """The claims of a label, `MAX_CLAIMS` at most, sorted; of a label that one return claims there may be none.

        Void ones stand among them.
        """

    def stored_states(self, return_nos: Collection[int]) -> dict[int, State]:
        """The states of returns as they are stored now, whatever this worker remembers: for what is decided on them and
        appended nowhere, so that nobody would contradict it.
        """

    def bounds(self, label: Label) -> Mapping[Retailers, Mapping[int, Window | None]]:
        """To which retailers scans of the label are bound, parked or not: with the returns whose histories may have such
        scans, and what those say of their windows for them.
        """

    def tell(self, label: Label, windows: Mapping[int, Window], retailers: Retailers = ()) -> None:
        """Note what the histories of these returns say of their windows now; of those for scans that are bound so."""

    def waiting_scans(self, label: Label, limit: int, bounds: Collection[Retailers] = ((),)) -> Sequence[Arrival]:
        """So many scans of the label that are parked, of those that are bound in one of these ways."""

    def unpark(self, label: Label, arrivals: Sequence[Arrival]) -> None:
        """They are parked no longer."""

    def scan_places(
        self, return_no: int, label: Label, since: int, until: int, retailers: Retailers = ()
    ) -> Iterator[ScanPlace]:
        """The scans of the label in a return's history that are bound so, from a time until another one."""

    def scans_at(self, label: Label, places: Sequence[ScanPlace]) -> Sequence[Arrival]:
        """These scans, in the same order, as today's tables understand them."""
