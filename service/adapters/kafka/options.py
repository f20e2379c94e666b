"""How every Kafka client of the service connects: brokers and credentials, and what is left when it cannot."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector

from service.adapters.kafka.security import security_options
from service.adapters.kafka.silence import CONNECTING, bound
from service.adapters.kafka.trouble import CannotConnect, NotingManager
from service.config import Settings


def connection_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """Keyword arguments for kafka-python's consumer, producer and admin client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "client_id": client_id,
        "security_protocol": settings.kafka_security_protocol,
    }
    return options | security_options(settings)


class _Client(KafkaNetClient):  # type: ignore[misc] # kafka-python has no types
    """Waits for nothing for ever, and leaves no socket once it is closed.

    By itself kafka-python 3.0.12 leaves a connection open on which something waits to be sent: the loop that would send
    it and close the connection has ended by then.
    """

    def __init__(self, **options: Any) -> None:
        configs = options | CONNECTING
        net = NetworkSelector(**configs)
        super().__init__(net=net, manager=NotingManager(net, **configs), **configs)
        bound(self._net, self._manager)

    @property
    def trouble(self) -> str | None:
        """Why the last connection that failed did."""
        found: str | None = self._manager.trouble
        return found

    @property
    def net(self) -> Any:
        """Its loop, which knows when a broker was last heard."""
        return self._net

    def close(self, node_id: Any = None) -> None:
        connections = list(self._manager._conns.values()) if node_id is None else []  # noqa: SLF001 - of a version that is pinned
        sockets = [connection.transport._sock for connection in connections if connection.transport]  # noqa: SLF001
        try:
            super().close(node_id)
        finally:
            for each in sockets:
                if each is not None:
                    each.close()


def opened(kind: Callable[..., Any], **options: Any) -> Any:
    """A consumer, producer or admin client with these options; one that cannot begin leaves nothing behind, and says
    why: CannotConnect, where no broker lets it in.

    By itself kafka-python 3.0.12 leaves a thread and some sockets at each try: a worker that waits for a broker would
    have no file left to open within half an hour.
    """
    clients: list[Any] = []

    def client(**found: Any) -> Any:
        clients.append(_Client(**found))
        return clients[-1]

    try:
        return kind(**options, kafka_client=client)
    except KafkaError as error:
        failed = error.with_traceback(None)  # its frames refer to what is to go
        trouble = next((each.trouble for each in clients if each.trouble), None)
        if trouble is not None and isinstance(error, KafkaTimeoutError):
            failed = CannotConnect(trouble)
    for each in clients:
        each.close()
    clients.clear()
    gc.collect(0)  # refused sockets, which refer to each other; a worker collects seldom
    try:
        raise failed
    finally:
        del failed  # it refers to this frame


@contextmanager
def asking(settings: Settings, client_id: str, timeout_ms: int) -> Iterator[Any]:
    """An admin client that waits for no answer longer than that. Raises kafka-python's errors."""
    admin = opened(
        KafkaAdminClient,
        **connection_options(settings, client_id),
        bootstrap_timeout_ms=timeout_ms,
        request_timeout_ms=timeout_ms,
    )
    try:
        yield admin
    finally:
        admin.close()
