-- What `reconcile` and `verify --topics` ask, and the tables of their session in which the topics stand beside the
-- journal. They look at everything, so the session plans as PostgreSQL thinks best.

-- name: lead
SELECT pg_advisory_lock(%s)

-- name: make_tables
CREATE TEMPORARY TABLE documents (
    return_id text NOT NULL, version integer NOT NULL, seq integer NOT NULL, document json NOT NULL,
    topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL, at bigint NOT NULL
);
CREATE TEMPORARY TABLE told (
    return_id text NOT NULL, version integer NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL
);
CREATE TEMPORARY TABLE held (
    return_id text PRIMARY KEY, version integer NOT NULL, seq integer, document json NOT NULL,
    topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL, at bigint NOT NULL
);
CREATE TEMPORARY TABLE told_exceptions (
    n bigint GENERATED ALWAYS AS IDENTITY,
    exception_id text, state text, return_id text, source text NOT NULL, id text NOT NULL, reason text NOT NULL, data json NOT NULL
);
CREATE TEMPORARY VIEW last_told AS
    SELECT DISTINCT ON (exception_id) * FROM told_exceptions WHERE exception_id IS NOT NULL ORDER BY exception_id, n DESC;
CREATE TEMPORARY TABLE open_now (exception_id text NOT NULL, return_no bigint, reason text NOT NULL, sure boolean NOT NULL);
CREATE TEMPORARY TABLE told_letters (
    topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL, at bigint NOT NULL, digest bytea
)

-- name: copy_documents
COPY documents (return_id, version, seq, document, topic, partition, "offset", at) FROM STDIN

-- name: copy_told
COPY told (return_id, version, partition, "offset") FROM STDIN

-- name: copy_told_exceptions
COPY told_exceptions (exception_id, state, return_id, source, id, reason, data) FROM STDIN

-- name: copy_open_now
COPY open_now (exception_id, return_no, reason, sure) FROM STDIN

-- name: copy_told_letters
COPY told_letters (topic, partition, "offset", at, digest) FROM STDIN

-- name: keep_newest
-- Of a return's documents the newest.
INSERT INTO held (return_id, version, seq, document, topic, partition, "offset", at)
SELECT DISTINCT ON (return_id) return_id, version, seq, document, topic, partition, "offset", at
FROM documents ORDER BY return_id, version DESC, "offset" DESC

-- name: outdated
SELECT told.return_id FROM (SELECT return_id, max(version) AS version FROM told GROUP BY return_id) AS told
LEFT JOIN held ON held.return_id = told.return_id
WHERE held.version IS NULL OR held.version < told.version

-- name: documents_of
SELECT held.return_id, held.document FROM unnest(%s::text[]) AS wanted (return_id)
JOIN held ON held.return_id = wanted.return_id

-- name: put_folded
INSERT INTO held (return_id, version, document, topic, partition, "offset", at) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (return_id) DO UPDATE SET version = excluded.version, seq = NULL, document = excluded.document,
    topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset", at = excluded.at

-- name: alone
-- Writers wait for the end of this transaction, and readers do not notice it.
LOCK TABLE returns, history IN SHARE ROW EXCLUSIVE MODE

-- name: end
-- batches_pkey backwards
SELECT n, batch_id::text FROM batches ORDER BY n DESC LIMIT 1

-- name: standings
-- All returns; history_pkey backwards for the last row of each.
SELECT r.return_no, r.return_id, last.seq, last.version, last.state::text,
    held.document, held.seq IS NOT NULL, held.topic, held.partition, held."offset", held.at
FROM returns AS r
CROSS JOIN LATERAL (
    SELECT seq, version, state FROM history WHERE history.return_no = r.return_no ORDER BY seq DESC LIMIT 1
) AS last
LEFT JOIN held ON held.return_id = r.return_id

-- name: unknown
SELECT held.return_id, held.document, held.topic, held.partition, held."offset", held.at FROM held
WHERE NOT EXISTS (SELECT FROM returns WHERE returns.return_id = held.return_id)
ORDER BY held.return_id

-- name: go_on_from
-- continuations_pkey
INSERT INTO continuations (return_id, version, document) VALUES (%s, %s, %s)
ON CONFLICT (return_id) DO UPDATE SET version = excluded.version, document = excluded.document, recorded_at = now()

-- name: note
-- reconciliations_pkey
INSERT INTO reconciliations (n, batch_id, ends) VALUES (%s, %s::text::xid8, %s)
ON CONFLICT (n) DO UPDATE SET batch_id = excluded.batch_id, ends = excluded.ends, recorded_at = now()

-- name: untold_exceptions
-- Rows whose event's own reason was not told, or what they raised or settled beside it. What a row denies was told of the
-- event that it denies.
SELECT {logged}, h.data
FROM history AS h
JOIN returns AS r ON r.return_no = h.return_no
JOIN batches AS b ON b.batch_id = h.batch_id
WHERE b.n <= %(n)s AND (%(since)s::timestamptz IS NULL OR h.recorded_at >= %(since)s::timestamptz) AND (
    (
        ({exceptional})
        AND NOT EXISTS (
            SELECT FROM told_exceptions AS told
            WHERE told.return_id = r.return_id AND told.source = h.source AND told.id = h.id AND told.reason = h.reason
        )
    )
    OR EXISTS (
        SELECT FROM json_array_elements_text(h.exceptions) AS moved (reason)
        WHERE NOT EXISTS (
            SELECT FROM told_exceptions AS told WHERE told.return_id = r.return_id AND told.reason = substr(moved.reason, 2) AND (
                (told.source = h.source AND told.id = h.id)
                OR moved.reason IN ('+awaiting_processed', '+awaiting_exported', '+already_exported', '+already_rejected',
                                    '+route_ends_at_first_mile')
            )
        )
    )
)
ORDER BY b.n, h.return_no, h.seq

-- name: open_waits
SELECT kind, subject FROM told_waits

-- name: held_open
-- What waits need not be a known return's.
SELECT held.exception_id, held.state, held.return_id, held.source, held.id, held.reason, held.data
FROM last_told AS held
WHERE held.state = 'open'
    AND NOT EXISTS (SELECT FROM open_now WHERE open_now.exception_id = held.exception_id)
    AND (held.data ->> 'verdict' = 'parked' OR EXISTS (SELECT FROM returns WHERE returns.return_id = held.return_id))
ORDER BY held.exception_id

-- name: held_over
-- Of what waits a look tells again that it does. history_pkey, one range a return.
SELECT open_now.reason, {logged}, h.data
FROM last_told AS held
JOIN open_now ON open_now.exception_id = held.exception_id AND open_now.sure AND open_now.return_no IS NOT NULL
JOIN returns AS r ON r.return_no = open_now.return_no
CROSS JOIN LATERAL (
    SELECT * FROM history
    WHERE history.return_no = open_now.return_no
        AND (history.reason = open_now.reason OR history.exceptions::jsonb ? ('+' || open_now.reason))
    ORDER BY history.seq DESC LIMIT 1
) AS h
JOIN batches AS b ON b.batch_id = h.batch_id
WHERE held.state = 'resolved'
ORDER BY held.exception_id

-- name: untold_letters
SELECT b.n, d.letter_no, d.topic, d.topic_id, d.partition, d."offset", d.published_at, d.key, d.value,
    octet_length(d.value) AS size, d.headers, d.reason, d.error, d.attempts, d.recorded_at, d.resolved_at
FROM dead_letters AS d
JOIN batches AS b ON b.batch_id = d.batch_id
WHERE b.n <= %(n)s AND (%(since)s::timestamptz IS NULL OR d.recorded_at >= %(since)s::timestamptz)
    AND NOT EXISTS (
        SELECT FROM told_letters AS t
        WHERE t.topic = d.topic AND t.partition = d.partition AND t."offset" = d."offset"
            AND timestamptz 'epoch' + t.at * interval '1 millisecond' = d.published_at
            AND (t.digest IS NULL OR t.digest = sha256(coalesce(d.value, '')))
    )
ORDER BY b.n, d.letter_no

-- name: lag
-- offsets_pkey
SELECT offsets.topic, offsets.partition, offsets.next FROM offsets

-- name: broken_order
-- Changes that do not follow upon the one before them in their partition. The first that a partition still holds of a
-- return may be any.
SELECT return_id, version, before FROM (
    SELECT return_id, version, lag(version) OVER (PARTITION BY return_id ORDER BY partition, "offset") AS before FROM told
) AS told
WHERE version <> before + 1
ORDER BY return_id, version

-- name: held_beside
-- Each return as it was when its last row up to a position was told, beside what subscribers hold; and as it was when that
-- was published, should a relay have gone on since.
SELECT r.return_id, held.document, last.seq, last.version, last.state::text, newer.seq, newer.version, newer.state::text
FROM returns AS r
CROSS JOIN LATERAL (
    SELECT h.seq, h.version, h.state FROM history AS h JOIN batches AS b ON b.batch_id = h.batch_id
    WHERE h.return_no = r.return_no
        AND (h.changes IS NOT NULL OR h.reason IS NOT NULL OR h.exceptions IS NOT NULL OR h.verdict = 'unmapped'
            OR h.type = ANY (%(always)s))
        AND (b.n, h.return_no, h.seq) <= (%(n)s, %(return_no)s, %(seq)s)
    ORDER BY h.seq DESC LIMIT 1
) AS last
LEFT JOIN held ON held.return_id = r.return_id
LEFT JOIN history AS newer ON newer.return_no = r.return_no AND newer.seq = held.seq AND newer.seq > last.seq
ORDER BY r.return_id

-- name: exceptions_otherwise
-- The last that the journal says of each exception, beside the last message. What it says since a position a relay may have
-- told or not, and so it may of waits that began or ended in the batch that the position is in. What was recorded before the
-- first message that is left was told by one that is gone; and from before messages had ids nobody can say.
WITH moves AS (
    SELECT b.n, h.return_no, h.seq, 0 AS place, h.recorded_at, 'open' AS state, h.reason
    FROM history AS h JOIN batches AS b ON b.batch_id = h.batch_id
    WHERE ({exceptional}) AND h.reason IS NOT NULL
    UNION ALL
    SELECT b.n, h.return_no, h.seq, 1, h.recorded_at, CASE left(moved, 1) WHEN '+' THEN 'open' ELSE 'resolved' END, substr(moved, 2)
    FROM history AS h JOIN batches AS b ON b.batch_id = h.batch_id
    CROSS JOIN LATERAL json_array_elements_text(h.exceptions) AS moved
    WHERE h.exceptions IS NOT NULL
), said AS (
    (
        SELECT DISTINCT ON (moves.return_no, moves.reason)
            'return/' || r.return_id || '/' || moves.reason AS exception_id, moves.state, moves.recorded_at,
            (moves.n, moves.return_no, moves.seq) > (%(n)s, %(return_no)s, %(seq)s) AS is_new,
            EXISTS (
                SELECT FROM told_exceptions AS told
                WHERE told.exception_id IS NULL AND told.return_id = r.return_id AND told.reason = moves.reason
            ) AS is_old
        FROM moves JOIN returns AS r ON r.return_no = moves.return_no
        ORDER BY moves.return_no, moves.reason, moves.n DESC, moves.seq DESC, moves.place DESC
    )
    UNION ALL
    (
        SELECT DISTINCT ON (w.kind, w.subject)
            w.kind || '/' || w.subject || CASE w.kind WHEN 'connote' THEN '/without_members' ELSE '/parked' END, w.state,
            w.recorded_at, b.n >= %(n)s, false
        FROM wait_moves AS w JOIN batches AS b ON b.batch_id = w.batch_id
        ORDER BY w.kind, w.subject, b.n DESC
    )
)
SELECT coalesce(said.exception_id, held.exception_id), said.state, held.state
FROM said FULL JOIN last_told AS held ON held.exception_id = said.exception_id
WHERE coalesce(said.state, 'resolved') <> coalesce(held.state, 'resolved')
    AND said.is_new IS NOT TRUE AND said.is_old IS NOT TRUE
    AND (held.state IS NOT NULL OR %(since)s::timestamptz IS NULL OR said.recorded_at >= %(since)s::timestamptz)
    AND (
        said.state IS NOT NULL OR held.data ->> 'verdict' = 'parked'
        OR EXISTS (SELECT FROM returns WHERE returns.return_id = held.return_id)
    )
ORDER BY 1

-- name: held_alone
SELECT held.return_id FROM held
WHERE NOT EXISTS (SELECT FROM returns WHERE returns.return_id = held.return_id)
    AND NOT EXISTS (SELECT FROM continuations WHERE continuations.return_id = held.return_id)
ORDER BY held.return_id
