"""A consumer that is in no group, and reads where it is told."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer

from service.adapters.kafka.options import connection_options, opened
from service.config import Settings


def opened_reader(settings: Settings, client_id: str, records: Any, **options: Any) -> Any:
    """`records` is what makes records of a fetch of a partition, in place of kafka-python's own."""
    consumer = opened(
        KafkaConsumer,
        **connection_options(settings, client_id),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        **options,
    )
    consumer._fetcher.PartitionRecords = records  # noqa: SLF001 - there is no public way
    return consumer
