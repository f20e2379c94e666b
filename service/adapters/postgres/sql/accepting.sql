-- What is asked for events that are to be sent: which returns they concern. {bounds_of_row} is that of
-- reading/bounds.py; of the others the state says whether it is seen.

-- name: of_return
-- returns_return_id_key, history_pkey backwards.
SELECT returns.return_no, returns.return_id, last.seq, last.version, last.seen, last.state::text
FROM returns
CROSS JOIN LATERAL (
    SELECT seq, version, seen, state FROM history WHERE history.return_no = returns.return_no ORDER BY seq DESC LIMIT 1
) AS last
WHERE returns.return_id = %(subject)s
LIMIT %(limit)s

-- name: of_label
-- labels_pkey, label_claims_pkey, returns_pkey, history_pkey backwards; so many claims and no more.
SELECT returns.return_no, returns.return_id, last.seq, last.version, last.seen, last.state::text
FROM (
    SELECT return_no FROM labels
    WHERE carrier = split_part(%(subject)s, '/', 1) AND tracking_number = split_part(%(subject)s, '/', 2)
        AND NOT EXISTS (
        SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number
            AND c.return_no = labels.return_no AND c.is_void
    )
    UNION
    (SELECT return_no FROM label_claims
    WHERE carrier = split_part(%(subject)s, '/', 1) AND tracking_number = split_part(%(subject)s, '/', 2)
        AND NOT is_void
    ORDER BY return_no LIMIT %(limit)s)
) AS claims
JOIN returns USING (return_no)
CROSS JOIN LATERAL (
    SELECT seq, version, seen, state FROM history WHERE history.return_no = returns.return_no ORDER BY seq DESC LIMIT 1
) AS last
LIMIT %(limit)s

-- name: of_connote
-- connote_members_pkey, returns_pkey, history_pkey backwards; so many members and no more.
SELECT returns.return_no, returns.return_id, last.seq, last.version, last.seen, last.state::text
FROM (
    SELECT return_no FROM connote_members r WHERE connote = %(subject)s AND {bounds_of_row} ORDER BY return_no LIMIT %(limit)s
) AS members
JOIN returns USING (return_no)
CROSS JOIN LATERAL (
    SELECT seq, version, seen, state FROM history WHERE history.return_no = returns.return_no ORDER BY seq DESC LIMIT 1
) AS last
