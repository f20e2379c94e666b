-- What the operations desk asks of one return, or of a number that could be anything. Lists are in listing.sql.
-- {bounds} and {bounds_of_row}: see reading/bounds.py; of who is not bound they ask nothing.

-- name: find
-- returns_return_id_key; labels_tracking_number and returns_pkey, label_claims_pkey, label_claims_tracking_number; then for each number the beginning of one range of
-- search_returns_tracking_number, _order_number, _connote and _retailer. Two of a kind tell that there are many.
-- The labels know a tracking number at once, the search table also the returns that another one was faster than.
-- The ranges are bounded by the index's columns, not by their values: with an equality the planner may take a value for
-- so common that it reads the table until it has met two, which a value that nobody has lets it do to the end.
SELECT kind, value, return_id
FROM (
    SELECT 'return_id' AS kind, return_id AS value, return_id FROM returns r
    WHERE return_id = ANY (%(numbers)s::text[]) AND {bounds_of_row}
    UNION
    SELECT 'tracking_number', tracking_number, r.return_id
    FROM labels JOIN returns r USING (return_no) WHERE tracking_number = ANY (%(numbers)s::text[]) AND {bounds_of_row}
    AND NOT EXISTS (
        SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number
            AND c.return_no = labels.return_no AND c.is_void
    )
    UNION
    (SELECT 'tracking_number', tracking_number, r.return_id
    FROM label_claims JOIN returns r USING (return_no)
    WHERE tracking_number = ANY (%(numbers)s::text[]) AND {bounds_of_row} AND NOT is_void
    ORDER BY return_no DESC LIMIT 100)
    UNION
    SELECT known.kind, number, known.return_id
    FROM unnest(%(numbers)s::text[]) AS asked (number), LATERAL (
        (SELECT 'tracking_number' AS kind, return_id FROM search_returns s
        WHERE ROW (tracking_number, return_no) > ROW (number, 0::int8)
            AND ROW (tracking_number, return_no) < ROW (number, 9223372036854775807) AND {bounds}
        ORDER BY tracking_number, return_no LIMIT 2)
        UNION ALL
        (SELECT 'connote', return_id FROM search_returns s
        WHERE connote IS NOT NULL AND ROW (connote, return_no) > ROW (number, 0::int8)
            AND ROW (connote, return_no) < ROW (number, 9223372036854775807) AND {bounds}
        ORDER BY connote, return_no LIMIT 2)
    ) known
    UNION
    SELECT 'order_number', number, known.return_id
    FROM unnest(%(orders)s::text[]) AS asked (number), LATERAL (
        SELECT return_id FROM search_returns s
        WHERE order_number IS NOT NULL AND ROW (order_number, return_no) > ROW (number, 0::int8)
            AND ROW (order_number, return_no) < ROW (number, 9223372036854775807) AND {bounds}
        ORDER BY order_number, return_no LIMIT 2
    ) known
    UNION
    (SELECT 'retailer', retailer, return_id FROM search_returns s
        WHERE ROW (retailer, return_no) > ROW (%(retailer)s::text, 0::int8)
            AND ROW (retailer, return_no) < ROW (%(retailer)s::text, 9223372036854775807) AND {bounds}
        ORDER BY s.retailer, return_no LIMIT 2)
) found
ORDER BY kind, value, return_id

-- name: connotes
-- connote_members_pkey, connote_deliveries_pkey, a probe a number.
SELECT number FROM unnest(%(numbers)s::text[]) AS asked (number)
WHERE EXISTS (SELECT FROM connote_members r WHERE connote = number AND {bounds_of_row})
    OR (NOT %(is_bound)s::bool AND EXISTS (SELECT FROM connote_deliveries WHERE connote = number))

-- name: head
-- returns_return_id_key, history_pkey backwards, one row, search_returns_pkey.
SELECT r.return_no, h.seq, h.version, h.state, s.status, s.status_recorded_at, s.hub
FROM returns r
CROSS JOIN LATERAL (
    SELECT seq, version, state FROM history WHERE history.return_no = r.return_no ORDER BY seq DESC LIMIT 1
) h
LEFT JOIN search_returns s ON s.return_no = r.return_no
WHERE r.return_id = %s
