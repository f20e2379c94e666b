from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.config import Settings, load, reference, unknown_variables
from service.errors import SettingsError


def test_without_variables_the_defaults_hold() -> None:
    settings = load({})

    assert settings.kafka_bootstrap_servers == "127.0.0.1:9092"
    assert settings.input_topics == (
        "omnireturns.returns",
        "first-mile.scans",
        "omnirps.hub-events",
        "final-mile.deliveries",
    )
    assert settings.output_topics == (
        "returns.status-changes",
        "returns.current-status",
        "returns.exceptions",
        "returns.dead-letters",
    )
    assert (settings.http_host, settings.http_port, settings.topic_partitions) == ("127.0.0.1", 8080, 12)


def test_variables_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURNS_HTTP_PORT", "9000")
    monkeypatch.setenv("RETURNS_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("RETURNS_GROUP_ID", "")

    settings = load()

    assert (settings.http_port, settings.log_level, settings.group_id) == (9000, "debug", "returns-status")


def test_every_wrong_variable_is_named_with_what_is_wrong() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"RETURNS_HTTP_PORT": "http", "RETURNS_BATCH_SIZE": "0", "RETURNS_KAFKA_BOOTSTRAP_SERVERS": "broker"})

    assert "RETURNS_HTTP_PORT: Input should be a valid integer" in str(caught.value)
    assert "RETURNS_BATCH_SIZE: Input should be greater than or equal to 1" in str(caught.value)
    assert "RETURNS_KAFKA_BOOTSTRAP_SERVERS: must be host:port" in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    (
        ("TOPIC_SCANS", "TOPIC_RETURNS"),
        ("TOPIC_DELIVERIES", "TOPIC_STATUS_CHANGES"),
        ("TOPIC_CURRENT_STATUS", "TOPIC_STATUS_CHANGES"),
        ("GROUP_ID", "RELAY_GROUP_ID"),
    ),
)
def test_two_topics_or_groups_of_one_name_are_refused_and_both_are_named(one: str, other: str) -> None:
    # It was accepted, and every scan became a letter: on the topic of creations there is nothing but creations.
    with pytest.raises(SettingsError) as caught:
        load({f"RETURNS_{one}": "the.same", f"RETURNS_{other}": "the.same"})

    assert f"RETURNS_{one}" in str(caught.value)
    assert f"RETURNS_{other}" in str(caught.value)
    assert "must not have the same value" in str(caught.value)


@pytest.mark.parametrize(
    "url", ("hush", "mysql://u:hush@h/d", "postgresql://u:hush@h:port/d", "postgresql://[u:hush@h/d")
)
def test_a_wrong_secret_is_never_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="RETURNS_DATABASE_URL: must be a URL like") as caught:
        load({"RETURNS_DATABASE_URL": url})

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_secrets_do_not_show_in_the_settings() -> None:
    settings = load({"RETURNS_DATABASE_URL": "postgresql://u:hush@h/d", "RETURNS_KAFKA_SASL_PASSWORD": "hush"})

    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.database_url.get_secret_value() == "postgresql://u:hush@h/d"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load({}).http_port = 1  # type: ignore[misc]


def test_every_setting_is_described_and_listed() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description is not None
        assert field.description.endswith((".", ";"))
        assert f"| `RETURNS_{name.upper()}` |" in reference()


@pytest.mark.parametrize(
    "url",
    (
        "postgresql://u:p@a:5432,b:5433/db?target_session_attrs=read-write",
        "postgresql://u:p@a,b/db",
        "postgresql://[::1]:5432,[::2]/db?target_session_attrs=primary",
        "postgres://%2Fvar%2Frun/db",
        "postgresql:///db?host=/var/run,other&port=5432,5433",
        "postgresql://u:p%40ss@h/db?options=-c%20search_path%3Dmine",
        "postgresql://",
    ),
)
def test_an_address_of_postgresql_names_one_host_or_several(url: str) -> None:
    assert load({"RETURNS_DATABASE_URL": url}).database_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "said"),
    (
        ("postgresql://u:hush@a:5432,b:hush/d", "several hosts as host:port,host:port"),
        ("postgresql://u:hush@a:0/d", "must be a URL like"),
        ("postgresql://u:hu@sh@a/d", "must be written %40"),
        ("postgresql://u:hush@a/d?target_session_attrs=readwrite", "target_session_attrs must be one of any, read-wri"),
        ("postgresql://u:hush@a/d?port=hush", "port must be numbers"),
        ("postgresql://u:hush@a/d?hush", "option=value"),
    ),
)
def test_what_is_wrong_with_an_address_is_said_without_repeating_it(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"RETURNS_DATABASE_URL: .*{said}") as caught:
        load({"RETURNS_DATABASE_URL": url})

    assert not {"hush", "sh@a"} & set(str(caught.value).replace(":", " ").split())
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    (
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "RETURNS_KAFKA_SASL_MECHANISM: must be set where"),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "u"},
            "RETURNS_KAFKA_SASL_USERNAME, RETURNS_KAFKA_SASL_PASSWORD: must be set where",
        ),
        ({"SASL_MECHANISM": "PLAIN"}, "RETURNS_KAFKA_SASL_MECHANISM: nobody would log in"),
        ({"SSL_CAFILE": "/ca.pem"}, "RETURNS_KAFKA_SSL_CAFILE: nothing would be encrypted"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "NONE"}, "RETURNS_KAFKA_SASL_MECHANISM: Input should be"),
    ),
)
def test_settings_of_kafka_that_do_not_go_together_are_named(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load({f"RETURNS_KAFKA_{name}": value for name, value in settings.items()})


def test_an_input_may_be_several_topics_and_a_prefix_and_what_is_sent_goes_to_the_first_that_is_none() -> None:
    settings = load({"RETURNS_TOPIC_SCANS": "scans.*, own.scans,own.more", "RETURNS_TOPIC_RETURNS": "shop.*"})

    assert settings.inputs == (
        "shop.*",
        "scans.*",
        "own.scans",
        "own.more",
        "omnirps.hub-events",
        "final-mile.deliveries",
    )
    assert settings.input_topics == ("own.scans", "own.more", "omnirps.hub-events", "final-mile.deliveries")
    assert settings.sent_to("topic_scans") == "own.scans"
    with pytest.raises(SettingsError, match="RETURNS_TOPIC_RETURNS: name a topic before the prefix"):
        settings.sent_to("topic_returns")


@pytest.mark.parametrize(
    ("one", "other"),
    (
        ("first-mile.*", "first-mile.scans"),
        ("a,first-mile.scans*", "b,first-mile.s*"),
        ("returns.*", "first-mile.scans"),  # the prefix means outputs
    ),
)
def test_a_prefix_that_means_a_topic_of_another_setting_is_refused(one: str, other: str) -> None:
    with pytest.raises(SettingsError, match="must not have the same value, nor one that the other's prefix means"):
        load({"RETURNS_TOPIC_RETURNS": one, "RETURNS_TOPIC_SCANS": other})


@pytest.mark.parametrize("protocol", ("PLAINTEXT", "SASL_PLAINTEXT"))
def test_a_login_without_tls_is_for_a_developers_machine_alone(protocol: str) -> None:
    # It was accepted, and the password stood on the wire for everybody on the way to read.
    login = {"MECHANISM": "PLAIN", "USERNAME": "u", "PASSWORD": "hush"}
    variables = {f"RETURNS_KAFKA_SASL_{name}": value for name, value in login.items()}
    variables["RETURNS_KAFKA_SECURITY_PROTOCOL"] = protocol

    with pytest.raises(SettingsError, match=f"RETURNS_KAFKA_S.* {protocol}") as caught:
        load(variables)

    assert "hush" not in str(caught.value)
    assert load(variables | {"RETURNS_DEVELOPMENT": "true"}).kafka_security_protocol == protocol


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://u:hush@h/d\n")

    settings = load({"RETURNS_DATABASE_URL_FILE": str(file), "RETURNS_DATABASE_URL": ""})

    assert settings.database_url.get_secret_value() == "postgresql://u:hush@h/d"
    assert "`RETURNS_DATABASE_URL_FILE`" in reference()


@pytest.mark.parametrize(
    ("content", "said"),
    (
        (None, "the file cannot be read: No such file or directory"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff\xfe", "the file holds no text"),
        (b"hush" * 20_000, "the file is too long for a secret"),
    ),
)
def test_a_file_of_a_secret_that_is_of_no_use_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=f"^RETURNS_KAFKA_SASL_PASSWORD_FILE: {said}$"):
        load({"RETURNS_KAFKA_SASL_PASSWORD_FILE": str(file)})


def test_a_secret_and_its_file_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="RETURNS_DATABASE_URL, RETURNS_DATABASE_URL_FILE: only one") as caught:
        load({"RETURNS_DATABASE_URL": "postgresql://u:hush@h/d", "RETURNS_DATABASE_URL_FILE": "/run/secrets/url"})

    assert "hush" not in str(caught.value)


def test_variables_that_nothing_reads_are_named_with_what_was_perhaps_meant() -> None:
    environment = {
        "RETURNS_HTTP_PROT": "80", "RETURNS_HTTP_PORT": "80", "RETURNS_HTTP_PORT_FILE": "/x", "RETURNS_TEST_SEED": "5",
        "RETURNS_DATABASE_URL_FILE": "/x", "RETURNS_ZZZ": "1", "PATH": "/bin",
    }  # fmt: skip

    assert unknown_variables(environment) == {
        "RETURNS_HTTP_PORT_FILE": "RETURNS_HTTP_PORT",
        "RETURNS_HTTP_PROT": "RETURNS_HTTP_PORT",
        "RETURNS_ZZZ": None,
    }


@pytest.mark.parametrize(
    "proxies", ("*", "10.0.0.1,*", "0.0.0.0/0", "::/0", "localhost", "10.0.0.1/8", "10.0.0.0/8,proxy.internal")
)
def test_who_may_say_for_whom_it_asks_is_named_by_address(proxies: str) -> None:
    with pytest.raises(SettingsError, match="RETURNS_HTTP_TRUSTED_PROXIES: must be addresses or networks"):
        load({"RETURNS_HTTP_TRUSTED_PROXIES": proxies})


def test_by_default_nobody_says_for_whom_it_asks() -> None:
    named = load({"RETURNS_HTTP_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8 ,fd00::1"}).trusted_proxies

    assert load({}).trusted_proxies == ()
    assert [str(network) for network in named] == ["127.0.0.1/32", "10.0.0.0/8", "fd00::1/128"]


@pytest.mark.parametrize(
    "url", ("returns.example", "ftp://a", "https://", "https://u:hush@a", "https://a/?x", "https://a:port", "//a")
)
def test_an_address_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"RETURNS_PUBLIC_URL: must be like https://returns\.example"):
        load({"RETURNS_PUBLIC_URL": url})
