"""An application on a real socket, and a client that talks to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI

from tests.support.waiting import eventually


@contextmanager
def served(app: FastAPI, token: str | None = None) -> Iterator[httpx.Client]:
    """Serve the application in a thread, for the length of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none"))
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
