-- Scans whose publisher is bound to retailers count for claims of those only. All of it is there before a process that needs
-- it: those of the release before go on beside it, and take such scans for everybody's as they did.

-- The retailers for whose claims alone a scan counts, in order, with commas; null, or of what waits empty: for all.
ALTER TABLE history ADD COLUMN retailers text;
ALTER TABLE connote_deliveries ADD COLUMN retailers text NOT NULL DEFAULT '';
-- What waits for a claim of some retailers may wait for ever, and must not stand between those that a claim concerns.
ALTER TABLE parked
    ADD COLUMN retailers text NOT NULL DEFAULT '',
    DROP CONSTRAINT parked_pkey,
    ADD CONSTRAINT parked_pkey PRIMARY KEY (kind, subject, retailers, source, id, words);
-- Few ever are; whether one is, is asked for each label that is new.
CREATE INDEX parked_bound ON parked (subject) WHERE retailers <> '';

-- By label and retailers: the returns whose histories have scans that are bound so, and what those say of the window in
-- which such scans are theirs. A label without such scans has no row.
CREATE TABLE bound_scans (
    carrier         text NOT NULL,
    tracking_number text NOT NULL,
    retailers       text NOT NULL,
    return_no       bigint NOT NULL,
    told            json,                       -- as in label_claims; null: nothing
    CONSTRAINT bound_scans_pkey PRIMARY KEY (carrier, tracking_number, retailers, return_no)
);

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_bound_scans;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_bound_scans();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT SELECT, INSERT ON bound_scans TO returns_ingest;
        GRANT UPDATE (told) ON bound_scans TO returns_ingest;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT SELECT, INSERT ON bound_scans TO returns_web;  -- a letter that is replayed may be a scan
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
