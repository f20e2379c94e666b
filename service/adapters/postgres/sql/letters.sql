-- What `replay` and `remap` ask and write, beside what ingestion does; the session plans as ingestion's does. Values that
-- are larger than any event may be are not fetched.

-- name: extent
-- dead_letters_open
SELECT count(*), coalesce(max(letter_no), 0) FROM dead_letters
WHERE resolved_at IS NULL
    AND (%(reasons)s::text[] IS NULL OR reason = ANY (%(reasons)s::text[]))
    AND (%(topics)s::text[] IS NULL OR topic = ANY (%(topics)s::text[]))
    AND (%(letter_nos)s::int8[] IS NULL OR letter_no = ANY (%(letter_nos)s::int8[]))
    AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s::timestamptz)

-- name: read
-- dead_letters_open; in the order of their numbers
SELECT letter_no, topic, topic_id, partition, "offset", published_at, key,
    CASE WHEN octet_length(value) <= %(most)s::int4 THEN value END AS value, octet_length(value) AS size, headers,
    reason, error, attempts, recorded_at, resolved_at
FROM dead_letters
WHERE resolved_at IS NULL AND letter_no > %(after)s::int8 AND letter_no <= %(upto)s::int8
    AND (%(reasons)s::text[] IS NULL OR reason = ANY (%(reasons)s::text[]))
    AND (%(topics)s::text[] IS NULL OR topic = ANY (%(topics)s::text[]))
    AND (%(letter_nos)s::int8[] IS NULL OR letter_no = ANY (%(letter_nos)s::int8[]))
    AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s::timestamptz)
ORDER BY letter_no LIMIT %(limit)s::int4

-- name: take
-- dead_letters_open; whoever else replays takes other letters
SELECT letter_no, topic, topic_id, partition, "offset", published_at, key,
    CASE WHEN octet_length(value) <= %(most)s::int4 THEN value END AS value, octet_length(value) AS size, headers,
    reason, error, attempts, recorded_at, resolved_at
FROM dead_letters
WHERE resolved_at IS NULL AND letter_no > %(after)s::int8 AND letter_no <= %(upto)s::int8
    AND (%(reasons)s::text[] IS NULL OR reason = ANY (%(reasons)s::text[]))
    AND (%(topics)s::text[] IS NULL OR topic = ANY (%(topics)s::text[]))
    AND (%(letter_nos)s::int8[] IS NULL OR letter_no = ANY (%(letter_nos)s::int8[]))
    AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s::timestamptz)
ORDER BY letter_no LIMIT %(limit)s::int4
FOR UPDATE SKIP LOCKED

-- name: take_one
-- dead_letters_pkey
SELECT letter_no, topic, topic_id, partition, "offset", published_at, key,
    CASE WHEN octet_length(value) <= %b::int4 THEN value END AS value, octet_length(value) AS size, headers,
    reason, error, attempts, recorded_at, resolved_at
FROM dead_letters WHERE letter_no = %b::int8 FOR UPDATE

-- name: resolve
-- dead_letters_pkey. The transaction id stays that of when it was kept: readers of the batch log are not told again.
UPDATE dead_letters SET resolved_at = now(), attempts = attempts + 1 WHERE letter_no = ANY (%b::int8[])

-- name: fail
-- dead_letters_pkey; likewise
UPDATE dead_letters SET attempts = attempts + 1, reason = failed.reason, error = failed.error
FROM unnest(%b::int8[], %b::text[], %b::text[]) AS failed (letter_no, reason, error)
WHERE dead_letters.letter_no = failed.letter_no

-- name: count_unmapped
-- history_unmapped, all of it or a carrier's part; history_pkey for a scan's second row, which says that it was
-- re-evaluated
SELECT data ->> 'carrier', code, count(*)
FROM history AS scan
WHERE verdict = 'unmapped'
    AND (%(carrier)s::text IS NULL OR data ->> 'carrier' = %(carrier)s::text)
    AND (%(code)s::text IS NULL OR code = %(code)s::text)
    AND NOT EXISTS (
        SELECT FROM history AS again
        WHERE again.return_no = scan.return_no AND again.seq > scan.seq
            AND again.source = scan.source AND again.id = scan.id AND again.verdict <> 'unmapped'
            AND again.occurred_at = scan.occurred_at AND again.data::text = scan.data::text
            AND again.retailers IS NOT DISTINCT FROM scan.retailers
    )
GROUP BY 1, 2 ORDER BY 1, 2

-- name: unmapped
-- history_unmapped, history_pkey
SELECT return_no, seq, 'label', (data ->> 'carrier') || '/' || (data ->> 'tracking_number'), {read}
FROM history AS scan
WHERE verdict = 'unmapped' AND data ->> 'carrier' = %b::text AND code = %b::text
    AND (return_no, seq) > (%b::int8, %b::int4)
    AND NOT EXISTS (
        SELECT FROM history AS again
        WHERE again.return_no = scan.return_no AND again.seq > scan.seq
            AND again.source = scan.source AND again.id = scan.id AND again.verdict <> 'unmapped'
            AND again.occurred_at = scan.occurred_at AND again.data::text = scan.data::text
            AND again.retailers IS NOT DISTINCT FROM scan.retailers
    )
ORDER BY return_no, seq LIMIT %b::int4

-- name: looked
-- returns_pkey, history_pkey: the rows of each of so many returns, up to the first that was decided by other rules than
-- those of this mark, and the last. Whether any was, and whether the last was; a state without rules is of the first.
SELECT few.return_no, few.return_id, last.is_other OR EXISTS (
    SELECT FROM history WHERE history.return_no = few.return_no
        AND coalesce((history.state ->> 'r')::int8, 1) <> %(mark)s::int8 OFFSET 0
), last.is_other
FROM (
    SELECT return_no, return_id FROM returns WHERE return_no > %(after)s::int8 ORDER BY return_no LIMIT %(limit)s::int4
) AS few
CROSS JOIN LATERAL (
    SELECT coalesce((state ->> 'r')::int8, 1) <> %(mark)s::int8 AS is_other
    FROM history WHERE history.return_no = few.return_no ORDER BY seq DESC LIMIT 1
) AS last
ORDER BY few.return_no

-- name: given
-- history_pkey, one range. What the rows say of exceptions.
SELECT verdict, reason, exceptions
FROM history WHERE return_no = %b::int8 AND (reason IS NOT NULL OR exceptions IS NOT NULL) ORDER BY seq

-- name: scans
-- history_pkey, one range
SELECT 'label', (data ->> 'carrier') || '/' || (data ->> 'tracking_number'), {read}
FROM history
WHERE return_no = %b::int8 AND code IS NOT NULL AND effect IS NULL AND verdict <> 'unmapped'
ORDER BY seq
