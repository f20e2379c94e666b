-- What the operations desk reads besides lists. Sessions plan with the values at hand. A queue is counted along its index,
-- so far and no further. {bounds}, {bounds_of_row} and {bounds_of_parked} are those of reading/bounds.py; those of what was
-- acknowledged those of reading/acknowledged.py: what is hidden is no part of a queue's number, and counted beside it.

-- name: stuck
-- search_returns_stuck, one range a status.
SELECT late.status, queue.number, queue.oldest
FROM unnest(%(statuses)s::text[], %(due)s::timestamptz[]) AS late (status, due)
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(status_recorded_at) AS oldest
    FROM (
        SELECT status_recorded_at FROM search_returns s
        WHERE status = late.status AND NOT complete AND status_recorded_at < late.due AND {bounds}
        ORDER BY status_recorded_at LIMIT %(most)s::int4
    ) few
) queue

-- name: exceptions
-- search_exceptions_open, one range a verdict.
SELECT asked.verdict, queue.number, queue.oldest, queue.acknowledged
FROM unnest(%(verdicts)s::text[]) AS asked (verdict), LATERAL (
    SELECT count(*) FILTER (WHERE NOT seen) AS number, min(recorded_at) FILTER (WHERE NOT seen) AS oldest,
        count(*) FILTER (WHERE seen) AS acknowledged
    FROM (
        SELECT recorded_at, {acknowledged_of_row} AS seen
        FROM (
            SELECT recorded_at, return_no, seq FROM search_exceptions r
            WHERE verdict = asked.verdict AND resolved_at IS NULL AND {bounds_of_row}
            ORDER BY recorded_at LIMIT %(most)s::int4
        ) few
        OFFSET 0
    ) looked
) queue

-- name: in_use
-- search_exceptions_open_reason. Returns whose window of a label overlaps another one's.
SELECT count(*) FILTER (WHERE NOT seen), min(recorded_at) FILTER (WHERE NOT seen), count(*) FILTER (WHERE seen)
FROM (
    SELECT recorded_at, {acknowledged_of_reason} AS seen
    FROM (
        SELECT recorded_at, return_no, reason FROM search_exceptions r
        WHERE reason = 'tracking_number_in_use' AND resolved_at IS NULL AND {bounds_of_row}
        ORDER BY recorded_at LIMIT %(most)s::int4
    ) few
    OFFSET 0
) looked

-- name: circumstances
-- search_exceptions_open_reason, one range a reason. What follows from several events, none of which has to be wrong.
SELECT asked.reason, queue.number, queue.oldest, queue.acknowledged
FROM unnest(%(circumstances)s::text[]) AS asked (reason), LATERAL (
    SELECT count(*) FILTER (WHERE NOT seen) AS number, min(recorded_at) FILTER (WHERE NOT seen) AS oldest,
        count(*) FILTER (WHERE seen) AS acknowledged
    FROM (
        SELECT recorded_at, {acknowledged_of_reason} AS seen
        FROM (
            SELECT recorded_at, return_no, reason FROM search_exceptions r
            WHERE reason = asked.reason AND resolved_at IS NULL AND {bounds_of_row}
            ORDER BY recorded_at LIMIT %(most)s::int4
        ) few
        OFFSET 0
    ) looked
) queue

-- name: parked
-- parked_recorded_at
SELECT count(*) FILTER (WHERE acknowledged_at IS NULL), min(recorded_at) FILTER (WHERE acknowledged_at IS NULL),
    count(acknowledged_at)
FROM (
    SELECT recorded_at, kind, subject, batch_id FROM parked
    WHERE {bounds_of_parked} ORDER BY recorded_at LIMIT %(most)s::int4
) p
LEFT JOIN LATERAL ({waiting}) a ON true

-- name: letters
-- dead_letters_open_reason, one range a reason.
SELECT asked.reason, queue.number, queue.oldest
FROM unnest(%(reasons)s::text[]) AS asked (reason), LATERAL (
    SELECT count(*) AS number, min(recorded_at) AS oldest
    FROM (SELECT recorded_at FROM dead_letters WHERE reason = asked.reason AND resolved_at IS NULL
          ORDER BY recorded_at LIMIT %(most)s::int4) few
) queue
WHERE queue.number > 0 AND NOT %(is_bound)s::bool

-- name: unmapped
-- search_exceptions_unmapped: from one code to the next, and along each code's range. A table lacks a code whoever has
-- acknowledged a scan with it.
WITH RECURSIVE codes AS (
    (
        SELECT carrier, code FROM search_exceptions
        WHERE verdict = 'unmapped' AND resolved_at IS NULL ORDER BY carrier, code LIMIT 1
    )
    UNION ALL
    SELECT next.carrier, next.code FROM codes
    CROSS JOIN LATERAL (
        SELECT carrier, code FROM search_exceptions
        WHERE verdict = 'unmapped' AND resolved_at IS NULL AND (carrier, code) > (codes.carrier, codes.code)
        ORDER BY carrier, code LIMIT 1
    ) next
)
SELECT few.carrier, few.code, newest.reason, queue.number, queue.oldest, newest.recorded_at, newest.return_id
FROM (SELECT carrier, code FROM codes LIMIT %(groups)s::int4) few
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(recorded_at) AS oldest
    FROM (
        SELECT recorded_at FROM search_exceptions r
        WHERE verdict = 'unmapped' AND resolved_at IS NULL AND carrier = few.carrier AND code = few.code AND {bounds_of_row}
        ORDER BY recorded_at LIMIT %(most)s::int4
    ) counted
) queue
CROSS JOIN LATERAL (
    SELECT reason, recorded_at, return_id FROM search_exceptions r
    WHERE verdict = 'unmapped' AND resolved_at IS NULL AND carrier = few.carrier AND code = few.code AND {bounds_of_row}
    ORDER BY recorded_at DESC LIMIT 1
) newest
ORDER BY queue.number DESC, few.carrier, few.code

-- name: counts
-- All of search_counts: one row a route and status.
SELECT route, status, returns FROM search_counts WHERE returns > 0

-- name: days
-- search_days_pkey
SELECT day, milestone, route, returns FROM search_days WHERE day >= %(since)s::date AND returns > 0

-- name: minutes
-- search_minutes_pkey
SELECT minute, events FROM search_minutes WHERE minute >= %(since)s::timestamptz

-- name: offsets
-- All of offsets: one row a partition.
SELECT topic, partition, next, topic_id FROM offsets

-- name: projection_lag
-- cursors_pkey, batches_pkey
SELECT coalesce((SELECT max(n) FROM batches), 0) - known.n,
    (SELECT recorded_at FROM batches WHERE batches.n = known.n + 1),
    coalesce((SELECT n FROM cursors WHERE name = 'figures'), 0) = 0
FROM (SELECT coalesce((SELECT n FROM cursors WHERE name = 'search'), 0) AS n) known
