-- What a process asks about itself every few seconds, on a session of its own. Each is a few index probes.

-- name: readers
-- cursors_pkey, batches_pkey. A reader without a cursor has read nothing. The relay's position is Kafka's to know, so it
-- comes along; null: it is not known.
SELECT current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery(),
    coalesce((SELECT max(n) FROM batches), 0),
    reader.name, reader.n,
    (
        SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8 FROM batches
        WHERE batches.n > reader.n ORDER BY batches.n LIMIT 1
    )
FROM (
    SELECT name, coalesce((SELECT n FROM cursors WHERE cursors.name = known.name), 0) AS n
    FROM (VALUES ('search'), ('sweep')) AS known (name)
    UNION ALL SELECT 'relay', %(relay)s::bigint WHERE %(relay)s::bigint IS NOT NULL
) AS reader

-- name: offsets
-- All of offsets: one row a partition.
SELECT topic, partition, next, topic_id FROM offsets

-- name: counts
-- parked_recorded_at, dead_letters_open_recorded_at: along the index, so far and no further.
SELECT (SELECT count(*) FROM (SELECT FROM parked ORDER BY recorded_at LIMIT %(most)s::int4) few),
    (SELECT count(*) FROM (
        SELECT FROM dead_letters WHERE resolved_at IS NULL ORDER BY recorded_at, letter_no LIMIT %(most)s::int4
    ) few)
