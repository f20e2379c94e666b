-- Whose letters are thin: what ingestion notes with them, and what the desk shows. Few rows: a fuse takes many letters to blow.

-- name: count_thin
-- fuses_pkey; in its order, as all workers do it
INSERT INTO fuses AS kept (topic, partition, source, letters, last_offset, last_published_at, reason)
SELECT topic, partition, source, letters, last_offset,
    timestamptz 'epoch' + last_published_at * interval '1 millisecond', reason
FROM unnest(%b::text[], %b::int4[], %b::text[], %b::int8[], %b::int8[], %b::int8[], %b::text[])
    AS new (topic, partition, source, letters, last_offset, last_published_at, reason)
ORDER BY topic, partition, source
ON CONFLICT (topic, partition, source) DO UPDATE SET
    blown_at = CASE WHEN kept.mended_at IS NULL THEN kept.blown_at ELSE now() END,
    letters = CASE WHEN kept.mended_at IS NULL THEN kept.letters ELSE 0 END + excluded.letters,
    last_at = now(), mended_at = NULL, reason = excluded.reason,
    last_offset = excluded.last_offset, last_published_at = excluded.last_published_at

-- name: mend_fuses
-- fuses_pkey
UPDATE fuses SET mended_at = now() WHERE (topic, partition, source) IN (
    SELECT topic, partition, source FROM fuses
    JOIN unnest(%b::text[], %b::int4[]) AS asked (topic, partition) USING (topic, partition)
    WHERE mended_at IS NULL AND (%b::text[] IS NULL OR source = ANY (%b::text[]))
    ORDER BY topic, partition, source FOR UPDATE
)

-- name: fuses
-- All of them are few; the blown ones first.
SELECT topic, partition, source, letters, blown_at, last_at, mended_at, last_published_at, reason
FROM fuses ORDER BY mended_at IS NOT NULL, last_at DESC LIMIT %s::int4
