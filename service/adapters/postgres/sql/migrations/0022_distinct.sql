-- Events of one name that say something else are events of their own. All of it is there before a process that needs it:
-- those of the release before go on beside it, and take them for duplicates as they did.

-- Whether an event lay in the future when it came, by more than clocks differ; null: no.
ALTER TABLE history ADD COLUMN is_ahead boolean;

-- A digest of a waiting event's name and of what it says; empty in rows from before this. `unmapped` is why no table
-- knew a scan's code when it came.
ALTER TABLE parked
    ADD COLUMN is_ahead boolean,
    ADD COLUMN unmapped text,
    ADD COLUMN words bytea NOT NULL DEFAULT '',
    DROP CONSTRAINT parked_pkey,
    ADD CONSTRAINT parked_pkey PRIMARY KEY (kind, subject, source, id, words);
ALTER TABLE connote_deliveries
    ADD COLUMN is_ahead boolean,
    ADD COLUMN words bytea NOT NULL DEFAULT '',
    DROP CONSTRAINT connote_deliveries_pkey,
    ADD CONSTRAINT connote_deliveries_pkey PRIMARY KEY (connote, source, id, words);

-- Voids that named nothing when they were recorded, until somebody has looked an hour later whether that is still so.
CREATE TABLE unheard_voids (
    return_no int8 NOT NULL,
    name bytea NOT NULL,  -- a digest of source and id
    source text NOT NULL,
    id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (return_no, name)
);
CREATE INDEX unheard_voids_recorded_at ON unheard_voids (recorded_at, return_no, name);

-- Claims of creations that are void are none. They stay, since the sweep looks for what was placed by them.
ALTER TABLE label_claims ADD COLUMN is_void boolean NOT NULL DEFAULT false;

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_distinct;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_distinct();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT UPDATE (is_void) ON label_claims TO returns_ingest;
        GRANT SELECT, INSERT, UPDATE, DELETE ON unheard_voids TO returns_ingest;  -- UPDATE: to lock a row is one
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT UPDATE (is_void) ON label_claims TO returns_web;
        GRANT SELECT, INSERT ON unheard_voids TO returns_web;  -- a letter that is replayed may be a void
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
