"""One Kafka broker that is its own controller, kept in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from deploy.local import packages
from deploy.local.process import Identity, StackError, free_port, is_free, kill, spawn, stop, tail, wait_until
from deploy.local.state import State

START_SECONDS = 120
STOP_SECONDS = 20
# Two cores and a few gigabytes are shared with PostgreSQL and the service itself.
HEAP = "1g"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
# The service makes its topics itself; one made by a typo would hide the typo.
auto.create.topics.enable=false
# One broker holds every replica.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
# A group forms as soon as its first member asks; a dead member is noticed within seconds.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# After a crash the broker may register again once its former session is over (9000 if not set).
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
# Data stays for as long as the folder does.
log.retention.hours=-1
offsets.retention.minutes=525600
# The disk space of a deleted topic comes back at once.
log.segment.delete.delay.ms=1000
"""


class KafkaServer:
    """A broker on the loopback interface. Its data, its port and its log stay in `home` between starts.

    `settings` are properties of the broker that replace or join the ones above. Every method may be called again,
    and by another process than the one that started the broker; calls on one home must not overlap (LocalStack
    holds a lock). With `cluster_id` it may be one of several brokers; their settings say of each other.
    """

    def __init__(
        self,
        home: Path,
        *,
        heap: str = HEAP,
        settings: Mapping[str, str] | None = None,
        cluster_id: str | None = None,
        is_short_lived: bool = False,
    ) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self._heap = heap
        # A start takes half the processor time; what runs for longer than some minutes is slower.
        self._compiles = ["-XX:TieredStopAtLevel=1"] if is_short_lived else []
        self._settings = dict(settings or {})
        self._cluster_id = cluster_id
        self._properties = self.home / "server.properties"
        self._state = State(self.home / "state.json")
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for RETURNS_KAFKA_BOOTSTRAP_SERVERS; known once the broker was started the first time."""
        return f"127.0.0.1:{self._state.read().get('port')}"

    @property
    def identity(self) -> Identity | None:
        """The broker's process as last started, whether or not it still lives."""
        return self._state.identity()

    def is_running(self) -> bool:
        """Whether the broker lives and answers a client."""
        identity = self.identity
        return identity is not None and identity.process() is not None and answers(int(self._state.read()["port"]))

    def start(self) -> bool:
        """Start the broker unless it runs, and wait until it answers; False when it ran already. Raises StackError."""
        if self.is_running():
            return False
        java, jars = packages.java(), packages.kafka()
        identity = self.identity
        if identity is not None and identity.process() is not None:
            # It lives but does not answer: a command that was cut short has just started it, or it hangs, or it dies.
            wait_until(lambda: identity.process() is None or self.is_running(), START_SECONDS)
            if self.is_running():
                return False
            kill(identity)
        self._reap()
        self.home.mkdir(parents=True, exist_ok=True)
        self._choose_ports()
        self._format(java, jars)
        self._launch(java, jars)
        return True

    def stop(self) -> None:
        """Shut the broker down in good order; the hard way when that takes too long."""
        identity = self.identity
        if identity is not None:
            stop(identity, signal.SIGTERM, seconds=STOP_SECONDS)
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        identity = self.identity
        if identity is not None:
            kill(identity)
        self._reap()

    def restart(self) -> None:
        """Stop and start on the same port with the same data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop the broker and delete its data."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        process = self.identity and self.identity.process()
        if not process:
            raise StackError("the Kafka broker does not run")
        process.send_signal(what)

    def _choose_ports(self) -> None:
        state = self._state.read()
        for name in ("port", "controller_port"):
            # The old port is kept, so that clients find the broker again.
            if name not in state or not wait_until(lambda port=state[name]: is_free(port), 2):  # type: ignore[misc]
                state[name] = free_port()
        self._state.write(state)
        self._properties.write_text(self._text(self.data))

    def _text(self, data: Path) -> str:
        state = self._state.read()
        text = PROPERTIES.format(port=state["port"], controller_port=state["controller_port"], data=data)
        # Of a name that is given twice the later value holds.
        return text + "".join(f"{name}={value}\n" for name, value in self._settings.items())

    def _format(self, java: Path, jars: Path) -> None:
        if (self.data / "meta.properties").exists():
            return
        # Beside its place first: a command that is killed here leaves nothing half made, and perhaps a tool at work.
        for leftover in self.home.glob("draft-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        draft = self.home / f"draft-{os.getpid()}"
        draft.mkdir()
        properties = draft / "server.properties"
        properties.write_text(self._text(draft / "data"))
        cluster = self._cluster_id or urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # An id may not begin with a dash: the tool would take it for an option.
        arguments = ["format", "--config", str(properties), "--cluster-id", cluster.replace("-", "x")]
        quick = ["-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        command: list[str | Path] = [
            java,
            *quick,
            "-cp",
            f"{jars}/*",
            *self._logging(),
            "kafka.tools.StorageTool",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"Kafka's data folder {self.data} could not be made: {(done.stdout + done.stderr)[-500:]}")
        shutil.rmtree(self.data, ignore_errors=True)
        (draft / "data").rename(self.data)
        shutil.rmtree(draft)

    def _launch(self, java: Path, jars: Path) -> None:
        command: list[str | Path] = [
            java,
            f"-Xmx{self._heap}",
            "-Xms256m",
            *self._compiles,
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            *self._logging(),
            "-cp",
            f"{jars}/*",
            "kafka.Kafka",
            self._properties,
        ]
        identity, self._child = spawn(command, log=self.log, cwd=self.home)
        self._state.update(pid=identity.pid, born=identity.born)
        port = int(self._state.read()["port"])
        started = wait_until(lambda: identity.process() is None or answers(port), START_SECONDS)
        if not started or identity.process() is None:
            kill(identity)
            self._reap()
            raise StackError(f"Kafka did not start, see {self.log}:\n{tail(self.log)}")

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=10)
            self._child = None

    @staticmethod
    def _logging() -> list[str]:
        prefix = "-Dorg.slf4j.simpleLogger"
        return [
            f"{prefix}.defaultLogLevel=warn",
            f"{prefix}.log.kafka.server.KafkaRaftServer=info",
            f"{prefix}.showDateTime=true",
            f"{prefix}.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        ]


def answers(port: int, *, seconds: float = 1.0) -> bool:
    """Whether a broker answers there: it is asked for its metadata, and must name itself and its controller."""
    client = b"local-stack"
    # Metadata, version 1, no topics.
    request = struct.pack(">hhih", 3, 1, 1, len(client)) + client + struct.pack(">i", 0)
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", _read(connection, 4, deadline))[0]
            answer = _read(connection, size, deadline)
    except OSError:
        return False
    brokers = struct.unpack(">i", answer[4:8])[0]
    return bool(brokers > 0)


def _read(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data
