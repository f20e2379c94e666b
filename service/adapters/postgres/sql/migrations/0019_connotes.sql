-- outside a transaction
-- What lists of connotes go by: kept up by `project` as the other search tables are. Each statement is safe to run again.

-- When the export happened that counts of the return; null: none does, or none is known to (see below).
ALTER TABLE search_returns ADD COLUMN IF NOT EXISTS exported_at timestamptz;

-- One row a connote, retailer and carrier: how many of their returns travel under it, and since when. So whoever is bound
-- to a retailer or a carrier has sums of its own.
CREATE TABLE IF NOT EXISTS search_connotes (
    connote      text NOT NULL,
    retailer     text NOT NULL,
    carrier      text NOT NULL,     -- of the first mile
    under_way    bigint NOT NULL,   -- exported under it, and not delivered
    delivered    bigint NOT NULL,
    exported_at  timestamptz,       -- the earliest export of those under way, else of those delivered last
    delivered_at timestamptz,       -- the latest delivery
    CONSTRAINT search_connotes_pkey PRIMARY KEY (connote, retailer, carrier)
) WITH (fillfactor = 50);  -- room for updates in place

-- What was projected before. A projector that works meanwhile waits: what it counts and what is counted here is counted once.
-- The first of several exports under a connote is not always the one that counts; `project --rebuild` knows.
DO $$ BEGIN
    PERFORM n FROM cursors WHERE name = 'search' FOR UPDATE;
    IF EXISTS (SELECT FROM search_connotes) THEN
        RETURN;
    END IF;
    UPDATE search_returns SET exported_at = status_at WHERE status = 'RE' AND connote IS NOT NULL;
    UPDATE search_returns AS known SET exported_at = (
        SELECT min(occurred_at) FROM history
        WHERE history.return_no = known.return_no AND milestone = 'RE' AND data ->> 'connote' = known.connote
    )
    WHERE status = 'RDBTC' AND connote IS NOT NULL;
    INSERT INTO search_connotes (connote, retailer, carrier, under_way, delivered, exported_at, delivered_at)
    SELECT connote, retailer, carrier, count(*) FILTER (WHERE status = 'RE'), count(*) FILTER (WHERE status = 'RDBTC'),
        coalesce(min(exported_at) FILTER (WHERE status = 'RE'), min(exported_at)),
        max(status_at) FILTER (WHERE status = 'RDBTC')
    FROM search_returns
    WHERE connote IS NOT NULL AND status IN ('RE', 'RDBTC')
    GROUP BY connote, retailer, carrier;
END $$;

-- From a share of a connote to its earliest export and latest delivery, a probe each.
CREATE INDEX CONCURRENTLY search_returns_travelling
    ON search_returns (connote, retailer, carrier, status, status_at, exported_at)
    WHERE connote IS NOT NULL AND status IN ('RE', 'RDBTC');
-- Under way, the longest first; delivered, the latest first. All of them, and those with returns of a retailer.
CREATE INDEX CONCURRENTLY search_connotes_under_way ON search_connotes (exported_at, connote COLLATE "C")
    WHERE under_way > 0;
CREATE INDEX CONCURRENTLY search_connotes_delivered ON search_connotes (delivered_at, connote COLLATE "C")
    WHERE delivered > 0;
CREATE INDEX CONCURRENTLY search_connotes_retailer_under_way
    ON search_connotes (retailer, exported_at, connote COLLATE "C") WHERE under_way > 0;
CREATE INDEX CONCURRENTLY search_connotes_retailer_delivered
    ON search_connotes (retailer, delivered_at, connote COLLATE "C") WHERE delivered > 0;
-- Deliveries by when they were recorded, the latest first: those of connotes without members are among them.
CREATE INDEX CONCURRENTLY connote_deliveries_recorded_at
    ON connote_deliveries (recorded_at, connote COLLATE "C", source COLLATE "C", id COLLATE "C");

DO $$ BEGIN
    IF to_regprocedure('grant_roles()') IS NOT NULL THEN
        PERFORM grant_roles();  -- on the new table
    END IF;
END $$;
