-- Events of one name that say something else are events of their own. All of it is there before a process that needs it:
-- those of the release before go on beside it, and take them for duplicates as they did.

-- Whether an event lay in the future when it came, by more than clocks differ; null: no.
ALTER TABLE history ADD COLUMN is_ahead boolean;

-- A digest of a waiting event's name and of what it says; empty in rows from before this.
ALTER TABLE parked
    ADD COLUMN is_ahead boolean,
    ADD COLUMN words bytea NOT NULL DEFAULT '',
    DROP CONSTRAINT parked_pkey,
    ADD CONSTRAINT parked_pkey PRIMARY KEY (kind, subject, source, id, words);
ALTER TABLE connote_deliveries
    ADD COLUMN is_ahead boolean,
    ADD COLUMN words bytea NOT NULL DEFAULT '',
    DROP CONSTRAINT connote_deliveries_pkey,
    ADD CONSTRAINT connote_deliveries_pkey PRIMARY KEY (connote, source, id, words);
