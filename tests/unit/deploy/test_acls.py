"""What each process may do in Kafka, as a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.acls import acls, main, script
from service import config
from service.errors import SettingsError
from service.wire.judging.publishers import parse_publishers

DOCUMENT = Path(__file__).parents[3] / "deploy" / "docs" / "acls.md"


def test_the_document_has_the_script_of_the_defaults() -> None:
    assert f"```sh\n{script(config.load({}))}```" in DOCUMENT.read_text(encoding="utf-8")


def test_the_publishers_in_the_document_are_some() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]

    publishers = parse_publishers(text, str(DOCUMENT))

    assert publishers.unnamed(config.load({}).inputs) == ["final-mile.deliveries"]


def test_a_prefix_is_one_in_kafka_too_and_nothing_is_sent_there() -> None:
    found = acls(config.load({"RETURNS_TOPIC_SCANS": "scans,scans.*"}))

    prefixed = {(acl.process, acl.operations, acl.name) for acl in found if acl.is_prefix}
    assert prefixed == {
        ("setup", ("Describe", "DescribeConfigs"), "scans."),
        ("ingest", ("Read",), "scans."),
        ("web", ("Describe", "DescribeConfigs"), "scans."),
        ("replay", ("Read",), "scans."),
        ("reconcile", ("Describe",), "scans."),
    }


def test_the_script_is_printed_for_other_principals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETURNS_GROUP_ID", "a group")

    assert main(["--principal", "User:CN="]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "kafka-acls.sh --add --allow-principal User:CN=ingest --operation Read --group 'a group'" in lines
    assert not [line for line in lines if not line.startswith(("#", "kafka-acls.sh --add "))]


def test_settings_that_name_no_topic_to_send_to_have_no_script() -> None:
    with pytest.raises(SettingsError):
        acls(config.load({"RETURNS_TOPIC_SCANS": "scans.*"}))
