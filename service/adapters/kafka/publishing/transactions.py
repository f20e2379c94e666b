"""kafka-python's transactional producer, with waits that end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

WAIT_SECONDS: Final = 0.5  # between two looks at whether to go on waiting


class _Headers(tuple[tuple[str, bytes | None], ...]):
    """Headers that may lack a value. kafka-python writes those, but fails to count their bytes; it does not count
    where there seem to be none.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class TransactionalProducer(KafkaProducer):  # type: ignore[misc] # kafka-python is untyped
    """The transactional producer with waits that end, and a `send` that takes all that Kafka takes.

    It uses private parts of kafka-python, which is pinned exactly. The public ones will not do:

    * Their waits have no time-out; a relay must keep its lead meanwhile, and stop when it is told to.
    * `commit_transaction` reports success if a message that failed late made it take a new epoch under the open
      transaction, which aborts it. Hence every message must be acknowledged before the commit is asked for.
    * `send` refuses a message with neither key nor value, and a header without a value. Both may be dead letters.
    """

    @property
    def net(self) -> Any:
        """Its loop, which knows when a broker was last heard."""
        return self._sender._client.net  # noqa: SLF001 - see the class

    def initialized(self) -> Any:
        """Ask to fence every earlier producer of the transactional id."""
        return self._woken(self._transaction_manager.initialize_transactions())

    def offsets_sent(self, offsets: dict[TopicPartition, OffsetAndMetadata], group_id: str) -> Any:
        """Ask to commit these offsets with the transaction."""
        return self._woken(self._transaction_manager.send_offsets_to_transaction(offsets, group_id))

    def committed(self) -> Any:
        """Ask to commit the transaction."""
        return self._woken(self._transaction_manager.begin_commit())

    def aborted(self) -> Any:
        """Ask to abort the transaction."""
        return self._woken(self._transaction_manager.begin_abort())

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The ids of those of the topics that it knows to be there."""
        return {topic: str(found) for topic in topics if (found := self._metadata.topic_id(topic)) is not None}

    def include(self, partition: TopicPartition) -> None:
        """Make a partition part of the transaction, before the first message to it."""
        self._transaction_manager.maybe_add_partition_to_transaction(partition)

    def included(self, partitions: Iterable[TopicPartition]) -> Any:
        """Ask to make the partitions part of the transaction, for one that has nothing to send to them."""
        manager = self._transaction_manager
        with manager._lock:  # noqa: SLF001 - see the class
            for partition in partitions:
                manager.maybe_add_partition_to_transaction(partition)
            handler = manager._add_partitions_to_transaction_handler()  # noqa: SLF001
            manager._enqueue_request(handler)  # noqa: SLF001
        return self._woken(handler.result)

    def append(
        self,
        partition: TopicPartition,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> Any:
        """Hand over a message; the future of its acknowledgement."""
        future, full, new, _ = self._accumulator.append(partition, None, key, value, _Headers(headers))
        if full or new:
            self._sender.wakeup()
        return future

    def flushed(self, futures: Sequence[Any], waiting: Callable[[], None]) -> None:
        """Wait until all are acknowledged; raises the first failure."""
        self._accumulator.begin_flush()
        self._sender.wakeup()
        for future in futures:
            while not future.is_done:
                if not future._produce_future.wait(WAIT_SECONDS):  # noqa: SLF001 - see the class
                    waiting()
            if future.failed():
                raise future.exception
        self._accumulator.await_flush_completion(timeout=WAIT_SECONDS)

    def kill(self) -> None:
        """Stop at once: a half of it that lived on could take the epoch from its successor."""
        self._sender.force_close()
        self._sender.join(5)
        with suppress(KafkaError):
            self.close(timeout=0)

    def _woken(self, result: Any) -> Any:
        self._sender.wakeup()
        return result
