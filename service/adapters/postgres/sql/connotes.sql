-- Connotes: lists of them by where they are, and one with its members. Lists are planned with the values at hand, as those
-- of listing.sql are. Of a range no more than `most` rows are looked at; where looking ended, the next page goes on.
--
-- {sums} are what the shares of a connote come to, {bounds} and {bounds_of_share} leave out what whoever asks must not see:
-- reading/bounds.py has them. A share of which a return is seen is told of whole.

-- name: listed
-- Of those under way search_connotes_under_way or _retailer_under_way, of those delivered search_connotes_delivered or
-- _retailer_delivered, backwards; search_connotes_pkey, one range a connote. A connote stands where the share does that goes
-- before the others; where several stand there, once. {time} is what the list goes by, {some} are the shares in it,
-- {all} says which connotes are, {behind} and {down} which way it goes.
SELECT head.connote, head.under_way, head.delivered, head.exported_at, head.delivered_at
FROM (
    SELECT DISTINCT {time}, connote COLLATE "C" AS connote
    FROM (
        SELECT * FROM search_connotes
        WHERE {some} > 0 AND (%(retailer)s::text IS NULL OR retailer = %(retailer)s::text)
            AND ({time}, connote COLLATE "C") {behind} (%(at)s::timestamptz, %(number)s::text)
        ORDER BY {time} {down}, connote COLLATE "C" {down}
        LIMIT %(most)s::int4
    ) c
    WHERE {bounds_of_share}
    ORDER BY {time} {down}, connote COLLATE "C" {down}
) looked
CROSS JOIN LATERAL (
    SELECT {sums} FROM search_connotes c
    WHERE c.connote = looked.connote AND (%(retailer)s::text IS NULL OR retailer = %(retailer)s::text) AND {bounds_of_share}
    GROUP BY c.connote
) head
WHERE head.{time} = looked.{time} AND {all}
ORDER BY looked.{time} {down}, looked.connote {down}
LIMIT %(limit)s::int4

-- name: listed_upto
-- As above: where looking ended.
SELECT {time}, connote FROM search_connotes
WHERE {some} > 0 AND (%(retailer)s::text IS NULL OR retailer = %(retailer)s::text)
    AND ({time}, connote COLLATE "C") {behind} (%(at)s::timestamptz, %(number)s::text)
ORDER BY {time} {down}, connote COLLATE "C" {down}
OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: without_members
-- connote_deliveries_recorded_at backwards; connote_members_pkey, connote_deliveries_pkey and _void, probes a delivery. Of each
-- connote the last one that no void of all members names.
SELECT d.connote, d.occurred_at, d.recorded_at, d.topic, d.partition, d."offset", d.source, d.id, acknowledged_at,
    acknowledged_by, acknowledged_note
FROM (
    SELECT * FROM connote_deliveries
    WHERE (recorded_at, connote COLLATE "C", source COLLATE "C", id COLLATE "C")
        < (%(at)s::timestamptz, %(number)s::text, %(source)s::text, %(id)s::text)
    ORDER BY recorded_at DESC, connote COLLATE "C" DESC, source COLLATE "C" DESC, id COLLATE "C" DESC
    LIMIT %(most)s::int4
) d
LEFT JOIN LATERAL ({waiting_of_connote}) a ON true
WHERE d.type <> 'com.omnirps.event.voided.v1'
    AND (%(hidden)s::bool IS NULL OR %(hidden)s::bool = (acknowledged_at IS NOT NULL))
    AND NOT EXISTS (SELECT FROM connote_members m WHERE m.connote = d.connote)
    AND NOT EXISTS (
        SELECT FROM connote_deliveries later WHERE later.connote = d.connote AND later.type = d.type
            AND (later.recorded_at, later.source COLLATE "C", later.id COLLATE "C", later.words)
                > (d.recorded_at, d.source COLLATE "C", d.id COLLATE "C", d.words)
            AND NOT EXISTS (
                SELECT FROM connote_deliveries void WHERE void.connote = d.connote AND void.type = 'com.omnirps.event.voided.v1'
                    AND void.data ->> 'source' = later.source AND void.data ->> 'id' = later.id OFFSET 0
            )
    )
    AND NOT EXISTS (
        SELECT FROM connote_deliveries void WHERE void.connote = d.connote AND void.type = 'com.omnirps.event.voided.v1'
            AND void.data ->> 'source' = d.source AND void.data ->> 'id' = d.id OFFSET 0
    )
ORDER BY d.recorded_at DESC, d.connote COLLATE "C" DESC, d.source COLLATE "C" DESC, d.id COLLATE "C" DESC
LIMIT %(limit)s::int4

-- name: without_members_upto
-- As above: where looking ended.
SELECT recorded_at, connote, source, id FROM connote_deliveries
WHERE (recorded_at, connote COLLATE "C", source COLLATE "C", id COLLATE "C")
    < (%(at)s::timestamptz, %(number)s::text, %(source)s::text, %(id)s::text)
ORDER BY recorded_at DESC, connote COLLATE "C" DESC, source COLLATE "C" DESC, id COLLATE "C" DESC
OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: head
-- search_connotes_pkey, one range.
SELECT {sums} FROM search_connotes c WHERE c.connote = %(connote)s AND {bounds_of_share} GROUP BY c.connote

-- name: members
-- connote_members_pkey, one range; returns_pkey and search_returns_pkey, a probe a member.
SELECT m.return_no, r.return_id, s.retailer, s.status, s.complete, s.status_at, s.status_recorded_at, s.connote,
    s.exported_at
FROM (
    SELECT return_no FROM connote_members
    WHERE connote = %(connote)s AND return_no > %(after)s ORDER BY return_no LIMIT %(most)s::int4
) m
JOIN returns r ON r.return_no = m.return_no
LEFT JOIN search_returns s ON s.return_no = m.return_no
WHERE {bounds}
ORDER BY m.return_no
LIMIT %(limit)s

-- name: members_upto
-- As above: where looking ended.
SELECT return_no FROM connote_members
WHERE connote = %(connote)s AND return_no > %(after)s ORDER BY return_no OFFSET %(most)s::int4 - 1 LIMIT 1

-- name: statuses
-- connote_members_pkey, one range; search_returns_pkey, a probe a member. Of as many members as anybody counts.
SELECT few.status, count(*), coalesce(bool_and(few.complete), false)
FROM (
    SELECT s.status, s.complete FROM connote_members m
    LEFT JOIN search_returns s ON s.return_no = m.return_no
    WHERE m.connote = %(connote)s AND {bounds}
    LIMIT 30000
) few
GROUP BY few.status

-- name: acknowledged
-- waiting_acknowledgements_pkey; connote_deliveries_pkey, one range, which is short
SELECT acknowledged_at, acknowledged_by, acknowledged_note
FROM (SELECT %(connote)s::text AS connote) d CROSS JOIN LATERAL ({waiting_of_connote}) a

-- name: deliveries
-- connote_deliveries_pkey, one range, which is short.
SELECT source, id, type, occurred_at, recorded_at, zone_source, topic, partition, "offset", data, utc_offset
FROM connote_deliveries
WHERE connote = %(connote)s AND type <> 'com.omnirps.event.voided.v1'
ORDER BY recorded_at DESC, source, id
LIMIT %(few)s
