-- What the rules ask of the past, and what a row says of its return's exceptions. All of it is there before a process
-- that needs it: those of the release before go on beside it.

-- What a scan did to the parcel's direction; null also in rows from before this.
ALTER TABLE history ADD COLUMN effect text;
-- The reasons that a row raised (+) and settled (-) for its return, its event's own aside; null: none.
ALTER TABLE history ADD COLUMN exceptions json;

-- Connotes are reused: a delivery long after a member's latest export is another consignment's. What is not known, of
-- members from before this, is told by the rules: infinity bounds nothing.
ALTER TABLE connote_members ADD COLUMN exported_at timestamptz NOT NULL DEFAULT 'infinity';

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_rules;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_rules();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT UPDATE (batch_id, exported_at) ON connote_members TO returns_ingest;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
