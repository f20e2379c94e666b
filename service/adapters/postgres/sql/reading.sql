-- What the HTTP API asks. Every query is a few index probes, whatever the size of the tables.

-- name: state
-- returns_return_id_key, then history_pkey backwards, one row.
SELECT r.return_no, h.seq, h.version, h.state
FROM returns r
CROSS JOIN LATERAL (
    SELECT seq, version, state FROM history WHERE history.return_no = r.return_no ORDER BY seq DESC LIMIT 1
) h
WHERE r.return_id = %s

-- name: history
-- history_pkey, one range.
SELECT seq, source, id, type, code, milestone, occurred_at, recorded_at, verdict, reason, zone_source,
       topic, partition, "offset", data, octet_length(data::text)
FROM history
WHERE return_no = %s AND seq > %s
ORDER BY seq
LIMIT %s
