-- The journal, read in the order of commits. The relay and the projector are two readers of it. Each batch is an index
-- probe, whatever the size of the tables: see `database.probe_indexes`.

-- name: end
-- The number of the newest batch. batches_pkey backwards, one row.
SELECT coalesce(max(n), 0) FROM batches

-- name: batches
-- The next batches, the one that was left in the middle among them. batches_pkey.
SELECT n, xid::text, recorded_at FROM batches WHERE n >= %(first)s ORDER BY n LIMIT %(limit)s

-- name: rows
-- What somebody is told of these batches: changes, exceptions, and events that alter the current status's attributes
-- without a change (an export that does not count, a void). history_xid, then returns_pkey for the identifier.
SELECT b.n, h.return_no, h.seq, r.return_id, h.recorded_at, h.source, h.id, h.type, h.occurred_at, h.milestone, h.code,
       h.verdict, h.reason, h.changes, h.version, h.state,
       CASE WHEN h.reason IS NOT NULL OR h.milestone IN ('DS', 'RP', 'RE', 'RR') OR h.type = %(voided)s
            THEN h.data END,
       h.topic, h.partition, h."offset"
FROM unnest(%(numbers)s::bigint[], %(xids)s::xid8[]) AS b (n, xid)
JOIN history h ON h.xid = b.xid
JOIN returns r ON r.return_no = h.return_no
WHERE (h.changes IS NOT NULL OR h.reason IS NOT NULL OR h.verdict = 'unmapped' OR h.type = %(voided)s)
  AND (b.n, h.return_no, h.seq) > (%(n)s, %(return_no)s, %(seq)s)
ORDER BY b.n, h.return_no, h.seq
LIMIT %(limit)s

-- name: letters
-- The dead letters of these batches. dead_letters_xid.
SELECT b.n, d.letter_no, d.topic, d.partition, d."offset", d.published_at, d.key, d.value, d.headers, d.reason, d.error,
       d.attempts
FROM unnest(%(numbers)s::bigint[], %(xids)s::xid8[]) AS b (n, xid)
JOIN dead_letters d ON d.xid = b.xid
WHERE (b.n, d.letter_no) > (%(n)s, %(letter_no)s)
ORDER BY b.n, d.letter_no
LIMIT %(limit)s

-- name: lead
-- One relay works at a time; the lock goes with the session.
SELECT pg_try_advisory_lock(%(lock)s)

-- name: ping
-- Whether the session, and with it the lock, is still there.
SELECT 1
