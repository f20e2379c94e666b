-- What `verify` reads: everything, once, in the order of the primary key.

-- name: histories
-- returns_pkey, history_pkey; a full outer join finds rows on either side without the other
SELECT coalesce(history.return_no, returns.return_no), returns.return_id, history.seq, history.source, history.id,
    history.type, history.occurred_at, history.milestone, history.data, history.verdict, history.reason,
    history.changes, history.version, history.status, history.state, history.key, history.seen, history.effect,
    history.exceptions, history.is_ahead, history.retailers
FROM history FULL JOIN returns ON returns.return_no = history.return_no
ORDER BY 1, history.seq

-- name: labels
-- All of both tables, in the order of returns: whose labels are, and what is kept of claims. A label is contested by a claim
-- that the sweep has seen: until then the claim of who was first need not be kept.
SELECT return_no, carrier, tracking_number, c.claimed_at, c.retailer, c.closed_at, c.is_void, c.told,
    contested.carrier IS NOT NULL
FROM labels FULL JOIN label_claims AS c USING (carrier, tracking_number, return_no)
LEFT JOIN (
    SELECT DISTINCT carrier, tracking_number FROM label_claims
    WHERE NOT is_void AND batch_id NOT IN (
        SELECT batch_id FROM batches WHERE n > coalesce((SELECT n FROM cursors WHERE name = 'sweep'), 0)
    )
) AS contested USING (carrier, tracking_number)
ORDER BY return_no

-- name: continuations
SELECT return_id, document FROM continuations

-- name: parked_although_known
SELECT kind, subject, source, id FROM parked
WHERE CASE kind
    WHEN 'return' THEN EXISTS (SELECT FROM returns WHERE return_id = subject)
    ELSE retailers = '' AND EXISTS (
        SELECT FROM labels
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2)
            AND NOT EXISTS (
                SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier
                    AND c.tracking_number = labels.tracking_number AND c.return_no = labels.return_no AND c.is_void
            )
    ) OR EXISTS (
        SELECT FROM label_claims
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2) AND NOT is_void
            AND (parked.retailers = '' OR label_claims.retailer = ANY (string_to_array(parked.retailers, ',')))
    )
END
ORDER BY kind, subject, source, id, words

-- name: undelivered_members
SELECT d.connote, d.source, d.id, returns.return_id
FROM connote_deliveries AS d
JOIN connote_members USING (connote)
JOIN returns USING (return_no)
WHERE (d.occurred_at - %b::int4 * interval '24 hours' <= connote_members.exported_at
    OR d.type = 'com.omnirps.event.voided.v1') AND NOT EXISTS (
    SELECT FROM history WHERE history.return_no = connote_members.return_no
        AND history.source = d.source AND history.id = d.id
        AND CASE WHEN d.words <> ''::bytea AND octet_length(history.key) = 16 THEN substr(history.key, 9) = d.words
            ELSE history.occurred_at = d.occurred_at AND history.data::jsonb = d.data::jsonb END
)
ORDER BY d.connote, returns.return_id

-- name: listed_otherwise
-- Each return as lists show it, beside the last row of its history up to the batch that `project` has come to.
SELECT returns.return_id, listed.version, last.version, listed.status, last.status
FROM (
    SELECT DISTINCT ON (history.return_no) history.return_no, history.version, history.status
    FROM history JOIN batches ON batches.batch_id = history.batch_id
    WHERE batches.n <= (SELECT n FROM cursors WHERE name = 'search')
    ORDER BY history.return_no, history.seq DESC
) AS last
FULL JOIN search_returns AS listed ON listed.return_no = last.return_no
JOIN returns ON returns.return_no = coalesce(last.return_no, listed.return_no)
WHERE listed.version IS DISTINCT FROM last.version OR listed.status IS DISTINCT FROM last.status
ORDER BY returns.return_id

-- name: miscounted_returns
-- Figures of returns beside what they hold of each. From before there were figures, they hold nothing (`reached`).
SELECT route, status, coalesce(held.returns, 0), coalesce(counted.returns, 0)
FROM search_counts AS held
FULL JOIN (
    SELECT route, status, count(*) AS returns FROM search_returns WHERE reached IS NOT NULL GROUP BY route, status
) AS counted USING (route, status)
WHERE coalesce(held.returns, 0) <> coalesce(counted.returns, 0)
ORDER BY route, status

-- name: miscounted_days
SELECT day, milestone, route, coalesce(held.returns, 0), coalesce(counted.returns, 0)
FROM search_days AS held
FULL JOIN (
    SELECT reached.day, milestones.milestone, listed.route, count(*) AS returns
    FROM search_returns AS listed
    CROSS JOIN LATERAL unnest(listed.reached) WITH ORDINALITY AS reached (day, place)
    JOIN unnest(%b::text[]) WITH ORDINALITY AS milestones (milestone, place) ON milestones.place = reached.place
    WHERE reached.day IS NOT NULL
    GROUP BY reached.day, milestones.milestone, listed.route
) AS counted USING (day, milestone, route)
WHERE coalesce(held.returns, 0) <> coalesce(counted.returns, 0)
ORDER BY day, milestone, route

-- name: miscounted_connotes
SELECT connote, retailer, carrier, coalesce(held.under_way, 0), coalesce(counted.under_way, 0),
    coalesce(held.delivered, 0), coalesce(counted.delivered, 0)
FROM search_connotes AS held
FULL JOIN (
    SELECT connote, retailer, carrier, count(*) FILTER (WHERE status = 'RE') AS under_way,
        count(*) FILTER (WHERE status = 'RDBTC') AS delivered
    FROM search_returns WHERE connote IS NOT NULL AND status IN ('RE', 'RDBTC') GROUP BY connote, retailer, carrier
) AS counted USING (connote, retailer, carrier)
WHERE coalesce(held.under_way, 0) <> coalesce(counted.under_way, 0)
    OR coalesce(held.delivered, 0) <> coalesce(counted.delivered, 0)
ORDER BY connote, retailer, carrier

-- name: miscounted_minutes
SELECT minute, coalesce(held.events, 0), coalesce(counted.events, 0)
FROM search_minutes AS held
FULL JOIN (
    SELECT date_trunc('minute', recorded_at) AS minute, sum(events) AS events FROM batches
    WHERE n <= coalesce((SELECT n FROM cursors WHERE name = 'minutes'), 0) AND events > 0 GROUP BY 1
) AS counted USING (minute)
WHERE coalesce(held.events, 0) <> coalesce(counted.events, 0)
ORDER BY minute

-- name: contested
-- label_claims_pkey, all of it: few labels have claims
SELECT carrier, tracking_number FROM label_claims
GROUP BY carrier, tracking_number HAVING count(*) > 1
ORDER BY carrier, tracking_number
