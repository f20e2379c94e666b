-- Labels are recycled and shared. `labels` goes on naming the return that was known first; what more than one return
-- claims stands here, with everything that windows follow from. Most labels have one claim, and no row.
CREATE TABLE label_claims (
    carrier         text NOT NULL,
    tracking_number text NOT NULL,
    return_no       bigint NOT NULL,
    batch_id        xid8 NOT NULL,              -- the batch that changed it last, see batches
    made_in         xid8 NOT NULL,              -- the batch that made it
    claimed_at      timestamptz NOT NULL,       -- the earliest creation of the return that names the label
    retailer        text NOT NULL,              -- that creation's
    closed_at       timestamptz,                -- when the return was closed; null: it is not
    told            json,                       -- what the return's history says of its window; null: nothing
    CONSTRAINT label_claims_pkey PRIMARY KEY (carrier, tracking_number, return_no)
);
-- The sweep looks at what a batch claimed.
CREATE INDEX label_claims_batch_id ON label_claims (batch_id);
-- Tracking numbers are searched without their carrier, as they are in `labels`.
CREATE INDEX label_claims_tracking_number ON label_claims (tracking_number);
CREATE INDEX label_claims_look ON label_claims (translate(upper(tracking_number COLLATE "C"), 'OI._-', '01'));

-- What lists say of a return that was closed. `complete` is true of it, too, there: nothing further is expected, and no list of
-- what is stuck walks over those that were closed.
ALTER TABLE search_returns ADD COLUMN closed_at timestamptz, ADD COLUMN closed_reason text;

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_labels;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_labels();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT SELECT, INSERT ON label_claims TO returns_ingest;
        GRANT UPDATE (batch_id, claimed_at, retailer, closed_at, told) ON label_claims TO returns_ingest;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT SELECT, INSERT ON label_claims TO returns_web;
        GRANT UPDATE (batch_id, claimed_at, retailer, closed_at, told) ON label_claims TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
