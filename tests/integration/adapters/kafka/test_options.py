from __future__ import annotations

import gc
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from service.adapters.kafka.options import opened
from tests.support.topics import Topics


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nothing listens, and nothing will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


# That they go is what is tested; that the client does not close them itself is what Python complains of.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", (KafkaConsumer, KafkaProducer, KafkaAdminClient))
def test_a_client_that_cannot_begin_leaves_neither_thread_nor_socket(kind: type, nobody: str, topics: Topics) -> None:
    # A worker that waited for a broker ran out of files within half an hour.
    del topics  # the test may open sockets

    def left() -> tuple[int, int]:
        with suppress(KafkaError):
            opened(kind, bootstrap_servers=nobody, bootstrap_timeout_ms=100)
            pytest.fail("nobody answers there")
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    gc.disable()
    logging.disable()  # pytest keeps what is logged, and with it what that refers to
    try:
        first, *others = [left() for _ in range(4)]
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)

    assert others == [first] * 3
