-- What the page of carriers shows: the scans among the rows recorded last, however many carriers there are.
-- {bounds_of_row} is that of reading/bounds.py. A feed that came with a token has its publisher's name before it.

-- name: lately
-- history_batch_id, backwards, so far and no further. A feed's scan was received when we published it: it may have waited for
-- its return long after that. What others publish says a time of theirs, which may be any; that is received when it is recorded.
WITH lately AS (
    SELECT type, code, verdict, source, data, occurred_at, published_at, recorded_at, zone_source
    FROM (SELECT * FROM history ORDER BY batch_id DESC LIMIT %(rows)s::int4) r WHERE {bounds_of_row}
), scans AS (
    SELECT data ->> 'carrier' AS carrier, substring(source FROM '^(?:/[a-z0-9-]+)?/feeds/(.+)$') AS feed,
        verdict = 'unmapped' AS unmapped, zone_source = 'carrier_table' AS naive,
        json_typeof(data -> 'location') IS DISTINCT FROM 'object' AS placeless,
        occurred_at, published_at, recorded_at
    FROM lately WHERE type = %(scanned)s::text
)
SELECT carrier, feed, count(*), max(recorded_at), count(*) FILTER (WHERE unmapped), count(*) FILTER (WHERE placeless),
    count(*) FILTER (WHERE naive), percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM CASE WHEN feed IS NULL THEN recorded_at ELSE published_at END - occurred_at)::float8
    )
FROM scans GROUP BY carrier, feed ORDER BY count(*) DESC, carrier, feed LIMIT %(groups)s::int4

-- name: codes
-- As above; how often each code of one carrier came.
WITH lately AS (
    SELECT type, code, data FROM (SELECT * FROM history ORDER BY batch_id DESC LIMIT %(rows)s::int4) r
    WHERE {bounds_of_row}
)
SELECT code, count(*) FROM lately
WHERE type = %(scanned)s::text AND data ->> 'carrier' = %(carrier)s::text
GROUP BY code ORDER BY count(*) DESC, code LIMIT %(groups)s::int4
