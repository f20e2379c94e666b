-- What waits and is no return's, and what people have seen of it. {bounds_of_parked}: see reading/bounds.py; {newer},
-- {waiting_of_name} and {waiting_of_connote}: see reading/acknowledged.py.

-- name: parked
-- parked_newest, one range; batches_batch_id, a probe an event; batches_pkey backwards.
SELECT newest.n, given.events, given.since, given.is_newer, acknowledged_at, acknowledged_by, acknowledged_note
FROM (
    SELECT count(*) AS events, min(recorded_at) AS since, bool_or({newer}) AS is_newer
    FROM (
        SELECT recorded_at, batch_id FROM parked
        WHERE kind = %(kind)s::text AND subject = %(subject)s::text AND {bounds_of_parked}
        ORDER BY recorded_at DESC LIMIT %(most)s::int4
    ) few
) given
CROSS JOIN (SELECT coalesce(max(n), 0) AS n FROM batches) newest
CROSS JOIN (SELECT %(kind)s::text AS kind, %(subject)s::text AS subject) p
LEFT JOIN LATERAL ({waiting_of_name}) a ON true
WHERE given.events > 0

-- name: delivered
-- connote_deliveries_pkey, one range, which is short; connote_members_pkey; batches_batch_id, a probe a delivery.
SELECT newest.n, given.events, given.since, given.is_newer, acknowledged_at, acknowledged_by, acknowledged_note
FROM (
    SELECT count(*) AS events, min(recorded_at) AS since, bool_or({newer}) AS is_newer
    FROM (
        SELECT recorded_at, batch_id FROM connote_deliveries
        WHERE connote = %(subject)s::text AND type <> %(void)s::text AND NOT %(is_bound)s::bool
            AND NOT EXISTS (SELECT FROM connote_members m WHERE m.connote = %(subject)s::text)
        ORDER BY recorded_at DESC LIMIT %(most)s::int4
    ) few
) given
CROSS JOIN (SELECT coalesce(max(n), 0) AS n FROM batches) newest
CROSS JOIN (SELECT %(subject)s::text AS connote) d
LEFT JOIN LATERAL ({waiting_of_connote}) a ON true
WHERE given.events > 0

-- name: keep
-- batches_pkey, waiting_acknowledgements_pkey. The same words of the same token for the same events are as old as they were.
INSERT INTO waiting_acknowledgements AS known (kind, subject, upto, batch_id, token_no, by, note)
SELECT %(kind)s::text, %(subject)s::text, b.n, b.batch_id, %(token_no)s::int8, %(by)s::text, %(note)s::text
FROM batches b WHERE b.n = %(upto)s::int8
ON CONFLICT (kind, subject) DO UPDATE SET upto = excluded.upto, batch_id = excluded.batch_id, token_no = excluded.token_no,
    by = excluded.by, note = excluded.note,
    at = CASE WHEN ROW (known.upto, known.batch_id, known.token_no, known.by, known.note)
        = ROW (excluded.upto, excluded.batch_id, excluded.token_no, excluded.by, excluded.note)
        THEN known.at ELSE excluded.at END
RETURNING at, by, note
