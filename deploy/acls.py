"""The least that each process may do in Kafka, as a script of `kafka-acls.sh`.

python -m deploy.acls                        a command a line, for the topics and groups of the settings RETURNS_*
python -m deploy.acls --principal User:CN=   the principals are User:CN=ingest and so on (by default User:returns-ingest)

Nothing is sent: read it, then run it with your own --command-config.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from service import config
from service.settings.topics import INPUTS
from service.topic_names import is_prefix

Process = Literal["setup", "ingest", "relay", "web", "replay", "verify", "reconcile", "simulate"]
Operation = Literal["Read", "Write", "Create", "Describe", "Alter", "DescribeConfigs", "AlterConfigs"]
Kind = Literal["topic", "group", "transactional-id"]

PRINCIPAL: Final = "User:returns-"
WHY: Final[dict[Process, str]] = {
    "setup": "`topics` and `topics --check`: makes topics, adds partitions, sets what has to be so",
    "ingest": "reads the inputs, and tells its group how far it is",
    "relay": "writes the outputs in transactions; its position is its group's offset on the status changes",
    "web": "`serve`: sends events; asks where the inputs end, and for how long they are kept",
    "replay": "fetches the bodies of thin letters from the inputs",
    "verify": "`verify --topics`: reads the outputs and the relay's position",
    "reconcile": "reads the outputs, asks where the inputs end, and takes the relay's place",
    "simulate": "plays publishers",
}


class Acl(NamedTuple):
    """What a process may do to one thing. That it may describe what it may read, write or alter goes without saying."""

    process: Process
    operations: tuple[Operation, ...]
    kind: Kind
    name: str
    is_prefix: bool = False

    def command(self, principal: str) -> str:
        """As `kafka-acls.sh` takes it."""
        operations = [word for operation in self.operations for word in ("--operation", operation)]
        pattern = ["--resource-pattern-type", "prefixed"] if self.is_prefix else []
        words = ["--add", "--allow-principal", principal + self.process, *operations, f"--{self.kind}", self.name]
        return shlex.join(["kafka-acls.sh", *words, *pattern])


def acls(settings: config.Settings) -> list[Acl]:
    """All of them, by process."""
    inputs, outputs = settings.inputs, settings.output_topics
    sent_to = [settings.sent_to(setting) for setting in INPUTS]
    position = settings.relay_group_id
    writer: list[tuple[Kind, str, tuple[Operation, ...]]] = [
        ("group", position, ("Read",)),
        ("transactional-id", settings.relay_transactional_id, ("Write",)),
    ]
    return [
        *_on("setup", (*settings.input_topics, *outputs), "Create", "Alter", "AlterConfigs"),
        *_on("setup", filter(is_prefix, inputs), "Describe", "DescribeConfigs"),
        *_on("ingest", inputs, "Read"),
        Acl("ingest", ("Read",), "group", settings.group_id),
        *_on("relay", outputs, "Read", "Write"),  # it looks for transactions that hang in them
        *(Acl("relay", operations, kind, name) for kind, name, operations in writer),
        *_on("web", sent_to, "Write", "DescribeConfigs"),
        *_on("web", (entry for entry in inputs if entry not in sent_to), "Describe", "DescribeConfigs"),
        *_on("replay", inputs, "Read"),
        *_on("verify", outputs, "Read"),
        Acl("verify", ("Describe",), "group", position),
        *_on("reconcile", outputs, "Read", "Write"),
        *(Acl("reconcile", operations, kind, name) for kind, name, operations in writer),
        *_on("reconcile", inputs, "Describe"),
        *_on("simulate", sent_to, "Write"),
    ]


def _on(process: Process, topics: Iterable[str], *operations: Operation) -> Iterator[Acl]:
    for topic in topics:
        yield Acl(process, operations, "topic", topic.removesuffix("*"), is_prefix(topic))


def script(settings: config.Settings, principal: str = PRINCIPAL) -> str:
    """The commands, with a line of why before those of each process."""
    lines, last = list[str](), None
    for acl in acls(settings):
        if acl.process != last:
            lines.append(f"# {acl.process}: {WHY[acl.process]}")
            last = acl.process
        lines.append(acl.command(principal))
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Print the script."""
    parser = argparse.ArgumentParser(prog="python -m deploy.acls", description=__doc__)
    parser.add_argument("--principal", default=PRINCIPAL, help="what the names of the processes' principals begin with")
    sys.stdout.write(script(config.load(), parser.parse_args(arguments).principal))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
