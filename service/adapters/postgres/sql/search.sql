-- Keeps the search tables. The session plans as described in batch_log.sql.

-- name: is_behind
-- cursors_pkey; batches_pkey backwards
SELECT n, coalesce((SELECT max(n) FROM batches), 0) FROM cursors WHERE name = 'search'

-- name: begin
-- cursors_pkey. The row's lock lets one projector work at a time; another one passes by.
SELECT n FROM cursors WHERE name = 'search' FOR UPDATE SKIP LOCKED

-- name: begin_rebuild
-- cursors_pkey. Waits for whoever works.
SELECT n FROM cursors WHERE name = 'search' FOR UPDATE

-- name: end
-- cursors_pkey
UPDATE cursors SET n = %b::int8 WHERE name = 'search'

-- name: clear_returns
-- All rows; readers see them until the transaction that fills the table again commits.
DELETE FROM search_returns

-- name: clear_exceptions
DELETE FROM search_exceptions

-- name: clear_counts
DELETE FROM search_counts

-- name: clear_days
DELETE FROM search_days

-- name: clear_connotes
DELETE FROM search_connotes

-- name: clear_minutes
DELETE FROM search_minutes

-- name: restart_figures
-- cursors_pkey. They count everything from now on.
UPDATE cursors SET n = 0 WHERE name IN ('figures', 'minutes')

-- name: put_returns
-- search_returns_pkey. Returns whose status moved, the new ones among them.
INSERT INTO search_returns AS known (return_no, return_id, retailer, route, carrier, tracking_number, order_number,
    connote, hub, status, status_at, status_recorded_at, version, complete, created_at, updated_at, seq, reached,
    exported_at, closed_at, closed_reason)
SELECT return_no, return_id, retailer, route, carrier, tracking_number, order_number, connote, hub, status, status_at,
    status_recorded_at, version, complete, created_at, updated_at, seq, reached::date[], exported_at, closed_at,
    closed_reason
FROM unnest(%b::int8[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::timestamptz[], %b::timestamptz[], %b::int4[], %b::bool[], %b::timestamptz[], %b::timestamptz[],
    %b::int4[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::text[]) AS new (return_no, return_id, retailer, route, carrier, tracking_number,
    order_number, connote, hub, status, status_at, status_recorded_at, version, complete, created_at, updated_at, seq,
    reached, exported_at, closed_at, closed_reason)
WHERE status_recorded_at IS NOT NULL
ON CONFLICT (return_no) DO UPDATE SET
    retailer = excluded.retailer, route = excluded.route, carrier = excluded.carrier,
    tracking_number = excluded.tracking_number, order_number = excluded.order_number, connote = excluded.connote,
    hub = coalesce(excluded.hub, known.hub), status = excluded.status, status_at = excluded.status_at,
    status_recorded_at = excluded.status_recorded_at, version = excluded.version, complete = excluded.complete,
    created_at = excluded.created_at, updated_at = excluded.updated_at, seq = excluded.seq, reached = excluded.reached,
    exported_at = excluded.exported_at, closed_at = excluded.closed_at, closed_reason = excluded.closed_reason
WHERE known.seq < excluded.seq

-- name: touch_returns
-- search_returns_pkey. The status stayed, and with it the time at which it moved.
UPDATE search_returns AS known SET
    retailer = new.retailer, route = new.route, carrier = new.carrier, tracking_number = new.tracking_number,
    order_number = new.order_number, connote = new.connote, hub = coalesce(new.hub, known.hub), status = new.status,
    status_at = new.status_at, version = new.version, complete = new.complete, created_at = new.created_at,
    updated_at = new.updated_at, seq = new.seq, reached = new.reached::date[], exported_at = new.exported_at,
    closed_at = new.closed_at, closed_reason = new.closed_reason
FROM unnest(%b::int8[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::timestamptz[], %b::timestamptz[], %b::int4[], %b::bool[], %b::timestamptz[], %b::timestamptz[],
    %b::int4[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::text[]) AS new (return_no, return_id, retailer, route, carrier, tracking_number,
    order_number, connote, hub, status, status_at, status_recorded_at, version, complete, created_at, updated_at, seq,
    reached, exported_at, closed_at, closed_reason)
WHERE known.return_no = new.return_no AND known.seq < new.seq AND new.status_recorded_at IS NULL

-- name: counted
-- search_returns_pkey
SELECT known.return_no, known.seq, known.route, known.status, known.reached, known.connote, known.retailer, known.carrier
FROM unnest(%b::int8[]) AS wanted (return_no)
CROSS JOIN LATERAL (SELECT * FROM search_returns WHERE return_no = wanted.return_no OFFSET 0) AS known

-- name: count_returns
-- search_counts_pkey
INSERT INTO search_counts AS known (route, status, returns)
SELECT * FROM unnest(%b::text[], %b::text[], %b::int8[])
ON CONFLICT (route, status) DO UPDATE SET returns = known.returns + excluded.returns

-- name: count_days
-- search_days_pkey
INSERT INTO search_days AS known (day, milestone, route, returns)
SELECT * FROM unnest(%b::date[], %b::text[], %b::text[], %b::int8[])
ON CONFLICT (day, milestone, route) DO UPDATE SET returns = known.returns + excluded.returns

-- name: count_connotes
-- search_connotes_pkey
INSERT INTO search_connotes AS known (connote, retailer, carrier, under_way, delivered)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::int8[], %b::int8[])
ON CONFLICT (connote, retailer, carrier) DO UPDATE SET
    under_way = known.under_way + excluded.under_way, delivered = known.delivered + excluded.delivered

-- name: time_connotes
-- search_connotes_pkey; search_returns_travelling, three probes a share.
UPDATE search_connotes AS known SET
    exported_at = coalesce(waiting.exported_at, (
        SELECT exported_at FROM search_returns
        WHERE connote = moved.connote AND retailer = moved.retailer AND carrier = moved.carrier AND status = 'RDBTC'
            AND status_at = arrived.delivered_at AND exported_at IS NOT NULL
        ORDER BY exported_at LIMIT 1
    )),
    delivered_at = arrived.delivered_at
FROM unnest(%b::text[], %b::text[], %b::text[]) AS moved (connote, retailer, carrier)
LEFT JOIN LATERAL (
    SELECT status_at AS exported_at FROM search_returns
    WHERE connote = moved.connote AND retailer = moved.retailer AND carrier = moved.carrier AND status = 'RE'
    ORDER BY status_at LIMIT 1
) waiting ON true
LEFT JOIN LATERAL (
    SELECT status_at AS delivered_at FROM search_returns
    WHERE connote = moved.connote AND retailer = moved.retailer AND carrier = moved.carrier AND status = 'RDBTC'
    ORDER BY status_at DESC LIMIT 1
) arrived ON true
WHERE known.connote = moved.connote AND known.retailer = moved.retailer AND known.carrier = moved.carrier

-- name: forget_connotes
-- search_connotes_pkey. Nothing travels under them any more: an export was declared a mistake, or names another one.
DELETE FROM search_connotes AS known
USING unnest(%b::text[], %b::text[], %b::text[]) AS moved (connote, retailer, carrier)
WHERE known.connote = moved.connote AND known.retailer = moved.retailer AND known.carrier = moved.carrier
    AND known.under_way <= 0 AND known.delivered <= 0

-- name: count_minutes
-- batches_pkey, cursors_pkey, search_minutes_pkey. With a cursor of its own: a batch that is read again is not counted again.
INSERT INTO search_minutes AS known (minute, events)
SELECT date_trunc('minute', recorded_at), sum(events) FROM batches
WHERE n > greatest(%(after)b::int8, coalesce((SELECT n FROM cursors WHERE name = 'minutes'), 0))
    AND n <= %(upto)b::int8 AND events > 0
GROUP BY 1 ORDER BY 1
ON CONFLICT (minute) DO UPDATE SET events = known.events + excluded.events

-- name: end_minutes
-- cursors_pkey
INSERT INTO cursors AS known (name, n) VALUES ('minutes', %b::int8)
ON CONFLICT (name) DO UPDATE SET n = greatest(known.n, excluded.n)

-- name: put_exceptions
-- search_exceptions_pkey
INSERT INTO search_exceptions (return_no, seq, return_id, retailer, verdict, reason, milestone, code, type, source, id,
    carrier, tracking_number, connote, occurred_at, recorded_at, resolved_at, begun_seq)
SELECT * FROM unnest(%b::int8[], %b::int4[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[],
    %b::timestamptz[], %b::int4[])
ON CONFLICT (return_no, seq) DO NOTHING

-- name: open_exceptions
-- search_exceptions_pkey
SELECT known.return_no, known.seq, known.return_id, known.retailer, known.verdict, known.reason, known.milestone,
    known.code, known.type, known.source, known.id, known.carrier, known.tracking_number, known.connote,
    known.occurred_at, known.recorded_at, known.resolved_at, known.begun_seq
FROM unnest(%b::int8[]) AS wanted (return_no)
CROSS JOIN LATERAL (SELECT * FROM search_exceptions WHERE return_no = wanted.return_no OFFSET 0) AS known
WHERE known.resolved_at IS NULL

-- name: resolve
-- search_exceptions_pkey
UPDATE search_exceptions AS known SET resolved_at = new.resolved_at
FROM unnest(%b::int8[], %b::int4[], %b::timestamptz[]) AS new (return_no, seq, resolved_at)
WHERE known.return_no = new.return_no AND known.seq = new.seq

-- name: resolve_untold
-- batches_pkey, history_batch_id, search_exceptions_pkey. A scan whose code became known has a second row in the history.
-- OFFSET keeps the order: from what is new to what is open, of which there may be very many.
UPDATE search_exceptions AS known SET resolved_at = done.recorded_at
FROM (
    SELECT before.return_no, before.seq, min(again.recorded_at) AS recorded_at
    FROM (
        SELECT history.return_no, history.seq, history.source, history.id, history.milestone, history.recorded_at,
            history.code, history.occurred_at
        FROM batches CROSS JOIN LATERAL (SELECT * FROM history WHERE history.batch_id = batches.batch_id OFFSET 0) AS history
        WHERE batches.n > %b::int8 AND batches.n <= %b::int8
            AND history.code IS NOT NULL AND history.verdict <> 'unmapped'
    ) AS again
    CROSS JOIN LATERAL (
        SELECT return_no, seq, source, id, verdict, reason, code, occurred_at, resolved_at FROM search_exceptions
        WHERE search_exceptions.return_no = again.return_no AND search_exceptions.seq < again.seq
        OFFSET 0
    ) AS before
    WHERE before.resolved_at IS NULL
        AND before.verdict = 'unmapped' AND before.source = again.source AND before.id = again.id
        AND before.code = again.code AND before.occurred_at = again.occurred_at
    GROUP BY before.return_no, before.seq
) AS done
WHERE known.return_no = done.return_no AND known.seq = done.seq
