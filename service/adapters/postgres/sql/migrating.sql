-- name: elsewhere
-- The schemas that hold tables of this service but the session does not look in. Catalogue, by name of the relation.
SELECT DISTINCT found.relnamespace::regnamespace::text
FROM pg_class AS found
JOIN pg_class AS log ON log.relnamespace = found.relnamespace AND log.relname = 'batches' AND log.relkind = 'r'
WHERE found.relname = 'history' AND found.relkind = 'p' AND found.oid IS DISTINCT FROM to_regclass('history')
ORDER BY 1

-- name: tables
-- Whether there is our list of migrations, where, whether there is one of somebody else in its place (others have no
-- sums), and whether this user may look.
SELECT
    ours IS NOT NULL,
    current_schema()::text,
    current_database()::text,
    to_regclass('migrations') IS NOT NULL AND ours IS NULL,
    coalesce(has_column_privilege(ours, 'number', 'SELECT'), false)
FROM (
    SELECT (SELECT attrelid FROM pg_attribute WHERE attrelid = to_regclass('migrations') AND attname = 'checksum') AS ours
) AS found

-- name: numbers
SELECT number FROM migrations

-- name: numbered
-- The columns whose numbers a sequence gives, where this user may read both. Catalogue, by the tables of the schema.
SELECT found.schema, found.name, attname, of.relname, found.sequence::text
FROM (
    SELECT relnamespace::regnamespace::text AS schema, relname AS name, attname::text AS attname, owner.oid AS oid,
        pg_get_serial_sequence(owner.oid::regclass::text, attname)::regclass AS sequence
    FROM pg_class AS owner JOIN pg_attribute ON attrelid = owner.oid AND attidentity <> ''
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
) AS found JOIN pg_class AS of ON of.oid = found.sequence
WHERE has_column_privilege(found.oid, attname, 'SELECT') AND has_sequence_privilege(found.sequence, 'SELECT')
ORDER BY found.name

-- name: waits_for
-- What a session waits for, and who holds it. Of locks there are few; no index.
SELECT
    waiting.relation::regclass::text,
    (
        SELECT string_agg(DISTINCT format('%%s (pid %%s)', coalesce(nullif(application_name, ''), 'a session'), pid), ', ')
        FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(waiting.pid))
    )
FROM pg_locks AS waiting
WHERE waiting.pid = %s AND NOT waiting.granted
LIMIT 1

-- name: is_partitioned
SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)

-- name: is_valid
-- Whether an index is whole; no row: there is none. By the primary key.
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)

-- name: unattached
-- The partitions of a table that lack their part of an index of it.
SELECT leaf.relid::regclass::text
FROM pg_partition_tree(to_regclass(%(table)s)) AS leaf
WHERE leaf.isleaf AND NOT EXISTS (
    SELECT FROM pg_inherits AS part JOIN pg_index AS of_leaf ON of_leaf.indexrelid = part.inhrelid
    WHERE part.inhparent = to_regclass(%(name)s) AND of_leaf.indrelid = leaf.relid
)
ORDER BY leaf.relid
