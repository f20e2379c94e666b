-- Voids that named nothing when they were recorded, or name nothing since later. There are few at a time.

-- name: watch
-- unheard_voids_pkey; in one order for all workers
INSERT INTO unheard_voids (return_no, name, source, id)
SELECT return_no, name, source, id
FROM unnest(%s::int8[], %s::bytea[], %s::text[], %s::text[]) AS new (return_no, name, source, id)
ORDER BY return_no, name
ON CONFLICT DO NOTHING

-- name: watch_anew
-- unheard_voids_pkey; in one order for all workers. Who looks at one meanwhile does not know what it lost, and lets it stay.
INSERT INTO unheard_voids (return_no, name, source, id)
SELECT return_no, name, source, id
FROM unnest(%s::int8[], %s::bytea[], %s::text[], %s::text[]) AS new (return_no, name, source, id)
ORDER BY return_no, name
ON CONFLICT (return_no, name) DO UPDATE SET recorded_at = excluded.recorded_at

-- name: due
-- unheard_voids_recorded_at, returns_pkey, history_pkey, connote_deliveries_pkey. A void for all members of a connote may name
-- a delivery that only some of them have: connotes are used again.
SELECT due.return_no, known.return_id, due.source, due.id, due.recorded_at + interval '1 hour', EXISTS (
    SELECT FROM history
    WHERE history.return_no = due.return_no AND history.source = due.source AND history.id = due.id
    OFFSET 0
), EXISTS (
    SELECT FROM history AS void
    JOIN connote_deliveries AS d ON d.connote = void.data ->> 'connote' AND d.source = due.source AND d.id = due.id
    WHERE void.return_no = due.return_no AND void.type = 'com.omnirps.event.voided.v1'
        AND void.data ->> 'source' = due.source AND void.data ->> 'id' = due.id
    OFFSET 0
)
FROM (
    SELECT * FROM unheard_voids WHERE recorded_at < now() - interval '1 hour'
    ORDER BY recorded_at, return_no, name LIMIT %s::int4
) AS due
CROSS JOIN LATERAL (SELECT return_id FROM returns WHERE returns.return_no = due.return_no LIMIT 1) AS known

-- name: forget
-- unheard_voids_pkey; in one order for all workers
DELETE FROM unheard_voids
USING (
    SELECT known.return_no, known.name
    FROM unnest(%s::int8[], %s::bytea[], %s::timestamptz[]) AS done (return_no, name, at)
    CROSS JOIN LATERAL (
        SELECT return_no, name FROM unheard_voids
        WHERE unheard_voids.return_no = done.return_no AND unheard_voids.name = done.name
            AND unheard_voids.recorded_at = done.at - interval '1 hour'
        FOR UPDATE LIMIT 1
    ) AS known
    ORDER BY return_no, name
) AS locked
WHERE unheard_voids.return_no = locked.return_no AND unheard_voids.name = locked.name
