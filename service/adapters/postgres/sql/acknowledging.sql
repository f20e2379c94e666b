-- Exceptions of a return, and what people have seen of them. {bounds_of_exception}: see reading/bounds.py;
-- {acknowledgement}: see reading/acknowledged.py.

-- name: of_return
-- returns_return_id_key, search_returns_pkey; then for each reason search_exceptions_begun, one range and its end.
SELECT e.return_no, e.return_id, e.reason, e.seq, newest.begun_seq, given.events, given.since, acknowledged_at,
    acknowledged_by, acknowledged_note
FROM (
    SELECT n.return_no, n.return_id, s.seq, asked.reason, asked.place
    FROM returns n
    JOIN search_returns s ON s.return_no = n.return_no
    CROSS JOIN unnest(%(reasons)s::text[]) WITH ORDINALITY AS asked (reason, place)
    WHERE n.return_id = %(return_id)s::text
) e
CROSS JOIN LATERAL (
    SELECT begun_seq FROM search_exceptions b WHERE b.return_no = e.return_no AND b.reason = e.reason
    ORDER BY begun_seq DESC LIMIT 1
) newest
CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(recorded_at) AS since
    FROM (
        SELECT recorded_at FROM search_exceptions r
        WHERE r.return_no = e.return_no AND r.reason = e.reason AND resolved_at IS NULL AND {bounds_of_exception}
        ORDER BY begun_seq LIMIT %(most)s::int4
    ) few
) given
LEFT JOIN LATERAL ({acknowledgement}) a ON true
WHERE EXISTS (
    SELECT FROM search_exceptions r WHERE r.return_no = e.return_no AND r.reason = e.reason AND {bounds_of_exception}
)
ORDER BY e.place

-- name: said
-- search_exceptions_begun backwards, one range; history_pkey, a probe an event.
SELECT DISTINCT coalesce(h.type, r.type), h.data ->> 'carrier', h.data ->> 'hub'
FROM (
    SELECT return_no, begun_seq, type FROM search_exceptions
    WHERE return_no = %(return_no)s::int8 AND reason = %(reason)s::text AND resolved_at IS NULL
    ORDER BY begun_seq DESC LIMIT %(most)s::int4
) r
LEFT JOIN history h ON h.return_no = r.return_no AND h.seq = r.begun_seq

-- name: keep
-- history_pkey, search_exceptions_begun, acknowledgements_pkey. Where one that holds says the same, it is as old as it was.
INSERT INTO acknowledgements AS known (return_no, reason, seq, batch_id, token_no, by, note)
SELECT h.return_no, %(reason)s::text, h.seq, h.batch_id, %(token_no)s::int8, %(by)s::text, %(note)s::text
FROM history h
WHERE h.return_no = %(return_no)s::int8 AND h.seq = %(seq)s::int4
    AND NOT EXISTS (
        SELECT FROM search_exceptions b
        WHERE b.return_no = %(return_no)s::int8 AND b.reason = %(reason)s::text AND b.begun_seq > %(seq)s::int4
    )
ON CONFLICT (return_no, reason) DO UPDATE SET
    seq = excluded.seq, batch_id = excluded.batch_id, token_no = excluded.token_no, by = excluded.by, note = excluded.note,
    at = CASE WHEN ROW (known.token_no, known.by, known.note) = ROW (excluded.token_no, excluded.by, excluded.note)
        AND EXISTS (SELECT FROM ({acknowledgement_of_known}) a) THEN known.at ELSE excluded.at END
RETURNING at, by, note
