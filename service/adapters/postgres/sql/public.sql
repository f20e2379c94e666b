-- What the public pages ask. A number is a return_id or a tracking number, in the forms that a person may have meant. Of
-- several returns the newest claim is meant: of one that nobody contests, and so is not written down, the earliest creation.

-- name: find
-- returns_return_id_key and labels_tracking_number; then history_pkey backwards, one row for each that is found.
SELECT found.return_no, found.number, h.seq, h.version, h.state
FROM (
    SELECT return_no, return_id AS number, 1 AS kind, NULL::timestamptz AS claimed_at FROM returns
    WHERE return_id = ANY(%(numbers)s)
    UNION ALL
    SELECT return_no, tracking_number, 2, NULL FROM labels WHERE tracking_number = ANY(%(numbers)s) AND NOT EXISTS (
        SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number
            AND c.return_no = labels.return_no AND c.is_void
    )
    UNION ALL
    (SELECT return_no, tracking_number, 2, claimed_at FROM label_claims WHERE tracking_number = ANY(%(numbers)s)
        AND NOT is_void
    ORDER BY claimed_at DESC LIMIT 100)
) found
CROSS JOIN LATERAL (
    SELECT seq, version, state FROM history WHERE history.return_no = found.return_no ORDER BY seq DESC LIMIT 1
) h
ORDER BY found.kind, array_position(%(numbers)s, found.number),
    coalesce(found.claimed_at, timestamptz 'epoch' + (h.state -> 'm' -> 'RC' ->> 0)::int8 * interval '1 microsecond') DESC NULLS LAST,
    found.return_no DESC
LIMIT 1

-- name: sharing
-- label_claims_tracking_number; labels_pkey, returns_pkey. A window that overlaps that of the newest claim has no end: it
-- would end before that claim, or one that is newer still.
SELECT returns.return_id
FROM (
    SELECT return_no, carrier, claimed_at, told FROM label_claims WHERE tracking_number = %(number)s AND NOT is_void
    ORDER BY claimed_at DESC, return_no DESC LIMIT 100
) claims
JOIN returns USING (return_no)
WHERE (told ->> 'shared')::bool AND told ->> 'until' IS NULL
ORDER BY claimed_at DESC, return_no DESC
LIMIT %(most)s

-- name: alike
-- returns_look and labels_look, one probe of each a look. A number may have several returns, of several carriers.
SELECT found.number, found.return_no, found.is_return_id
FROM unnest(%(looks)s::text[]) AS looks (look)
CROSS JOIN LATERAL (
    (SELECT return_id AS number, return_no, true AS is_return_id FROM returns
     WHERE translate(upper(return_id COLLATE "C"), 'OI._-', '01') = looks.look LIMIT %(most)s)
    UNION ALL
    (SELECT tracking_number, return_no, false FROM labels
     WHERE translate(upper(tracking_number COLLATE "C"), 'OI._-', '01') = looks.look AND NOT EXISTS (
        SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number
            AND c.return_no = labels.return_no AND c.is_void
    ) LIMIT %(most)s)
) found

-- name: states
-- For each of a list, the state of what `find` finds.
SELECT asked.number, state.seq, state.version, state.state
FROM unnest(%(numbers)s::text[]) AS asked (number)
CROSS JOIN LATERAL (
    SELECT h.seq, h.version, h.state
    FROM (
        SELECT return_no, 1 AS kind, NULL::timestamptz AS claimed_at FROM returns WHERE return_id = asked.number
        UNION ALL
        SELECT return_no, 2, NULL FROM labels WHERE tracking_number = asked.number AND NOT EXISTS (
        SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number
            AND c.return_no = labels.return_no AND c.is_void
    )
        UNION ALL
        (SELECT return_no, 2, claimed_at FROM label_claims WHERE tracking_number = asked.number AND NOT is_void
        ORDER BY claimed_at DESC LIMIT 100)
    ) found
    CROSS JOIN LATERAL (
        SELECT seq, version, state FROM history WHERE history.return_no = found.return_no ORDER BY seq DESC LIMIT 1
    ) h
    ORDER BY found.kind,
        coalesce(found.claimed_at, timestamptz 'epoch' + (h.state -> 'm' -> 'RC' ->> 0)::int8 * interval '1 microsecond') DESC NULLS LAST,
        found.return_no DESC
    LIMIT 1
) state

-- name: revisions
-- For each of a list, what `find` does.
SELECT asked.i, revision.version, revision.seq
FROM unnest(%(first)s::text[], %(second)s::text[]) WITH ORDINALITY AS asked (first, second, i)
CROSS JOIN LATERAL (
    SELECT h.version, h.seq
    FROM (
        SELECT return_no, return_id AS number, 1 AS kind, NULL::timestamptz AS claimed_at FROM returns
        WHERE return_id IN (asked.first, asked.second)
        UNION ALL
        SELECT return_no, tracking_number, 2, NULL FROM labels
        WHERE tracking_number IN (asked.first, asked.second) AND NOT EXISTS (
        SELECT FROM label_claims AS c WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number
            AND c.return_no = labels.return_no AND c.is_void
    )
        UNION ALL
        (SELECT return_no, tracking_number, 2, claimed_at FROM label_claims
        WHERE tracking_number IN (asked.first, asked.second) AND NOT is_void ORDER BY claimed_at DESC LIMIT 100)
    ) found
    CROSS JOIN LATERAL (
        SELECT seq, version, state FROM history WHERE history.return_no = found.return_no ORDER BY seq DESC LIMIT 1
    ) h
    ORDER BY found.kind, found.number = asked.first DESC,
        coalesce(found.claimed_at, timestamptz 'epoch' + (h.state -> 'm' -> 'RC' ->> 0)::int8 * interval '1 microsecond') DESC NULLS LAST,
        found.return_no DESC
    LIMIT 1
) revision

-- name: completed
-- search_returns_status backwards, one range a route, or search_returns_pkey where most returns have that status; then
-- history_pkey, one probe a return.
SELECT h.seq, h.version, h.state
FROM (
    (SELECT return_no, seq FROM search_returns WHERE status = 'RDBTC' ORDER BY return_no DESC LIMIT %(limit)s)
    UNION ALL
    -- Of those that the carrier has delivered, the ones that go no further; it looks at so many and no more.
    (SELECT return_no, seq
     FROM (SELECT return_no, seq, complete, closed_at FROM search_returns WHERE status = 'RDTPF'
           ORDER BY return_no DESC LIMIT 5 * %(limit)s) delivered
     WHERE complete AND closed_at IS NULL LIMIT %(limit)s)
) ended
JOIN history h ON h.return_no = ended.return_no AND h.seq = ended.seq
