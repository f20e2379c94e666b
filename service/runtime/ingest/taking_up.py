"""Where a worker reads on in a partition: what is stored, held against the topic as it is now.

A stored offset is a place in one topic's log. It is worth nothing in another topic that has its name by now; behind the
first record that is left it names records that retention took; and a log that was cut (an unclean election, a disk that
lost its end) has other records, or none, where it points. To read a record again is always safe, to skip one never is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

from service.application.ports import Bounds, EpochEnd, Journal, Partition, Rebinding, Source, Stored

Reason = Literal["topic_made_anew", "truncated", "retention"]


class Taken(NamedTuple):
    """Where to read on. `reason` says why not where it was stored, `lost` how many records nobody can read any more."""

    at: Stored
    reason: Reason | None = None
    lost: int = 0


class Strayed(NamedTuple):
    """A stored offset that is out of range, as it is told."""

    partition: Partition
    stored: int
    bounds: Bounds
    taken: Taken


def judge(stored: Stored, topic_id: bytes | None, bounds: Bounds, epoch_end: EpochEnd | None) -> Taken:
    """Where to read on in a topic of this id, with these bounds.

    `epoch_end` is where the records of the stored epoch, and of those before it, ended; None where the epoch goes on or that
    is not known. In the latter case a log that was cut, and has grown again past the
    stored offset, looks like one that was not.
    """
    found = topic_id if topic_id is not None else stored.topic_id
    afresh = Stored(bounds.begin, found)
    if stored.topic_id not in {None, found}:
        return Taken(afresh, "topic_made_anew")
    if stored.next < bounds.begin:
        return Taken(afresh, "retention", bounds.begin - stored.next)
    if epoch_end is not None and epoch_end.end < stored.next:
        # With the epoch of what is left before the cut: the log may be cut again before anything is written behind it.
        left = Stored(epoch_end.end, found, epoch_end.epoch)
        cut = left if left.next > bounds.begin else afresh
        return Taken(cut, "truncated" if cut.next < stored.next else None)
    if epoch_end is None and stored.next > bounds.end:
        return Taken(afresh, "truncated")
    return Taken(stored._replace(topic_id=found))


def take_up(
    source: Source, journal: Journal, partitions: Collection[Partition], tell: Callable[[Strayed], object]
) -> dict[Partition, Stored]:
    """Where to read on in partitions that were gained; what is stored is bound to the topics as they are now.

    `tell` hears of each stored offset that is out of range, once it is mended. Raises ChangedTopics if the source reads
    topics that are gone, and what a transaction raises.
    """
    source.check_topics()
    bounds = source.bounds(partitions)
    starts = {partition: Stored(each.begin, source.topic_id(partition[0])) for partition, each in bounds.items()}
    stored = journal.stored_offsets(starts)
    same = {p: each.epoch for p, each in stored.items() if each.epoch >= 0 and each.topic_id == starts[p].topic_id}
    epoch_ends = source.epoch_ends(same)
    taken = {
        partition: judge(each, starts[partition].topic_id, bounds[partition], epoch_ends.get(partition))
        for partition, each in stored.items()
    }
    anew = {p: Rebinding(stored[p], each.at) for p, each in taken.items() if each.at != stored[p]}
    if anew:
        with journal.transaction() as tx:
            tx.rebind(anew)
    for partition, each in taken.items():
        if each.reason is not None:
            tell(Strayed(partition, stored[partition].next, bounds[partition], each))
    return {partition: each.at for partition, each in taken.items()}
