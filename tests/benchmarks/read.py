"""`GET /v1/returns/{return_id}` of the real `serve`, beside a bare FastAPI route with one `SELECT 1`.

Both with the same pool, the same settings of uvicorn and the same load, in turn, on the same database.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import psycopg

from deploy.local.process import free_port
from service.adapters.postgres.access.tokens import NewToken, make_token
from service.adapters.postgres.database import connect
from tests.benchmarks.bed import Bed
from tests.benchmarks.filled import Unfilled
from tests.benchmarks.measure import cpu_seconds
from tests.support.filling import Filler, world
from tests.support.service import ROOT
from tests.support.waiting import eventually

CONNECTIONS = 16
_RETURNS = 2_000
_KNOWN = 0.98  # of the returns of a simulated world: of some, OmniReturns never hears


class Run(NamedTuple):
    """One server under load for some seconds."""

    per_second: float
    seconds: list[float]  # of each answer
    cpu: dict[str, float]  # of one core, by who took it: client, server, postgres


def run(bed: Bed, seconds: float, repeats: int) -> dict[str, list[Run]]:
    """The ceiling of the client, the bare route and ours, `repeats` times in turn."""
    results: dict[str, list[Run]] = {"nothing": [], "SELECT 1": [], "return": []}
    with bed.database() as database, tempfile.TemporaryDirectory() as folder:
        token = _filled(database, Path(folder))
        for repeat in range(repeats):
            for name, command, paths in (
                ("nothing", ("tests.benchmarks.bare", "nothing"), "bare"),
                ("SELECT 1", ("tests.benchmarks.bare", "select"), "bare"),
                ("return", ("service", "serve"), "returns"),
            ):
                with _server(database, *command) as (port, process):
                    _load(bed, port, process, Path(folder, paths), token, min(2.0, seconds))  # warms it up
                    results[name].append(_load(bed, port, process, Path(folder, paths), token, seconds))
            print(f"run {repeat + 1} of {repeats} done", flush=True)
    return results


def _filled(database: str, folder: Path) -> str:
    """Put returns into the database and their paths into a file; a token to read them."""
    filler = Filler(database)
    filler.fill(world(_RETURNS, seed=5), 2000)
    filler.close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        rows = connection.execute("SELECT return_id FROM returns ORDER BY md5(return_id)").fetchall()
    if len(rows) < _RETURNS * _KNOWN:
        raise Unfilled(f"{len(rows):,} returns instead of about {_RETURNS:,}")
    Path(folder, "returns").write_text("\n".join(f"/v1/returns/{return_id}" for (return_id,) in rows))
    Path(folder, "bare").write_text("/")
    with connect(database, "bench") as connection:
        return make_token(connection, NewToken(["read"], rate=10_000_000))


@contextmanager
def _server(database: str, *command: str) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    variables = {"RETURNS_DATABASE_URL": database, "RETURNS_HTTP_PORT": str(port)}
    # `serve` is told its port by its settings, the bare ones by an argument.
    arguments = command if command[0] == "service" else (*command, str(port))
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env={**os.environ, **variables}, stdout=log, stderr=log
        )
        try:
            eventually(lambda: _answers(port), timeout=30)
            yield port, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code < 500
    except httpx.HTTPError:
        return False


def _load(bed: Bed, port: int, process: psutil.Process, paths: Path, token: str, seconds: float) -> Run:
    watched = {"server": process, "postgres": bed.servers["postgres"]}
    before = {name: cpu_seconds(each) for name, each in watched.items()}
    client = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load", str(port), paths, str(seconds), str(CONNECTIONS)],
        cwd=ROOT,
        env={**os.environ, "BENCH_TOKEN": token},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result = json.loads(client.stdout)
    cpu = {name: (cpu_seconds(each) - before[name]) / seconds for name, each in watched.items()}
    return Run(result["per_second"], result["seconds"], {"client": result["cpu"], **cpu})
