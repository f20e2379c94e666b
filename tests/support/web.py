"""An application on a real socket, and a client that talks to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from service.addresses import Network
from service.web.server.connections import ConnectionLimits
from service.web.server.serving import server_config
from tests.support.waiting import eventually


@contextmanager
def served(
    app: ASGIApp,
    token: str | None = None,
    limits: ConnectionLimits | None = None,
    proxies: Sequence[Network] = (),
) -> Iterator[httpx.Client]:
    """Serve the application in a thread, for the length of the block, as `serve` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(app, limits, proxies))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="uvicorn")
    thread.start()
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    try:
        eventually(lambda: server.started)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Nothing is encrypted here, and to load the authorities' certificates takes longer than most tests' requests.
        with httpx.Client(base_url=url, headers=headers, verify=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def behind_tls(client: httpx.Client) -> None:
    """Let the client send back what belongs to https: a proxy in front of the server would see to that."""

    def keep(_: httpx.Response) -> None:
        for cookie in client.cookies.jar:
            cookie.secure = False

    client.event_hooks["response"].append(keep)
