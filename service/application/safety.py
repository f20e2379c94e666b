"""Which settings of Kafka and PostgreSQL endanger what the service promises, and what mends each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

# "internal" are Kafka's own, where the relay's position and its transactions are kept.
Role = Literal["input", "status_changes", "current_status", "exceptions", "dead_letters", "internal"]

DAY_MS: Final = 86_400_000
# Status changes, and exceptions: who folds either from its beginning holds what is so.
TOLD_KEPT_MS: Final = 400 * DAY_MS
LETTERS_KEPT_MS: Final = 90 * DAY_MS
# A dead letter is the largest message that an input topic takes (1 MiB), with more headers.
LETTER_BYTES: Final = 2 * 1024 * 1024
_COPIES: Final = 3  # with so many brokers or more
# What is asked of each topic.
TOPIC_SETTINGS: Final = (
    "cleanup.policy", "max.message.bytes", "message.timestamp.type", "min.insync.replicas", "retention.ms",
    "unclean.leader.election.enable",
)  # fmt: skip
POSTGRES_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")


class Finding(NamedTuple):
    """A setting that is not as it should be; one that `is_note` is worth knowing and endangers nothing by itself."""

    subject: str  # a topic, "cluster" or "server"
    setting: str
    value: str
    needs: str
    remedy: str
    is_note: bool = False


class Checked(NamedTuple):
    """What was found, and in sentences what could not be looked at."""

    findings: Sequence[Finding]
    unchecked: Sequence[str] = ()

    @property
    def wrong(self) -> list[Finding]:
        """Those that endanger what is promised."""
        return [finding for finding in self.findings if not finding.is_note]


class TopicFacts(NamedTuple):
    """A topic as it is. No copies: there is no such topic. Settings that the brokers do not show are left out."""

    name: str
    role: Role
    copies: int | None
    settings: Mapping[str, str]


def check_topics(topics: Iterable[TopicFacts], brokers: int) -> Checked:
    """What of these topics, on so many brokers, endangers what is promised."""
    findings, unchecked = list[Finding](), list[str]()
    if brokers == 1:
        needs = "a second broker to go on with what the first one loses; three bear the loss of one"
        findings.append(Finding("cluster", "brokers", "1", needs, "add brokers", is_note=True))
    for topic in topics:
        if topic.copies is None:
            findings.append(Finding(topic.name, "topic", "missing", "the topic", "python -m service topics"))
            continue
        if hidden := [name for name in TOPIC_SETTINGS if name not in topic.settings]:
            unchecked.append(
                f"{topic.name}: the brokers do not show {', '.join(hidden)} (DescribeConfigs is not allowed?)"
            )
        findings += _copies(topic, topic.copies, brokers)
        findings += _settings(topic)
    return Checked(findings, unchecked)


def check_postgres(settings: Mapping[str, str]) -> Checked:
    """What of the server's settings endangers what is promised."""
    needs = {
        "fsync": "on: a crash of the machine would leave a damaged database",
        "full_page_writes": "on, unless the file system never writes half a page: a crash would leave damaged pages",
        "synchronous_commit": "on, local or remote_*: a crash would forget batches that subscribers have heard of",
    }
    findings = [
        Finding("server", name, settings[name], needs[name], f"ALTER SYSTEM SET {name} = 'on'; SELECT pg_reload_conf()")
        for name in POSTGRES_SETTINGS
        if settings.get(name) == "off"
    ]
    return Checked(findings, [f"{name} is not shown" for name in POSTGRES_SETTINGS if name not in settings])


def describe(finding: Finding) -> str:
    """A finding in a line."""
    head = f"{'note' if finding.is_note else 'WRONG'}: {finding.subject}: {finding.setting} is {finding.value}"
    return f"{head}; needs {finding.needs}. To mend it: {finding.remedy}"


def _copies(topic: TopicFacts, copies: int, brokers: int) -> Iterator[Finding]:
    wanted = min(_COPIES, brokers)
    if copies < wanted:
        remedy = "kafka-reassign-partitions.sh; RETURNS_TOPIC_REPLICATION_FACTOR is for topics that are made"
        yield Finding(topic.name, "replication factor", str(copies), f"{wanted} or more: a broker may be lost", remedy)
    in_sync = topic.settings.get("min.insync.replicas")
    if copies >= _COPIES and in_sync is not None and int(in_sync) < 2:
        needs = "2 or more: what one broker alone has acknowledged goes with it"
        yield Finding(topic.name, "min.insync.replicas", in_sync, needs, _alter(topic, "min.insync.replicas=2"))


def _settings(topic: TopicFacts) -> Iterator[Finding]:
    if topic.settings.get("unclean.leader.election.enable") == "true":
        needs = "false: a broker that lags would become leader, and what it lacks be lost"
        setting = "unclean.leader.election.enable"
        yield Finding(topic.name, setting, "true", needs, _alter(topic, f"{setting}=false"))
    if topic.role != "internal":
        yield from _cleanup(topic)
        yield from _retention(topic)
    if topic.role == "input" and topic.settings.get("message.timestamp.type") == "CreateTime":
        needs = "nothing; the times of its records are what its publishers' clocks say"
        remedy = _alter(topic, "message.timestamp.type=LogAppendTime")
        yield Finding(topic.name, "message.timestamp.type", "CreateTime", needs, remedy, is_note=True)
    most = topic.settings.get("max.message.bytes")
    if topic.role == "dead_letters" and most is not None and int(most) < LETTER_BYTES:
        needs = f"{LETTER_BYTES} or more: the largest letters would stop the relay"
        yield Finding(topic.name, "max.message.bytes", most, needs, "python -m service topics")


def _cleanup(topic: TopicFacts) -> Iterator[Finding]:
    policy = topic.settings.get("cleanup.policy")
    wanted = "compact" if topic.role == "current_status" else "delete"
    if policy in {None, wanted}:
        return
    if topic.role == "current_status":
        needs = "compact and nothing else: the last status of each return would be deleted with time"
    else:
        needs = "delete: of the messages under one key compaction keeps the last one only"
    yield Finding(topic.name, "cleanup.policy", str(policy), needs, _alter(topic, f"cleanup.policy={wanted}"))


def _retention(topic: TopicFacts) -> Iterator[Finding]:
    shown = topic.settings.get("retention.ms")
    if shown is None:
        return
    kept = int(shown)
    if topic.role == "input" and 0 <= kept < DAY_MS:
        needs = f"{DAY_MS} (a day) or more: events would be gone before an outage is over"
        yield Finding(topic.name, "retention.ms", shown, needs, _alter(topic, f"retention.ms={7 * DAY_MS}"))
    elif topic.role == "input" and kept < 0:
        needs = "an end: personal data is not kept for ever"
        yield Finding(
            topic.name, "retention.ms", shown, needs, _alter(topic, f"retention.ms={7 * DAY_MS}"), is_note=True
        )
    elif topic.role in {"status_changes", "exceptions"} and 0 <= kept < TOLD_KEPT_MS:
        needs = f"{TOLD_KEPT_MS} (400 days) for subscribers that come late"
        remedy = _alter(topic, f"retention.ms={TOLD_KEPT_MS}")
        yield Finding(topic.name, "retention.ms", shown, needs, remedy, is_note=True)


def _alter(topic: TopicFacts, change: str) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {change}"
