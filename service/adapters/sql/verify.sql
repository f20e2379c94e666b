-- What `verify` reads: everything, once, in the order of the primary key.

-- name: histories
-- returns_pkey, history_pkey; a full outer join finds rows on either side without the other
SELECT coalesce(history.return_no, returns.return_no), returns.return_id, history.seq, history.source, history.id,
    history.type, history.occurred_at, history.milestone, history.data, history.verdict, history.reason,
    history.changes, history.version, history.status, history.state, history.key, history.seen
FROM history FULL JOIN returns ON returns.return_no = history.return_no
ORDER BY 1, history.seq

-- name: parked_although_known
SELECT kind, subject, source, id FROM parked
WHERE CASE kind
    WHEN 'return' THEN EXISTS (SELECT FROM returns WHERE return_id = subject)
    ELSE EXISTS (
        SELECT FROM labels
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2)
    )
END
ORDER BY kind, subject, source, id

-- name: undelivered_members
SELECT d.connote, d.source, d.id, returns.return_id
FROM connote_deliveries AS d
JOIN connote_members USING (connote)
JOIN returns USING (return_no)
WHERE NOT EXISTS (
    SELECT FROM history WHERE history.return_no = connote_members.return_no
        AND history.source = d.source AND history.id = d.id
)
ORDER BY d.connote, returns.return_id
