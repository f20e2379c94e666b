from __future__ import annotations

import psycopg
import pytest

from service.adapters.postgres.database import connect, refusal, translate, translated
from service.errors import Conflict, Fatal, ReadOnly, RejectedValue, Retryable, ServiceError, SettingsError

SECRET = "Key (return_id)=(R-SECRET) already exists, jane@example.org"

BY_STATE: dict[type[ServiceError], tuple[str, ...]] = {
    Retryable: (
        "08000",  # connection_exception
        "08006",  # connection_failure
        "08P01",  # protocol_violation
        "25P03",  # idle_in_transaction_session_timeout: this worker was frozen
        "25P04",  # transaction_timeout
        "40001",  # serialization_failure
        "40003",  # statement_completion_unknown
        "40P01",  # deadlock_detected
        "53100",  # disk_full
        "53200",  # out_of_memory
        "53300",  # too_many_connections
        "55P03",  # lock_not_available
        "57014",  # query_canceled
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
        "58030",  # io_error
    ),
    ReadOnly: ("25006",),  # read_only_sql_transaction: a standby
    Conflict: ("23505",),  # unique_violation
    RejectedValue: (
        "22001",  # string_data_right_truncation
        "22003",  # numeric_value_out_of_range
        "22008",  # datetime_field_overflow
        "22021",  # character_not_in_repertoire
        "22P02",  # invalid_text_representation
        "22P05",  # untranslatable_character
        "23502",  # not_null_violation
        "23514",  # check_violation, also of a partition that does not exist
        "54000",  # program_limit_exceeded: too large for an index
        "54001",  # statement_too_complex: JSON too deep
    ),
    Fatal: (
        "0A000",  # feature_not_supported: a plan from before a migration
        "25P02",  # in_failed_sql_transaction: a bug of ours
        "42501",  # insufficient_privilege
        "42601",  # syntax_error
        "42P01",  # undefined_table: not migrated
        "55000",  # object_not_in_prerequisite_state
        "XX001",  # data_corrupted
    ),
}


@pytest.mark.parametrize(
    ("expected", "state"), [(kind, state) for kind, states in BY_STATE.items() for state in states]
)
def test_an_error_of_the_server_says_what_the_caller_must_do(expected: type[ServiceError], state: str) -> None:
    error = psycopg.errors.lookup(state)(SECRET)

    ours = translate(error)

    assert type(ours) is expected
    assert state in str(ours)
    assert "SECRET" not in str(ours)
    assert "jane" not in str(ours)


@pytest.mark.parametrize(
    ("error", "expected"),
    (
        (psycopg.OperationalError("the connection is closed"), Retryable),
        (psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly"), Retryable),
        (psycopg.InterfaceError("the connection is closed"), Retryable),
        (psycopg.errors.ConnectionTimeout("connection timeout expired"), Retryable),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes: R-SECRET"), RejectedValue),
        (psycopg.ProgrammingError("the query has 2 placeholders but 1 parameters were passed: SECRET"), Fatal),
        (psycopg.NotSupportedError("SECRET"), Fatal),
    ),
)
def test_an_error_of_the_client_does_too(error: psycopg.Error, expected: type[ServiceError]) -> None:
    ours = translate(error)

    assert type(ours) is expected
    assert str(ours) == f"PostgreSQL {type(error).__name__}"


def test_an_error_in_a_translated_block_comes_out_as_ours_and_ours_as_it_is() -> None:
    with pytest.raises(Retryable, match="40P01"), translated():
        raise psycopg.errors.DeadlockDetected(SECRET)
    with pytest.raises(Fatal, match="as it was"), translated():
        raise Fatal("as it was")


@pytest.mark.postgres
def test_a_url_that_is_none_is_a_matter_of_the_settings_and_its_password_is_not_told() -> None:
    with pytest.raises(SettingsError) as caught:
        connect("postgresql://user:hush@[::1/returns", "test")

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_waited_for_and_the_password_is_not_told() -> None:
    with pytest.raises(Retryable) as caught:
        connect("postgresql://user:hush@127.0.0.1:1/returns", "test")

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "cause"),
    (
        ("08006", "database"),
        ("25006", "read_only"),
        ("40P01", "deadlock"),
        ("40001", "deadlock"),
        ("53100", "disk"),
        ("53300", "connections"),
        ("55P03", "lock"),
        ("57014", "timeout"),
        ("57P01", "database"),
    ),
)
def test_what_is_to_be_tried_again_says_why(state: str, cause: str) -> None:
    # The relay once guessed it from the error's text: whatever did not begin with "PostgreSQL" was Kafka's fault.
    error = translate(psycopg.errors.lookup(state)())

    assert isinstance(error, Retryable)
    assert error.cause == cause


@pytest.mark.parametrize(
    ("words", "cause"),
    (
        ("FATAL:  sorry, too many clients already", "connections"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "connections"),
        ('FATAL:  too many connections for role "web"', "connections"),
        ("FATAL:  no more connections allowed (max_client_conn)", "connections"),
        ("connection refused", "database"),
        ("FATAL:  tut mir leid, schon zu viele Verbindungen", "database"),
    ),
)
def test_a_connection_that_is_refused_says_why(words: str, cause: str) -> None:
    assert refusal(psycopg.OperationalError(f"connection failed: {words}")) == cause
