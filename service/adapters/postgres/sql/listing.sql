-- Pages of lists. They are planned with the values at hand, so that a filter that is null is none for the planner, and the
-- others choose the index: each query names those that it may use.
--
-- {columns} are those of the list's rows, {compared} its filters that compare a column with a value or let all through.
-- {within} bounds an index's columns from both sides instead of naming their values: with an equality the planner could
-- take another index for the order, and walk over all rows of other values. Of the range, {order}, no more than `most` rows
-- are looked at; the outer filters are for those. What is named inside, {few}, finds few rows by an index of its own.
--
-- {bounds}, {bounds_of_exception} and {bounds_of_parked} leave out what whoever asks must not see: reading/bounds.py has them.
-- {acknowledged} and {acknowledgement} tell what somebody has seen already: reading/acknowledged.py.

-- name: returns
-- Backwards, one range of search_returns_pkey, or where the list is filtered by one of them, of
-- search_returns_retailer_status, _hub_status, _carrier_status, _retailer, _hub, _carrier or _status. A list by order
-- number or connote goes by search_returns_order_number or _connote, one by return or tracking number by search_returns_pkey,
-- once returns_return_id_key, or labels_tracking_number and label_claims_tracking_number, have said which they are; each sorts
-- what little there is. `due` is a JSON object where only those that are not stuck are wanted.
SELECT {columns}
FROM (SELECT * FROM search_returns WHERE {within} AND {few} ORDER BY {order} LIMIT %(most)s::int4) s
WHERE {compared} AND {bounds} AND (%(updated_since)s::timestamptz IS NULL OR updated_at >= %(updated_since)s::timestamptz)
    AND (%(due)s::json IS NULL OR complete OR status_recorded_at >= (%(due)s::json ->> status)::timestamptz)
ORDER BY {order}
LIMIT %(limit)s::int4

-- name: returns_upto
-- As above: where looking ended.
SELECT {key} FROM search_returns WHERE {within} AND {few} ORDER BY {order} OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: stuck_returns
-- search_returns_stuck, of one retailer search_returns_retailer_stuck; one range a status.
SELECT stuck.*
FROM unnest(%(statuses)s::text[], %(due)s::timestamptz[]) AS late (status, due)
CROSS JOIN LATERAL (
    SELECT {columns}
    FROM (
        SELECT * FROM search_returns
        WHERE status = late.status AND NOT complete AND status_recorded_at < late.due
            AND (status_recorded_at, return_no) > (%(after_at)s::timestamptz, %(after)s::int8) AND {few}
        ORDER BY {key}
        LIMIT %(most)s::int4
    ) s
    WHERE {compared} AND {bounds} AND (%(updated_since)s::timestamptz IS NULL OR updated_at >= %(updated_since)s::timestamptz)
    ORDER BY {key}
    LIMIT %(limit)s::int4
) stuck
ORDER BY stuck.status_recorded_at, stuck.return_no
LIMIT %(limit)s::int4

-- name: stuck_returns_upto
-- As above: where looking ended first.
SELECT stuck.*
FROM unnest(%(statuses)s::text[], %(due)s::timestamptz[]) AS late (status, due)
CROSS JOIN LATERAL (
    SELECT {key} FROM search_returns
    WHERE status = late.status AND NOT complete AND status_recorded_at < late.due
        AND (status_recorded_at, return_no) > (%(after_at)s::timestamptz, %(after)s::int8) AND {few}
    ORDER BY {key}
    OFFSET %(most)s::int4 - 1 LIMIT 1
) stuck
ORDER BY stuck.status_recorded_at, stuck.return_no
LIMIT 1

-- name: exceptions
-- Backwards, one range of search_exceptions_recorded_at, _all_open or _resolved, or where the list is filtered by one of
-- them, of _code, _open_reason, _open, _reason, _verdict or _carrier; of one return search_exceptions_pkey. Then
-- history_pkey, a probe a row, for where the event came from.
SELECT {columns}
FROM (
    SELECT * FROM (
        SELECT * FROM search_exceptions
        WHERE {within}
            AND (%(return_id)s::text IS NULL
                OR return_no = (SELECT r.return_no FROM returns r WHERE r.return_id = %(return_id)s::text))
        ORDER BY {order}
        LIMIT %(most)s::int4
    ) r
    WHERE {compared} AND {bounds_of_exception}
        AND (%(open)s::bool IS NULL OR (%(open)s::bool AND resolved_at IS NULL)
            OR (NOT %(open)s::bool AND resolved_at IS NOT NULL))
        AND (%(hidden)s::bool IS NULL OR %(hidden)s::bool = {acknowledged})
    ORDER BY {order}
    LIMIT %(limit)s::int4
) e
LEFT JOIN LATERAL (
    SELECT topic, partition, "offset" FROM history WHERE history.return_no = e.return_no AND history.seq = e.seq LIMIT 1
) h ON true
LEFT JOIN LATERAL ({acknowledgement}) a ON e.resolved_at IS NULL
ORDER BY e.recorded_at DESC, e.return_no DESC, e.seq DESC

-- name: exceptions_upto
-- As above: where looking ended.
SELECT {key} FROM search_exceptions
WHERE {within}
    AND (%(return_id)s::text IS NULL
        OR return_no = (SELECT r.return_no FROM returns r WHERE r.return_id = %(return_id)s::text))
ORDER BY {order}
OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: parked
-- parked_recorded_at backwards; of one return parked_newest. A void that waits for an hour names nothing.
SELECT {columns}
FROM (
    SELECT *, coalesce(unmapped, CASE WHEN type = 'com.omnirps.event.voided.v1'
        AND recorded_at < now() - interval '1 hour' THEN 'void_without_event' END) AS reason
    FROM parked
    WHERE {within} AND (%(return_id)s::text IS NULL OR (kind = 'return' AND subject = %(return_id)s::text))
    ORDER BY {order}
    LIMIT %(most)s::int4
) p
LEFT JOIN LATERAL ({waiting}) a ON true
WHERE (%(hidden)s::bool IS NULL OR %(hidden)s::bool = (acknowledged_at IS NOT NULL)) AND {bounds_of_parked}
    AND (%(carrier)s::text IS NULL OR (kind = 'label' AND split_part(subject, '/', 1) = %(carrier)s::text))
    AND (%(code)s::text IS NULL OR code = %(code)s::text)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s::text)
ORDER BY {order}
LIMIT %(limit)s::int4

-- name: parked_upto
-- As above: where looking ended.
SELECT {key} FROM parked
WHERE {within} AND (%(return_id)s::text IS NULL OR (kind = 'return' AND subject = %(return_id)s::text))
ORDER BY {order}
OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: letters
-- Backwards, one range of dead_letters_recorded_at, _open_recorded_at or _resolved, or where the list is filtered by one of
-- them, of _open_reason, _reason or _topic; `since` and `until` bound it. What is long is left to the letter by itself.
SELECT letter_no, topic, topic_id, partition, "offset", published_at,
    CASE WHEN octet_length(key) <= 4096 THEN key END AS key,
    CASE WHEN octet_length(value) <= %(most_bytes)s::int4 THEN value END AS value, octet_length(value) AS size,
    CASE WHEN octet_length(headers::text) <= 16384 THEN headers ELSE '[]'::json END AS headers, reason, error, attempts,
    recorded_at, resolved_at
FROM (SELECT * FROM dead_letters WHERE {within} ORDER BY {order} LIMIT %(most)s::int4) looked
WHERE {compared}
    AND (%(open)s::bool IS NULL OR (%(open)s::bool AND resolved_at IS NULL)
        OR (NOT %(open)s::bool AND resolved_at IS NOT NULL))
ORDER BY {order}
LIMIT %(limit)s::int4

-- name: letters_upto
-- As above: where looking ended.
SELECT {key} FROM dead_letters WHERE {within} ORDER BY {order} OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: letter
-- dead_letters_pkey
SELECT letter_no, topic, topic_id, partition, "offset", published_at, key, value, octet_length(value) AS size, headers,
    reason, error, attempts, recorded_at, resolved_at
FROM dead_letters WHERE letter_no = %s::int8
