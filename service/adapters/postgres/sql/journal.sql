-- What ingestion asks and writes. Each is an index probe a key, whatever the size of the tables, and must stay one:
-- plans are made while the tables are still empty, and kept. So the session plans nothing else (see
-- `database.probe_indexes`), and a join is written as a LATERAL with a LIMIT or OFFSET 0, which the planner cannot turn
-- into a comparison of everything with everything.

-- name: advance_offsets
-- offsets_pkey. A worker that was told no id by its broker has none to compare.
UPDATE offsets SET next = move.next, leader_epoch = nullif(move.leader_epoch, -1)
FROM unnest(%b::text[], %b::int4[], %b::int8[], %b::int8[], %b::uuid[], %b::int4[])
    AS move (topic, partition, expected, next, topic_id, leader_epoch)
WHERE offsets.topic = move.topic AND offsets.partition = move.partition AND offsets.next = move.expected
    AND (move.topic_id IS NULL OR offsets.topic_id = move.topic_id)

-- name: rebind_offsets
-- offsets_pkey
UPDATE offsets SET next = move.next, topic_id = move.topic_id, leader_epoch = nullif(move.leader_epoch, -1)
FROM unnest(%b::text[], %b::int4[], %b::int8[], %b::uuid[], %b::int8[], %b::uuid[], %b::int4[])
    AS move (topic, partition, expected, expected_id, next, topic_id, leader_epoch)
WHERE offsets.topic = move.topic AND offsets.partition = move.partition AND offsets.next = move.expected
    AND offsets.topic_id IS NOT DISTINCT FROM move.expected_id

-- name: start_offsets
-- offsets_pkey
INSERT INTO offsets (topic, partition, next, topic_id)
SELECT topic, partition, next, topic_id
FROM unnest(%b::text[], %b::int4[], %b::int8[], %b::uuid[]) AS start (topic, partition, next, topic_id)
ORDER BY topic, partition
ON CONFLICT DO NOTHING

-- name: stored_offsets
-- offsets_pkey
SELECT offsets.topic, offsets.partition, offsets.next, offsets.topic_id, coalesce(offsets.leader_epoch, -1)
FROM unnest(%b::text[], %b::int4[]) AS wanted (topic, partition)
JOIN offsets ON offsets.topic = wanted.topic AND offsets.partition = wanted.partition

-- name: find_returns
-- returns_return_id_key
SELECT wanted.return_id, found.return_no FROM unnest(%b::text[]) AS wanted (return_id)
CROSS JOIN LATERAL (SELECT return_no FROM returns WHERE returns.return_id = wanted.return_id LIMIT 1) AS found

-- name: create_returns
-- returns_return_id_key, continuations_pkey; in one order for all workers, or two of them could wait for each other
INSERT INTO returns (return_id, batch_id)
SELECT return_id, %b::text::xid8 FROM unnest(%b::text[]) AS new (return_id) ORDER BY return_id
-- Not where the number is taken: then the sequence is behind (identities.py).
ON CONFLICT (return_id) DO NOTHING
RETURNING return_id, return_no, EXISTS (SELECT FROM continuations WHERE continuations.return_id = returns.return_id)

-- name: continuations
-- continuations_pkey
SELECT wanted.return_id, found.document
FROM unnest(%b::text[]) AS wanted (return_id)
CROSS JOIN LATERAL (SELECT document FROM continuations WHERE continuations.return_id = wanted.return_id LIMIT 1) AS found

-- name: find_labels
-- labels_pkey
SELECT wanted.carrier, wanted.tracking_number, found.return_no
FROM unnest(%b::text[], %b::text[]) AS wanted (carrier, tracking_number)
CROSS JOIN LATERAL (
    SELECT return_no FROM labels
    WHERE labels.carrier = wanted.carrier AND labels.tracking_number = wanted.tracking_number LIMIT 1
) AS found

-- name: claim_labels
-- labels_pkey; in one order for all workers
INSERT INTO labels (carrier, tracking_number, return_no, batch_id)
SELECT carrier, tracking_number, return_no, %b::text::xid8
FROM unnest(%b::text[], %b::text[], %b::int8[]) AS new (carrier, tracking_number, return_no)
ORDER BY carrier, tracking_number
ON CONFLICT DO NOTHING
RETURNING carrier, tracking_number, return_no

-- name: load_states
-- history_pkey, backwards, one row a return
SELECT wanted.return_no, last.seq, last.version, last.seen, last.state::text
FROM unnest(%b::int8[]) AS wanted (return_no)
CROSS JOIN LATERAL (
    SELECT seq, version, seen, state FROM history
    WHERE history.return_no = wanted.return_no ORDER BY seq DESC LIMIT 1
) AS last

-- name: load_keys
-- history_pkey; for the few returns with so many events that their keys are not in the state
SELECT wanted.return_no, all_of_it.keys
FROM unnest(%b::int8[]) AS wanted (return_no)
CROSS JOIN LATERAL (
    SELECT string_agg(key, ''::bytea ORDER BY seq) AS keys FROM history WHERE history.return_no = wanted.return_no
) AS all_of_it

-- name: load_past
-- history_pkey
SELECT return_no, source, id, type, occurred_at, milestone, data, verdict, reason, effect, is_ahead, retailers
FROM history WHERE return_no = ANY(%b::int8[]) ORDER BY return_no, seq

-- name: copy_history
COPY history ({history}) FROM STDIN (FORMAT BINARY)

-- name: make_contested
CREATE TEMPORARY TABLE IF NOT EXISTS contested (LIKE history INCLUDING DEFAULTS) ON COMMIT DELETE ROWS

-- name: clear_contested
TRUNCATE contested

-- name: copy_contested
COPY contested ({history}) FROM STDIN (FORMAT BINARY)

-- name: append_first
-- The first new row of each return, which decides who was first; in one order for all workers.
INSERT INTO history
SELECT * FROM contested ORDER BY return_no
ON CONFLICT DO NOTHING
RETURNING return_no

-- name: copy_parked
COPY parked (batch_id, words, kind, subject, unmapped, {event}) FROM STDIN (FORMAT BINARY)

-- name: park
-- parked_pkey; in one order for all workers, who copy by the same
INSERT INTO parked (batch_id, words, kind, subject, unmapped, {event})
SELECT %b::text::xid8, words, kind, subject, unmapped, {made}
FROM unnest(%b::bytea[], %b::text[], %b::text[], %b::text[], {arrays}) AS new (words, kind, subject, unmapped, {event})
ORDER BY words
ON CONFLICT DO NOTHING
RETURNING topic, topic_id, partition, "offset"

-- name: keep_deliveries
-- connote_deliveries_pkey; in one order for all workers
INSERT INTO connote_deliveries (batch_id, connote, words, {event})
SELECT %b::text::xid8, connote, words, {made}
FROM unnest(%b::text[], %b::bytea[], {arrays}) AS new (connote, words, {event})
ORDER BY connote, source, id, words
ON CONFLICT DO NOTHING
RETURNING topic, topic_id, partition, "offset"

-- name: join_connotes
-- connote_members_pkey; in one order for all workers. One exported again later is the later batch's, for the sweep.
INSERT INTO connote_members AS known (batch_id, connote, return_no, exported_at)
SELECT %b::text::xid8, connote, return_no, timestamptz 'epoch' + exported_at * interval '1 microsecond'
FROM unnest(%b::text[], %b::int8[], %b::int8[]) AS new (connote, return_no, exported_at) ORDER BY connote, return_no
ON CONFLICT (connote, return_no) DO UPDATE SET batch_id = excluded.batch_id, exported_at = excluded.exported_at
WHERE known.exported_at < excluded.exported_at

-- name: keep_dead_letters
-- dead_letters_record
INSERT INTO dead_letters (batch_id, topic, topic_id, partition, "offset", published_at, key, value, headers, reason, error)
SELECT %b::text::xid8, topic, topic_id, partition, "offset",
    timestamptz 'epoch' + published_at * interval '1 millisecond', key, value, headers::json, reason, error
FROM unnest(%b::text[], %b::uuid[], %b::int4[], %b::int8[], %b::int8[], %b::bytea[], %b::bytea[], %b::text[],
    %b::text[], %b::text[])
    AS new (topic, topic_id, partition, "offset", published_at, key, value, headers, reason, error)
ON CONFLICT (topic, topic_id, partition, "offset", published_at, sha256(coalesce(value, ''))) DO NOTHING
RETURNING topic, topic_id, partition, "offset"

-- name: lock
SELECT pg_advisory_xact_lock(%b::int8)

-- name: number_batch
-- batches_pkey, backwards. A statement of its own: its snapshot must be taken with the lock in hand. Who listens is told
-- when this commits. That takes a lock for the whole server until then, as the lock in hand does for this journal anyway.
WITH numbered AS (
    INSERT INTO batches (n, batch_id, events) SELECT coalesce(max(n), 0) + 1, %b::text::xid8, %b::int4 FROM batches
    RETURNING n
)
SELECT pg_notify('returns_batches', n::text) FROM numbered

-- name: try_sweep
SELECT pg_try_advisory_xact_lock(%b::int8)

-- name: unswept
-- cursors_pkey, batches_pkey, sweep_turns_pkey
-- With the label where a sweep stopped that looked at the batch: if it did, and the cursor has not gone past it since.
SELECT n, batch_id::text, turn.carrier, turn.tracking_number FROM batches
LEFT JOIN LATERAL (
    SELECT carrier, tracking_number FROM sweep_turns WHERE name = 'sweep' AND batches.n <= upto OFFSET 0
) AS turn ON true
WHERE n > coalesce((SELECT n FROM cursors WHERE name = 'sweep'), 0) ORDER BY n LIMIT %b::int4

-- name: sweep_progress
-- cursors_pkey, batches_pkey
SELECT coalesce((SELECT n FROM cursors WHERE name = 'sweep'), 0), coalesce((SELECT max(n) FROM batches), 0)

-- name: unpark
-- returns_batch_id, labels_batch_id, parked_pkey, parked_batch_id, returns_return_id_key, labels_pkey, label_claims_pkey
-- What these batches created meets what was parked before, what they parked meets what was created before. Few events
-- are ever parked, so the table of parked events is asked first. Scans of labels with several claims are `waiting_scans`,
-- and so are those that count for claims of some retailers only.
WITH newly_parked AS MATERIALIZED (
    SELECT DISTINCT kind, subject FROM parked WHERE batch_id = ANY (%b::text[]::xid8[])
), found AS (
    SELECT 'return' AS kind, return_id AS subject, return_no FROM returns
    CROSS JOIN LATERAL (SELECT FROM parked WHERE kind = 'return' AND subject = return_id LIMIT 1) AS waits
    WHERE returns.batch_id = ANY (%b::text[]::xid8[])
    UNION
    SELECT 'label', carrier || '/' || tracking_number, return_no FROM labels
    CROSS JOIN LATERAL (
        SELECT FROM parked WHERE kind = 'label' AND subject = carrier || '/' || tracking_number LIMIT 1
    ) AS waits
    WHERE labels.batch_id = ANY (%b::text[]::xid8[]) AND NOT EXISTS (
        SELECT FROM label_claims AS c
        WHERE c.carrier = labels.carrier AND c.tracking_number = labels.tracking_number OFFSET 0
    )
    UNION
    SELECT kind, subject, known.return_no FROM newly_parked
    CROSS JOIN LATERAL (SELECT return_no FROM returns WHERE return_id = subject LIMIT 1) AS known
    WHERE kind = 'return'
    UNION
    SELECT kind, subject, known.return_no FROM newly_parked
    CROSS JOIN LATERAL (
        SELECT return_no FROM labels
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2) LIMIT 1
    ) AS known
    WHERE kind = 'label' AND NOT EXISTS (
        SELECT FROM label_claims
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2) OFFSET 0
    )
), chosen AS MATERIALIZED (
    SELECT found.return_no, waiting.place FROM found
    CROSS JOIN LATERAL (
        SELECT parked.ctid AS place FROM parked
        WHERE parked.kind = found.kind AND parked.subject = found.subject AND parked.retailers = '' OFFSET 0
    ) AS waiting
    LIMIT %b::int4
)
-- By its place: parked rows are never updated, and nobody else deletes any.
DELETE FROM parked USING chosen WHERE parked.ctid = chosen.place
RETURNING chosen.return_no, kind, subject, {read}

-- name: undelivered
-- connote_deliveries_batch_id, connote_deliveries_void, connote_members_pkey, connote_members_batch_id,
-- connote_deliveries_pkey, history_pkey
-- Deliveries of these batches for all members, and all deliveries for the members that these batches brought; without
-- those that are in the history already, so that a limited number at a time comes to an end: by their words, or, from
-- before those were kept, by what they say. A delivery so many days after a member's latest export is another
-- consignment's. A void of all members goes with them, whenever it was; and after it a delivery that it names, of which all
-- of them may have been told that nobody knows it.
WITH due AS (
    SELECT members.return_no, connote, source, id, words FROM connote_deliveries AS delivered
    CROSS JOIN LATERAL (
        SELECT delivered.type = 'com.omnirps.event.voided.v1' OR EXISTS (
            SELECT FROM connote_deliveries AS void
            WHERE void.connote = delivered.connote AND void.type = 'com.omnirps.event.voided.v1'
                AND void.data ->> 'source' = delivered.source AND void.data ->> 'id' = delivered.id
        ) AS concerns_all OFFSET 0
    ) AS named
    CROSS JOIN LATERAL (
        SELECT return_no FROM connote_members WHERE connote_members.connote = delivered.connote
            AND (delivered.occurred_at - %b::int4 * interval '24 hours' <= connote_members.exported_at
            OR named.concerns_all) OFFSET 0
    ) AS members
    WHERE delivered.batch_id = ANY (%b::text[]::xid8[])
    UNION
    SELECT return_no, connote, deliveries.source, deliveries.id, deliveries.words FROM connote_members AS member
    CROSS JOIN LATERAL (
        SELECT source, id, words FROM connote_deliveries WHERE connote_deliveries.connote = member.connote
            AND (connote_deliveries.occurred_at - %b::int4 * interval '24 hours' <= member.exported_at
            OR connote_deliveries.type = 'com.omnirps.event.voided.v1') OFFSET 0
    ) AS deliveries
    WHERE member.batch_id = ANY (%b::text[]::xid8[])
)
SELECT due.return_no, 'connote', due.connote, event.* FROM due
CROSS JOIN LATERAL (
    SELECT {read} FROM connote_deliveries AS kept
    WHERE kept.connote = due.connote AND kept.source = due.source AND kept.id = due.id AND kept.words = due.words LIMIT 1
) AS event
WHERE NOT EXISTS (
    SELECT FROM history WHERE history.return_no = due.return_no AND history.source = due.source AND history.id = due.id
        AND CASE WHEN due.words <> ''::bytea AND octet_length(history.key) = 16 THEN substr(history.key, 9) = due.words
            ELSE history.occurred_at = event.occurred_at AND history.data::jsonb = event.data::jsonb END
    OFFSET 0
)
LIMIT %b::int4

-- name: end_sweep
-- cursors_pkey
INSERT INTO cursors (name, n) VALUES ('sweep', %b::int8) ON CONFLICT (name) DO UPDATE SET n = excluded.n

-- name: stop_sweep
-- sweep_turns_pkey
INSERT INTO sweep_turns (name, upto, carrier, tracking_number) VALUES ('sweep', %b::int8, %b::text, %b::text)
ON CONFLICT (name) DO UPDATE SET upto = excluded.upto, carrier = excluded.carrier,
    tracking_number = excluded.tracking_number

-- name: extend_history
SELECT extend_history()
