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

    assert rows == ([("replication factor", str(copies), False)] if wrong else [])


def test_one_broker_is_told_of_once_and_is_no_error() -> None:
    checked = check_topics([TopicFacts(name, "input", 1, SAFE) for name in ("a", "b")], brokers=1)

    assert [(each.subject, each.is_note) for each in checked.findings] == [("cluster", True)]
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
    assert [(each.setting, each.value) for each in check_postgres(safe | {name: "off"}).wrong] == [(name, "off")]
    del safe[name]
    assert check_postgres(safe).unchecked == [f"{name} is not shown"]
