-- What waits and is no return's, as subscribers are told of it. One worker looks at a time. What a transaction parks is of
-- the time when it began, and none lasts for an hour: behind the place of the last look nothing comes any more.

-- name: try_look
SELECT pg_try_advisory_xact_lock(%s::int8)

-- name: place
-- wait_looks_pkey
SELECT parked, deliveries, kind, subject FROM wait_looks

-- name: parked_upto
-- parked_recorded_at: so many rows, and those that were recorded at the same time as the last of them.
SELECT coalesce((
    SELECT recorded_at FROM parked
    WHERE recorded_at > %(after)s::timestamptz AND recorded_at <= now() - interval '1 hour'
    ORDER BY recorded_at OFFSET %(most)s::int4 - 1 LIMIT 1
), greatest(now() - interval '1 hour', %(after)s::timestamptz))

-- name: parked
-- parked_recorded_at, one range; told_waits_pkey
INSERT INTO told_waits (kind, subject, since, event)
SELECT DISTINCT ON (kind, subject) kind, subject, recorded_at, json_build_object(
    'type', type, 'source', source, 'id', id, 'milestone', milestone, 'code', code, 'occurred_at', occurred_at,
    'origin', json_build_object('topic', topic, 'partition', partition, 'offset', "offset")
)
FROM parked
WHERE recorded_at > %(after)s::timestamptz AND recorded_at <= %(upto)s::timestamptz
ORDER BY kind, subject, recorded_at, source, id
ON CONFLICT DO NOTHING
RETURNING kind, subject, since, event::text

-- name: deliveries_upto
-- connote_deliveries_recorded_at, likewise
SELECT coalesce((
    SELECT recorded_at FROM connote_deliveries
    WHERE recorded_at > %(after)s::timestamptz AND recorded_at <= now() - interval '1 hour'
    ORDER BY recorded_at OFFSET %(most)s::int4 - 1 LIMIT 1
), greatest(now() - interval '1 hour', %(after)s::timestamptz))

-- name: deliveries
-- connote_deliveries_recorded_at, one range; connote_members_pkey and connote_deliveries_void, probes; told_waits_pkey
INSERT INTO told_waits (kind, subject, since, event)
SELECT DISTINCT ON (connote) 'connote', connote, recorded_at, json_build_object(
    'type', type, 'source', source, 'id', id, 'milestone', 'RDBTC', 'code', NULL, 'occurred_at', occurred_at,
    'origin', json_build_object('topic', topic, 'partition', partition, 'offset', "offset")
)
FROM connote_deliveries AS d
WHERE recorded_at > %(after)s::timestamptz AND recorded_at <= %(upto)s::timestamptz
    AND type <> 'com.omnirps.event.voided.v1'
    AND NOT EXISTS (SELECT FROM connote_members AS m WHERE m.connote = d.connote OFFSET 0)
    AND NOT EXISTS (
        SELECT FROM connote_deliveries AS void WHERE void.connote = d.connote AND void.type = 'com.omnirps.event.voided.v1'
            AND void.data ->> 'source' = d.source AND void.data ->> 'id' = d.id OFFSET 0
    )
ORDER BY connote, recorded_at, source, id
ON CONFLICT DO NOTHING
RETURNING kind, subject, since, event::text

-- name: open
-- told_waits_pkey, so many from the place on; parked_newest, or connote_members_pkey, connote_deliveries_pkey and _void, probes
-- a wait. Those that are over, and those that are to be told again.
SELECT kind, subject, since, event::text, told, CASE kind
    WHEN 'connote' THEN NOT EXISTS (SELECT FROM connote_members AS m WHERE m.connote = subject OFFSET 0) AND EXISTS (
        SELECT FROM connote_deliveries AS d WHERE d.connote = subject AND d.type <> 'com.omnirps.event.voided.v1'
            AND NOT EXISTS (
                SELECT FROM connote_deliveries AS void
                WHERE void.connote = subject AND void.type = 'com.omnirps.event.voided.v1'
                    AND void.data ->> 'source' = d.source AND void.data ->> 'id' = d.id OFFSET 0
            )
        OFFSET 0
    )
    ELSE EXISTS (SELECT FROM parked AS p WHERE p.kind = w.kind AND p.subject = w.subject OFFSET 0)
END AS waits
FROM told_waits AS w
WHERE (kind, subject) > (%(kind)s::text, %(subject)s::text)
ORDER BY kind, subject LIMIT %(most)s::int4

-- name: ended
-- told_waits_pkey
DELETE FROM told_waits USING unnest(%s::text[], %s::text[]) AS over (kind, subject)
WHERE told_waits.kind = over.kind AND told_waits.subject = over.subject

-- name: told_again
-- told_waits_pkey
UPDATE told_waits SET told = true FROM unnest(%s::text[], %s::text[]) AS open (kind, subject)
WHERE told_waits.kind = open.kind AND told_waits.subject = open.subject

-- name: moved
-- wait_moves_pkey
INSERT INTO wait_moves (batch_id, kind, subject, state, since, event)
SELECT %s::text::xid8, kind, subject, state, since, event::json
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS new (kind, subject, state, since, event)

-- name: go_on
-- wait_looks_pkey
UPDATE wait_looks SET parked = %s, deliveries = %s, kind = %s, subject = %s

-- name: tell_again
-- All of told_waits: once a reconciliation.
UPDATE told_waits SET told = false
