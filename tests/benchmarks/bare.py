"""`python -m tests.benchmarks.bare KIND PORT`: what `GET /v1/returns/{id}` is measured beside.

`select`: a bare FastAPI route with one `SELECT 1`, on the service's own pool and with uvicorn set as `serve` sets it.
`nothing`: no FastAPI, no database, the same bytes for everybody as fast as asyncio can: the load generator's ceiling.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvicorn
from fastapi import FastAPI

from service.adapters.postgres.reading.returns import open_pool
from service.config import Settings
from service.web.server.serving import server_config


def select(port: int) -> None:
    """The bare route at /."""
    settings = Settings.from_environment(os.environ)
    app = FastAPI()
    with open_pool(settings.database_url.get_secret_value(), settings.database_pool_size) as pool:

        @app.get("/")
        def one() -> dict[str, int]:
            with pool.connection() as connection:
                ((answer,),) = connection.execute("SELECT 1").fetchall()
            return {"one": answer}

        uvicorn.Server(server_config(app, port=port)).run()


class _Fixed(asyncio.Protocol):
    """Answers whatever comes."""

    ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n" + b'{"one":1}'

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        del data
        self._transport.write(self.ANSWER)


async def nothing(port: int) -> None:
    """The same bytes for everybody, for ever."""
    server = await asyncio.get_running_loop().create_server(_Fixed, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "nothing":
        asyncio.run(nothing(int(sys.argv[2])))
    select(int(sys.argv[2]))
