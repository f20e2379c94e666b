-- What the HTTP API asks. Every query is a few index probes, whatever the size of the tables.

-- name: state
-- returns_return_id_key, then history_pkey backwards, one row.
SELECT r.return_no, h.seq, h.version, h.state, h.recorded_at
FROM returns r
CROSS JOIN LATERAL (
    SELECT seq, version, state, recorded_at FROM history
    WHERE history.return_no = r.return_no ORDER BY seq DESC LIMIT 1
) h
WHERE r.return_id = %s

-- name: states
-- returns_return_id_key, then history_pkey backwards, one row of each; of who is bound it is asked besides for which
-- retailers the return was created, as far as that stands: history_pkey, one range.
SELECT r.return_id, h.seq, h.version, h.state,
    ARRAY(
        SELECT DISTINCT data ->> 'retailer' FROM history c
        WHERE %(is_bound)s::bool AND c.return_no = r.return_no AND type = %(created)s::text AND {standing}
        LIMIT 2
    )
FROM returns r
CROSS JOIN LATERAL (
    SELECT seq, version, state FROM history WHERE history.return_no = r.return_no ORDER BY seq DESC LIMIT 1
) h
WHERE r.return_id = ANY (%(return_ids)s::text[])

-- name: history
-- history_pkey, one range.
SELECT seq, source, id, type, code, milestone, occurred_at, recorded_at, verdict, reason, zone_source,
       topic, partition, "offset", data, utc_offset, retailers, octet_length(data::text)
FROM history
WHERE return_no = %s AND seq > %s
ORDER BY seq
LIMIT %s

-- name: voided
-- history_pkey backwards, one range. What voids of the newest rows name.
SELECT DISTINCT data ->> 'source', data ->> 'id'
FROM (SELECT type, data FROM history WHERE return_no = %s ORDER BY seq DESC LIMIT %s) AS newest
WHERE type = 'com.omnirps.event.voided.v1'

-- name: windows
-- returns_return_id_key; history_pkey backwards, one range a return. What the newest rows say of the windows of labels, of each
-- the last one.
SELECT DISTINCT ON (return_id, data ->> 'carrier', data ->> 'tracking_number', data ->> 'bound') return_id, data
FROM returns
CROSS JOIN LATERAL (
    SELECT seq, type, data FROM history WHERE history.return_no = returns.return_no ORDER BY seq DESC LIMIT %(most)s
) AS newest
WHERE return_id = ANY (%(return_ids)s::text[]) AND type = 'com.omnirps.label.claimed.v1'
ORDER BY return_id, data ->> 'carrier', data ->> 'tracking_number', data ->> 'bound', seq DESC

-- name: newest
-- history_pkey backwards, one range.
SELECT seq, source, id, type, code, milestone, occurred_at, recorded_at, verdict, reason, zone_source,
       topic, partition, "offset", data, utc_offset, retailers, octet_length(data::text)
FROM history
WHERE return_no = %s AND seq < %s
ORDER BY seq DESC
LIMIT %s

-- name: pasts
-- history_pkey, one range a return and its end. Whole histories: of one that is longer than `most_each`, of the first that do
-- not fit any more, and of all behind it, rows are missing, as `last` tells. Sizes as they are stored come first, to read
-- little in vain; `data` is read of those that are left.
SELECT return_no, seq, last, code, recorded_at, source, id, type, occurred_at, milestone, data, verdict, reason, effect, is_ahead,
    retailers
FROM (
    SELECT *, sum(octet_length(data::text)) OVER (ORDER BY place, seq) AS upto
    FROM (
        SELECT *, sum(stored) OVER (ORDER BY place, seq) AS stored_upto, row_number() OVER (ORDER BY place, seq) AS rows_upto
        FROM (
            SELECT asked.place, last.last, h.*
            FROM unnest(%(return_nos)s::int8[]) WITH ORDINALITY AS asked (return_no, place)
            CROSS JOIN LATERAL (
                SELECT seq AS last FROM history WHERE history.return_no = asked.return_no ORDER BY seq DESC LIMIT 1
            ) last
            CROSS JOIN LATERAL (
                SELECT return_no, seq, code, recorded_at, source, id, type, occurred_at, milestone, data, verdict, reason, effect,
                    is_ahead, retailers, pg_column_size(data) AS stored
                FROM history WHERE history.return_no = asked.return_no AND last.last <= %(most_each)s::int4
                ORDER BY seq LIMIT %(most_each)s::int4
            ) h
        ) every
    ) sized
    WHERE stored_upto <= %(most_bytes)s::int8 AND rows_upto <= %(most_rows)s::int4
) read
WHERE upto <= %(most_bytes)s::int8
ORDER BY place, seq
