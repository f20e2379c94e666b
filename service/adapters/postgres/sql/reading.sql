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
