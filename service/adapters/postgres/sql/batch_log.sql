-- The journal, read in the order of commits. The relay and the projector are two readers of it. Each batch is an index
-- probe, whatever the size of the tables: see `database.probe_indexes`.

-- name: end
-- The number of the newest batch. batches_pkey backwards, one row.
SELECT coalesce(max(n), 0) FROM batches

-- name: batches
-- The next batches, the one that was left in the middle among them. batches_pkey.
SELECT n, batch_id::text, recorded_at, events FROM batches WHERE n >= %(first)s ORDER BY n LIMIT %(limit)s

-- name: rows
-- What somebody is told of these batches: changes, exceptions, and events that alter the current status's attributes
-- without a change (an export that does not count, a void, a reconciliation). history_batch_id, then returns_pkey for the
-- identifier.
SELECT {logged},
       CASE WHEN h.reason IS NOT NULL OR h.exceptions IS NOT NULL OR h.milestone IN ('DS', 'RP', 'RE', 'RR') OR h.type = ANY (%(always)s)
            THEN h.data END
FROM unnest(%(numbers)s::bigint[], %(ids)s::text[]::xid8[]) AS b (n, batch_id)
JOIN history h ON h.batch_id = b.batch_id
JOIN returns r ON r.return_no = h.return_no
WHERE (h.changes IS NOT NULL OR h.reason IS NOT NULL OR h.exceptions IS NOT NULL OR h.verdict = 'unmapped'
       OR h.type = ANY (%(always)s))
  AND (b.n, h.return_no, h.seq) > (%(n)s, %(return_no)s, %(seq)s)
ORDER BY b.n, h.return_no, h.seq
LIMIT %(limit)s

-- name: letters
-- The dead letters of these batches, those behind the first so many bytes without what they hold. The length of a value
-- is known without reading it. dead_letters_batch_id.
WITH picked AS (
    SELECT b.n, d.*, octet_length(d.value) AS size
    FROM unnest(%(numbers)s::bigint[], %(ids)s::text[]::xid8[]) AS b (n, batch_id)
    JOIN dead_letters d ON d.batch_id = b.batch_id
    WHERE (b.n, d.letter_no) > (%(n)s, %(letter_no)s)
    ORDER BY b.n, d.letter_no
    LIMIT %(limit)s
), weighed AS (
    SELECT *, row_number() OVER (ORDER BY n, letter_no) = 1 OR sum(
        coalesce(octet_length(key), 0) + CASE WHEN size <= %(bytes)s THEN size ELSE 0 END + octet_length(headers::text)
    ) OVER (ORDER BY n, letter_no) <= %(bytes)s AS fits
    FROM picked
)
SELECT n, letter_no, topic, topic_id, partition, "offset", published_at, CASE WHEN fits THEN key END AS key,
       CASE WHEN fits AND size <= %(bytes)s THEN value END AS value,
       CASE WHEN fits THEN headers ELSE '[]'::json END AS headers, reason, error, attempts, size, recorded_at, resolved_at, fits
FROM weighed ORDER BY n, letter_no

-- name: waits
-- What began to wait, or is over, in these batches. wait_moves_pkey.
SELECT b.n, b.id, w.kind, w.subject, w.state, w.since, w.event, w.recorded_at
FROM unnest(%(numbers)s::bigint[], %(ids)s::text[]) AS b (n, id)
JOIN wait_moves w ON w.batch_id = b.id::xid8
ORDER BY b.n, w.kind, w.subject
LIMIT %(limit)s

-- name: lead
-- One relay works at a time; the lock goes with the session.
SELECT pg_try_advisory_lock(%(lock)s)

-- name: ping
-- Whether the session, and with it the lock, is still there.
SELECT 1

-- name: batch_id
-- batches_pkey
SELECT batch_id::text FROM batches WHERE n = %(n)s

-- name: told_before
-- The last rows up to a position that changed something; of the last batches only. batches_pkey backwards, then
-- history_batch_id.
SELECT b.n, told.return_no, told.seq, told.return_id, told.version
FROM (SELECT n, batch_id FROM batches WHERE n <= %(n)s ORDER BY n DESC LIMIT 500) AS b
CROSS JOIN LATERAL (
    SELECT h.return_no, h.seq, r.return_id, h.version
    FROM history h JOIN returns r ON r.return_no = h.return_no
    WHERE h.batch_id = b.batch_id AND h.changes IS NOT NULL
      AND (b.n, h.return_no, h.seq) <= (%(n)s, %(return_no)s, %(seq)s)
    ORDER BY h.return_no DESC, h.seq DESC LIMIT %(limit)s
) AS told
ORDER BY b.n DESC, told.return_no DESC, told.seq DESC LIMIT %(limit)s

-- name: row_of
-- The row that said this version of a return: the last one, should it have been said before a reconciliation too.
-- returns_return_id_key, history_pkey, batches_batch_id: all of the return's rows.
SELECT b.n, h.return_no, h.seq
FROM returns r
JOIN history h ON h.return_no = r.return_no
JOIN batches b ON b.batch_id = h.batch_id
WHERE r.return_id = %(return_id)s AND h.changes IS NOT NULL
  AND %(version)s BETWEEN h.version - json_array_length(h.changes) + 1 AND h.version
ORDER BY h.seq DESC LIMIT 1

-- name: reconciled
-- reconciliations_pkey backwards
SELECT n, ends FROM reconciliations WHERE n <= %(n)s ORDER BY n DESC LIMIT 1
