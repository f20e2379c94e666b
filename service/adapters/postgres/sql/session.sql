-- name: begin
-- What is to be known of a session before it is believed, and its settings, in one round trip. Behind a pooler, which
-- tells the client a number of its own making, nothing is set yet: the session may be somebody else's a moment later.
-- No table, no index. A setting that this version of PostgreSQL does not have is left out.
SELECT
    pg_backend_pid(),
    current_setting('server_encoding'),
    current_setting('transaction_read_only')::boolean,
    current_schema()::text,
    current_setting('search_path'),
    current_database()::text,
    CASE WHEN pg_backend_pid() = %(pid)s THEN ARRAY(
        SELECT set_config(name, value, false)
        FROM unnest(%(names)s::text[], %(values)s::text[]) AS wanted (name, value)
        WHERE current_setting(name, true) IS NOT NULL
    ) END

-- name: set
-- The same, where it is certain whose session it is.
SELECT set_config(name, value, false)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS wanted (name, value)
WHERE current_setting(name, true) IS NOT NULL

-- name: whose
-- Which session of the server answers.
SELECT pg_backend_pid()
