-- Where the sweep stopped among the labels that batches touched: of those up to `upto` the labels up to this one are done
-- with, and all that waited is placed. Counts for as long as the cursor has not come there.
CREATE TABLE sweep_turns (
    name            text NOT NULL,
    upto            bigint NOT NULL,
    carrier         text NOT NULL,
    tracking_number text NOT NULL,
    CONSTRAINT sweep_turns_pkey PRIMARY KEY (name)
) WITH (fillfactor = 50);  -- room for updates in place

-- A void is watched anew where what it named is another return's since. Who replays a letter may find that, too.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_acknowledging;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_acknowledging();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT SELECT, INSERT, UPDATE ON sweep_turns TO returns_ingest;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT UPDATE (recorded_at) ON unheard_voids TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
