-- Labels that several returns claim: few of all. What journal.sql says of plans holds here.

-- name: join_claims
-- label_claims_pkey; in one order for all workers
INSERT INTO label_claims AS known
    (carrier, tracking_number, return_no, batch_id, made_in, claimed_at, retailer, closed_at)
SELECT carrier, tracking_number, return_no, batch.id, batch.id, timestamptz 'epoch' + claimed_at * interval '1 microsecond',
    retailer, timestamptz 'epoch' + closed_at * interval '1 microsecond'
FROM unnest(%b::text[], %b::text[], %b::int8[], %b::int8[], %b::text[], %b::int8[], %b::bool[])
    AS new (carrier, tracking_number, return_no, claimed_at, retailer, closed_at, is_void),
    (SELECT %b::text::xid8) AS batch (id)
ORDER BY carrier, tracking_number, return_no
ON CONFLICT (carrier, tracking_number, return_no) DO UPDATE SET batch_id = excluded.batch_id,
    claimed_at = least(known.claimed_at, excluded.claimed_at),
    retailer = CASE WHEN excluded.claimed_at < known.claimed_at THEN excluded.retailer ELSE known.retailer END,
    closed_at = excluded.closed_at
WHERE excluded.claimed_at < known.claimed_at OR excluded.closed_at IS DISTINCT FROM known.closed_at

-- name: set_claims
-- label_claims_pkey; in one order for all workers. What a void ends is kept: the sweep looks for what was placed by it.
INSERT INTO label_claims AS known
    (carrier, tracking_number, return_no, batch_id, made_in, claimed_at, retailer, closed_at, is_void)
SELECT carrier, tracking_number, return_no, batch.id, batch.id, timestamptz 'epoch' + claimed_at * interval '1 microsecond',
    retailer, timestamptz 'epoch' + closed_at * interval '1 microsecond', is_void
FROM unnest(%b::text[], %b::text[], %b::int8[], %b::int8[], %b::text[], %b::int8[], %b::bool[])
    AS new (carrier, tracking_number, return_no, claimed_at, retailer, closed_at, is_void),
    (SELECT %b::text::xid8) AS batch (id)
ORDER BY carrier, tracking_number, return_no
ON CONFLICT (carrier, tracking_number, return_no) DO UPDATE SET batch_id = excluded.batch_id,
    claimed_at = excluded.claimed_at, retailer = excluded.retailer, closed_at = excluded.closed_at,
    is_void = excluded.is_void
WHERE (excluded.claimed_at, excluded.retailer, excluded.is_void) <> (known.claimed_at, known.retailer, known.is_void)
    OR excluded.closed_at IS DISTINCT FROM known.closed_at

-- name: held
-- labels_pkey, label_claims_pkey, a probe a label; of a label's claims until one is another's
SELECT carrier, tracking_number, c.claimed_at, c.retailer, c.closed_at, c.is_void, c.told, EXISTS (
    SELECT FROM label_claims AS other
    WHERE other.carrier = wanted.carrier AND other.tracking_number = wanted.tracking_number
        AND other.return_no <> mine.return_no AND NOT other.is_void
)
FROM unnest(%b::text[], %b::text[]) AS wanted (carrier, tracking_number)
CROSS JOIN (SELECT %b::int8) AS mine (return_no)
LEFT JOIN labels USING (carrier, tracking_number, return_no)
LEFT JOIN label_claims AS c USING (carrier, tracking_number, return_no)
WHERE labels.batch_id IS NOT NULL OR c.batch_id IS NOT NULL

-- name: mend_claims
-- label_claims_pkey. Where the claim stood already, and was wrong, it is as if it had moved.
INSERT INTO label_claims AS known
    (carrier, tracking_number, return_no, batch_id, made_in, claimed_at, retailer, closed_at, is_void, told)
SELECT carrier, tracking_number, return_no, batch.id, batch.id, timestamptz 'epoch' + claimed_at * interval '1 microsecond',
    retailer, timestamptz 'epoch' + closed_at * interval '1 microsecond', is_void, told::json
FROM unnest(%b::text[], %b::text[], %b::int8[], %b::int8[], %b::text[], %b::int8[], %b::bool[], %b::text[])
    AS new (carrier, tracking_number, return_no, claimed_at, retailer, closed_at, is_void, told),
    (SELECT %b::text::xid8) AS batch (id)
ORDER BY carrier, tracking_number, return_no
ON CONFLICT (carrier, tracking_number, return_no) DO UPDATE SET batch_id = excluded.batch_id,
    claimed_at = excluded.claimed_at, retailer = excluded.retailer, closed_at = excluded.closed_at,
    is_void = excluded.is_void, told = excluded.told

-- name: touch_claims
-- label_claims_pkey, a probe a label
UPDATE label_claims SET batch_id = %b::text::xid8
FROM unnest(%b::text[], %b::text[]) AS wanted (carrier, tracking_number)
WHERE label_claims.carrier = wanted.carrier AND label_claims.tracking_number = wanted.tracking_number
    AND label_claims.return_no = %b::int8

-- name: touched_labels
-- label_claims_batch_id, with some probes a claim; parked_batch_id, label_claims_pkey; parked_batch_id, labels_pkey;
-- parked_bound, labels_batch_id; bound_scans_pkey, parked_bound, a probe a label each
-- A claim that stands alone, by who was known first, and of which nobody was told, moves nothing, unless scans wait.
-- Of a label with one claim, where scans wait that count for claims of some retailers only: who places others cannot tell.
SELECT carrier, tracking_number, EXISTS (
    SELECT FROM bound_scans AS bound
    WHERE bound.carrier = touched.carrier AND bound.tracking_number = touched.tracking_number OFFSET 0
) OR EXISTS (
    SELECT FROM parked WHERE subject = touched.carrier || '/' || touched.tracking_number AND retailers <> '' OFFSET 0
)
FROM (
    SELECT carrier, tracking_number FROM label_claims AS c
    WHERE batch_id = ANY (%b::text[]::xid8[]) AND (
        is_void OR told IS NOT NULL
        OR NOT EXISTS (
            SELECT FROM labels WHERE labels.carrier = c.carrier AND labels.tracking_number = c.tracking_number
                AND labels.return_no = c.return_no OFFSET 0
        )
        OR EXISTS (
            SELECT FROM label_claims AS other WHERE other.carrier = c.carrier
                AND other.tracking_number = c.tracking_number AND other.return_no <> c.return_no OFFSET 0
        )
        OR EXISTS (SELECT FROM parked WHERE kind = 'label' AND subject = c.carrier || '/' || c.tracking_number OFFSET 0)
        OR EXISTS (
            SELECT FROM bound_scans AS bound
            WHERE bound.carrier = c.carrier AND bound.tracking_number = c.tracking_number OFFSET 0
        )
    )
    UNION
    SELECT known.carrier, known.tracking_number
    FROM (SELECT DISTINCT subject FROM parked WHERE batch_id = ANY (%b::text[]::xid8[]) AND kind = 'label') AS waits
    CROSS JOIN LATERAL (
        SELECT carrier, tracking_number FROM label_claims
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2) LIMIT 1
    ) AS known
    UNION
    SELECT known.carrier, known.tracking_number
    FROM (SELECT DISTINCT subject FROM parked WHERE batch_id = ANY (%b::text[]::xid8[]) AND retailers <> '') AS waits
    CROSS JOIN LATERAL (
        SELECT carrier, tracking_number FROM labels
        WHERE carrier = split_part(subject, '/', 1) AND tracking_number = split_part(subject, '/', 2) LIMIT 1
    ) AS known
    UNION
    SELECT carrier, tracking_number FROM labels
    CROSS JOIN LATERAL (
        SELECT FROM parked WHERE subject = carrier || '/' || tracking_number AND retailers <> '' LIMIT 1
    ) AS waits
    WHERE labels.batch_id = ANY (%b::text[]::xid8[]) AND (SELECT EXISTS (SELECT FROM parked WHERE retailers <> ''))
) AS touched
ORDER BY carrier, tracking_number

-- name: claims
-- label_claims_pkey, one range with an end; returns_pkey; batches_batch_id, two probes a claim
-- What a sweep to come is to look at counts as changed here, too: that one's windows are seen already, and its scans are not
-- where those say. What this transaction wrote is no news. One that moved since it was made may have taken scans meanwhile.
SELECT c.return_no, c.claimed_at, c.retailer, c.closed_at, c.told, returns.return_id,
    c.batch_id <> sweep.batch_id AND NOT EXISTS (
        SELECT FROM batches WHERE batches.batch_id = c.batch_id AND n <= sweep.upto OFFSET 0
    ),
    c.made_in = c.batch_id AND c.made_in <> sweep.batch_id AND NOT EXISTS (
        SELECT FROM batches WHERE batches.batch_id = c.made_in AND n <= sweep.upto OFFSET 0
    ),
    c.is_void
FROM (
    SELECT * FROM label_claims WHERE carrier = %b::text AND tracking_number = %b::text ORDER BY return_no LIMIT %b::int4
) AS c
CROSS JOIN (
    SELECT %b::text::xid8, coalesce((SELECT n FROM cursors WHERE name = 'sweep'), 0)
) AS sweep (batch_id, upto)
CROSS JOIN LATERAL (SELECT return_id FROM returns WHERE returns.return_no = c.return_no LIMIT 1) AS returns
ORDER BY c.claimed_at, c.return_no

-- name: tell
-- label_claims_pkey. Their batches stay those of the claims: what is told is no claim.
UPDATE label_claims SET told = new.told::json
FROM unnest(%b::int8[], %b::text[]) AS new (return_no, told)
WHERE label_claims.carrier = %b::text AND label_claims.tracking_number = %b::text
    AND label_claims.return_no = new.return_no

-- name: keep_bound
-- bound_scans_pkey; in one order for all workers
INSERT INTO bound_scans (carrier, tracking_number, retailers, return_no)
SELECT carrier, tracking_number, retailers, return_no
FROM unnest(%b::text[], %b::text[], %b::text[], %b::int8[]) AS new (carrier, tracking_number, retailers, return_no)
ORDER BY carrier, tracking_number, retailers, return_no
ON CONFLICT DO NOTHING

-- name: tell_bound
-- bound_scans_pkey; in one order for all workers
INSERT INTO bound_scans AS known (carrier, tracking_number, retailers, return_no, told)
SELECT label.*, return_no, told::json
FROM unnest(%b::int8[], %b::text[]) AS new (return_no, told),
    (SELECT %b::text, %b::text, %b::text) AS label (carrier, tracking_number, retailers)
ORDER BY return_no
ON CONFLICT (carrier, tracking_number, retailers, return_no) DO UPDATE SET told = excluded.told

-- name: bounds
-- bound_scans_pkey, one range; parked_pkey, from one list of retailers to the next
WITH RECURSIVE waiting AS (
    (
        SELECT retailers FROM parked WHERE kind = 'label' AND subject = %b::text AND retailers > ''
        ORDER BY retailers LIMIT 1
    )
    UNION ALL
    SELECT next.retailers FROM waiting
    CROSS JOIN LATERAL (
        SELECT retailers FROM parked WHERE kind = 'label' AND subject = %b::text AND parked.retailers > waiting.retailers
        ORDER BY retailers LIMIT 1
    ) AS next
)
SELECT retailers, return_no, told FROM bound_scans WHERE carrier = %b::text AND tracking_number = %b::text
UNION ALL
SELECT retailers, NULL, NULL FROM waiting

-- name: waiting_scans
-- parked_pkey, one range each for all and for each list of retailers
SELECT scan.* FROM unnest(%b::text[]) AS wanted (retailers)
CROSS JOIN LATERAL (
    SELECT kind, subject, {read} FROM parked
    WHERE kind = 'label' AND subject = %b::text AND parked.retailers = wanted.retailers
    ORDER BY source, id, words LIMIT %b::int4
) AS scan
LIMIT %b::int4

-- name: unpark_scans
-- parked_pkey, a probe a scan; by its place, as `unpark` does it
DELETE FROM parked
USING unnest(%b::text[], %b::text[], %b::text[], %b::bytea[]) AS placed (retailers, source, id, words)
CROSS JOIN LATERAL (
    SELECT ctid AS place FROM parked AS waiting
    WHERE waiting.kind = 'label' AND waiting.subject = %b::text AND waiting.retailers = placed.retailers
        AND waiting.source = placed.source AND waiting.id = placed.id AND waiting.words IN (placed.words, ''::bytea)
    OFFSET 0
) AS found
WHERE parked.ctid = found.place

-- name: scan_places
-- history_pkey, one range
SELECT seq, source, id, occurred_at, key FROM history
WHERE return_no = %b::int8 AND code IS NOT NULL AND data ->> 'carrier' = %b::text
    AND data ->> 'tracking_number' = %b::text AND coalesce(retailers, '') = %b::text
ORDER BY seq

-- name: scans_at
-- history_pkey, a probe a scan
SELECT 'label', wanted.subject, scan.*
FROM unnest(%b::int8[], %b::int4[]) WITH ORDINALITY AS wanted_places (return_no, seq, place),
    (SELECT %b::text) AS wanted (subject)
CROSS JOIN LATERAL (
    SELECT {read} FROM history WHERE history.return_no = wanted_places.return_no AND history.seq = wanted_places.seq LIMIT 1
) AS scan
ORDER BY wanted_places.place
