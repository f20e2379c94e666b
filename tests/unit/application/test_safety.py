"""Which settings of the servers endanger what is promised."""

from __future__ import annotations

import pytest

from service.application.safety import DAY_MS, LETTER_BYTES, Role, TopicFacts, check_postgres, check_topics, describe

SAFE = {
    "cleanup.policy": "delete",
    "max.message.bytes": str(LETTER_BYTES),
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": "2",
    "retention.ms": str(400 * DAY_MS),
    "unclean.leader.election.enable": "false",
}


def found(
    role: Role, changed: dict[str, str] | None = None, *, copies: int | None = 3, brokers: int = 3
) -> list[tuple[str, str, bool]]:
    policy = {"cleanup.policy": "compact"} if role == "current_status" else {}
    settings = SAFE | policy | (changed or {})
    checked = check_topics([TopicFacts("t", role, copies, settings)], brokers)
    assert checked.unchecked == []
    return [(each.setting, each.value, each.is_note) for each in checked.findings]


ROLES: tuple[Role, ...] = ("input", "status_changes", "current_status", "exceptions", "dead_letters", "internal")


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_found_where_all_is_well(role: Role) -> None:
    assert found(role) == []


@pytest.mark.parametrize(
    ("role", "changed"),
    (
        ("input", ("cleanup.policy", "compact")),
        ("input", ("cleanup.policy", "compact,delete")),
        ("input", ("retention.ms", "3600000")),
        ("status_changes", ("cleanup.policy", "compact")),
        ("exceptions", ("min.insync.replicas", "1")),
        ("current_status", ("cleanup.policy", "delete")),
        ("current_status", ("cleanup.policy", "compact,delete")),
        ("current_status", ("unclean.leader.election.enable", "true")),
        ("dead_letters", ("max.message.bytes", "1048588")),
        ("internal", ("unclean.leader.election.enable", "true")),
    ),
)
def test_what_would_lose_messages_is_wrong(role: Role, changed: tuple[str, str]) -> None:
    name, value = changed

    assert found(role, {name: value}) == [(name, value, False)]


@pytest.mark.parametrize(
    ("role", "changed"),
    (
        ("input", ("retention.ms", "-1")),
        ("input", ("message.timestamp.type", "CreateTime")),
        ("status_changes", ("retention.ms", "604800000")),
    ),
)
def test_what_is_worth_knowing_is_a_note(role: Role, changed: tuple[str, str]) -> None:
    name, value = changed

    assert found(role, {name: value}) == [(name, value, True)]


@pytest.mark.parametrize(
    ("copies", "brokers", "wrong"), ((1, 1, False), (1, 2, True), (2, 2, False), (2, 3, True), (3, 5, False))
)
def test_as_many_copies_are_wanted_as_there_are_brokers_up_to_three(copies: int, brokers: int, *, wrong: bool) -> None:
    rows = [row for row in found("input", copies=copies, brokers=brokers) if row[0] == "replication factor"]
    told = check_topics([TopicFacts("t", "input", copies, SAFE)], brokers).wrong

    assert [each.needs.partition(":")[0] for each in told] == ([f"{min(3, brokers)} or more"] if wrong else [])
    assert all(each.remedy.startswith("kafka-reassign-partitions.sh") for each in told)
    assert all("RETURNS_TOPIC_REPLICATION_FACTOR" in each.remedy for each in told)  # a setting of the service
    assert rows == ([("replication factor", str(copies), False)] if wrong else [])


def test_one_broker_is_told_of_once_and_is_no_error() -> None:
    checked = check_topics([TopicFacts(name, "input", 1, SAFE) for name in ("a", "b")], brokers=1)

    assert [each[:3] for each in checked.findings] == [("cluster", "brokers", "1")]
    assert checked.findings[0].is_note
    assert checked.findings[0].needs.startswith("a second broker")
    assert describe(checked.findings[0]).endswith("To mend it: add brokers")
    assert checked.wrong == []


def test_a_topic_that_is_missing_is_wrong() -> None:
    assert found("input", copies=None) == [("topic", "missing", False)]


def test_what_the_brokers_do_not_show_is_not_taken_for_well() -> None:
    checked = check_topics([TopicFacts("t", "input", 3, {})], brokers=3)

    assert checked.findings == []
    assert "t: the brokers do not show cleanup.policy" in checked.unchecked[0]


def test_a_finding_is_told_with_what_it_needs_and_what_mends_it() -> None:
    (finding,) = check_topics([TopicFacts("t", "input", 3, SAFE | {"cleanup.policy": "compact"})], 3).findings

    assert describe(finding) == (
        "WRONG: t: cleanup.policy is compact; needs delete: of the messages under one key compaction keeps the last one "
        "only. To mend it: kafka-configs.sh --alter --entity-type topics --entity-name t --add-config cleanup.policy=delete"
    )


@pytest.mark.parametrize("name", ("fsync", "full_page_writes", "synchronous_commit"))
def test_postgresql_must_keep_what_it_says_it_has(name: str) -> None:
    safe = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "remote_apply"}

    assert check_postgres(safe).findings == []
    (finding,) = check_postgres(safe | {name: "off"}).wrong
    assert (finding.subject, finding.setting, finding.value) == ("server", name, "off")
    assert finding.needs.startswith("on")
    assert finding.remedy == f"ALTER SYSTEM SET {name} = 'on'; SELECT pg_reload_conf()"
    del safe[name]
    assert check_postgres(safe).unchecked == [f"{name} is not shown"]


@pytest.mark.parametrize(
    ("role", "setting", "value", "is_found"),
    (
        ("input", "retention.ms", str(DAY_MS), False),
        ("input", "retention.ms", str(DAY_MS - 1), True),
        ("input", "retention.ms", "0", True),
        ("status_changes", "retention.ms", str(400 * DAY_MS - 1), True),
        ("status_changes", "retention.ms", "0", True),
        ("status_changes", "retention.ms", "-1", False),
        ("dead_letters", "retention.ms", "0", False),
        ("dead_letters", "max.message.bytes", str(LETTER_BYTES - 1), True),
        ("input", "max.message.bytes", "1", False),
        ("exceptions", "message.timestamp.type", "CreateTime", False),
        ("internal", "cleanup.policy", "compact", False),
        ("internal", "retention.ms", "0", False),
        ("dead_letters", "cleanup.policy", "compact", True),
        ("internal", "min.insync.replicas", "1", True),
    ),
)
def test_a_setting_is_found_from_its_bound_on_and_of_the_topics_that_need_it(
    role: Role, setting: str, value: str, is_found: bool
) -> None:
    assert [each[:2] for each in found(role, {setting: value})] == ([(setting, value)] if is_found else [])


@pytest.mark.parametrize(("copies", "is_found"), ((1, False), (2, False), (3, True), (4, True)))
def test_two_copies_in_step_are_wanted_where_there_are_three(copies: int, is_found: bool) -> None:
    """With two, one broker that is away would stop everything."""
    rows = found("input", {"min.insync.replicas": "1"}, copies=copies, brokers=copies)

    assert [row for row in rows if row[0] == "min.insync.replicas"] == (
        [("min.insync.replicas", "1", False)] if is_found else []
    )


def test_all_that_the_brokers_do_not_show_is_named_and_what_they_show_is_judged() -> None:
    missing = TopicFacts("gone", "input", None, {})
    settings = {name: value for name, value in SAFE.items() if name in ("cleanup.policy", "retention.ms")}

    checked = check_topics(
        [missing, TopicFacts("t", "input", 2, settings), TopicFacts("u", "input", 3, SAFE | {"retention.ms": "1"})], 3
    )

    assert [(each.subject, each.setting) for each in checked.findings] == [
        ("gone", "topic"),
        ("t", "replication factor"),
        ("u", "retention.ms"),
    ]
    (sentence,) = checked.unchecked
    assert sentence.startswith(
        "t: the brokers do not show max.message.bytes, message.timestamp.type, min.insync.replicas, "
        "unclean.leader.election.enable"
    )


@pytest.mark.parametrize(
    ("role", "changed", "needs", "mends"),
    (
        ("input", ("cleanup.policy", "compact"), "delete: ", "cleanup.policy=delete"),
        ("current_status", ("cleanup.policy", "delete"), "compact and nothing else", "cleanup.policy=compact"),
        ("input", ("retention.ms", "1"), f"{DAY_MS} (a day) or more", f"retention.ms={7 * DAY_MS}"),
        ("input", ("retention.ms", "-1"), "an end: ", f"retention.ms={7 * DAY_MS}"),
        ("status_changes", ("retention.ms", "1"), f"{400 * DAY_MS} (400 days)", f"retention.ms={400 * DAY_MS}"),
        ("exceptions", ("retention.ms", "1"), f"{400 * DAY_MS} (400 days)", f"retention.ms={400 * DAY_MS}"),
        ("input", ("message.timestamp.type", "CreateTime"), "nothing; ", "message.timestamp.type=LogAppendTime"),
        ("exceptions", ("min.insync.replicas", "1"), "2 or more: ", "min.insync.replicas=2"),
        ("internal", ("unclean.leader.election.enable", "true"), "false: ", "unclean.leader.election.enable=false"),
    ),
)
def test_what_mends_a_setting_leaves_nothing_to_be_found(
    role: Role, changed: tuple[str, str], needs: str, mends: str
) -> None:
    policy = {"cleanup.policy": "compact"} if role == "current_status" else {}
    (finding,) = check_topics([TopicFacts("t", role, 3, SAFE | policy | dict([changed]))], 3).findings

    assert finding.needs.startswith(needs)
    assert finding.remedy.endswith(f" --entity-name t --add-config {mends}")
    assert found(role, dict([mends.split("=")])) == []
    assert describe(finding).startswith("note: t: " if finding.is_note else "WRONG: t: ")


def test_what_the_service_itself_can_mend_it_mends_by_its_command() -> None:
    missing = TopicFacts("t", "input", None, {})
    small = TopicFacts("t", "dead_letters", 3, SAFE | {"max.message.bytes": "1"})

    for topic, needs in ((missing, "the topic"), (small, f"{LETTER_BYTES} or more: ")):
        (finding,) = check_topics([topic], 3).findings
        assert finding.needs.startswith(needs)
        assert (finding.subject, finding.remedy) == ("t", "python -m service topics")


def test_a_server_that_shows_nothing_is_not_taken_for_well() -> None:
    assert check_postgres({}).unchecked == [
        "fsync is not shown",
        "full_page_writes is not shown",
        "synchronous_commit is not shown",
    ]
    assert check_postgres({}).findings == []
