"""Leader epochs: by them Kafka tells a log that goes on from one that was cut and has grown again past the place.

Each batch of records bears the epoch of the leader that wrote it. After an unclean election or a crash that lost the end
of a log, the new leader writes in a new epoch, and knows where the old one's records end by now (KIP-101, KIP-320).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError, for_code
from kafka.protocol.consumer import OffsetForLeaderEpochRequest

from service.application.ports import EpochEnd, Partition
from service.errors import BrokenSource

UNKNOWN: Final = -1
_Partition = OffsetForLeaderEpochRequest.OffsetForLeaderTopic.OffsetForLeaderPartition


class Epochs:
    """Of the records that were fetched: from which offset on each partition's were written in which epoch."""

    def __init__(self) -> None:
        self._runs: dict[Partition, list[tuple[int, int]]] = {}

    def note(self, partition: Partition, offset: int, epoch: int) -> None:
        """A batch that begins here was written in this epoch."""
        runs = self._runs.setdefault(partition, [])
        if not runs or runs[-1][1] != epoch:
            runs.append((offset, epoch))

    def begin(self, partition: Partition, offset: int, epoch: int) -> None:
        """It is read from this offset on; the record before it was written in this epoch."""
        self._runs[partition] = [] if epoch == UNKNOWN else [(offset - 1, epoch)]

    def before(self, partition: Partition, offset: int) -> int:
        """The epoch of the record before this offset; those further behind are not asked for any more."""
        runs = self._runs.get(partition)
        if not runs:
            return UNKNOWN
        while len(runs) > 1 and runs[1][0] < offset:
            del runs[0]
        first, epoch = runs[0]
        return epoch if first < offset else UNKNOWN

    def forget(self, partition: Partition) -> None:
        """The partition is another worker's."""
        self._runs.pop(partition, None)


def ask_ends(consumer: Any, epochs: Mapping[Partition, int], timeout_ms: int) -> dict[Partition, EpochEnd]:
    """Where the records of these epochs, and of those before, ended in each partition.

    Left out are partitions of which the brokers do not tell (they are too old, or do not allow it), and those whose
    leader still writes in that epoch: where it will end nobody knows. Raises BrokenSource where a leader is away.
    """
    manager = consumer._client._manager  # noqa: SLF001 - of a version that is pinned; there is no public way
    by_node: dict[int, dict[Partition, int]] = defaultdict(dict)
    for partition, epoch in epochs.items():
        node = manager.cluster.leader_for_partition(TopicPartition(*partition))
        if manager.cluster.leader_epoch_for_partition(TopicPartition(*partition)) in {None, UNKNOWN, epoch}:
            continue
        if node is None or node < 0:
            raise BrokenSource(f"Kafka: {partition[0]} {partition[1]} has no leader")
        by_node[node][partition] = epoch
    ends: dict[Partition, EpochEnd] = {}
    for node, asked in by_node.items():
        try:
            answer = manager._net.run(_ask, manager, node, asked, timeout_ms)  # noqa: SLF001
        except KafkaError as error:
            if getattr(error, "retriable", False):
                raise BrokenSource(f"Kafka: {type(error).__name__}") from error
            continue  # of a broker from before Kafka 2.3, which tells other brokers only
        ends |= _ends(answer)
    return ends


async def _ask(manager: Any, node: int, epochs: Mapping[Partition, int], timeout_ms: int) -> Any:
    topics: dict[str, list[Any]] = defaultdict(list)
    for (topic, number), epoch in epochs.items():
        topics[topic].append(_Partition(partition=number, current_leader_epoch=UNKNOWN, leader_epoch=epoch))
    request = OffsetForLeaderEpochRequest(replica_id=-1, topics=list(topics.items()))
    return await manager.wait_for(manager.send(request, node_id=node), timeout_ms)


def _ends(answer: Any) -> dict[Partition, EpochEnd]:
    ends: dict[Partition, EpochEnd] = {}
    for topic in answer.topics:
        for each in topic.partitions:
            error = for_code(each.error_code)
            if not each.error_code:
                ends[topic.topic, each.partition] = EpochEnd(each.leader_epoch, each.end_offset)
            elif getattr(error, "retriable", False):
                raise BrokenSource(f"Kafka: {error.__name__}")
    return ends
