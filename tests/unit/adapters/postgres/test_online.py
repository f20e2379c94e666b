from __future__ import annotations

from service.adapters.postgres.online import is_outside, statements


def test_the_first_line_says_whether_a_migration_runs_outside_a_transaction() -> None:
    assert is_outside(b"-- outside a transaction\nSELECT 1")
    assert not is_outside(b"-- An index.\n-- outside a transaction\nSELECT 1")


def test_a_semicolon_ends_a_statement_unless_it_stands_in_a_text_a_name_a_comment_or_a_body() -> None:
    script = """
        -- not here; nor here
        SELECT 'a;''b'; /* nor; here */ SELECT ";";
        DO $body$ BEGIN PERFORM 1; PERFORM $$;$$; END $body$;
        SELECT 2
    """

    assert list(statements(script)) == [
        "SELECT 'a;''b'",
        'SELECT ";"',
        "DO $body$ BEGIN PERFORM 1; PERFORM $$;$$; END $body$",
        "SELECT 2",
    ]
