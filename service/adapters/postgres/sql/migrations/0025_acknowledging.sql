-- What people have seen of what waits and is no return's: parked events, by their return or label, and connotes that were
-- delivered without members. One row a name, the last time. It holds for as long as all that waits there is of batches up to
-- that one.
CREATE TABLE waiting_acknowledgements (
    kind     text NOT NULL,          -- return, label or connote
    subject  text NOT NULL,
    upto     bigint NOT NULL,        -- the newest batch there was when it was looked at
    batch_id xid8 NOT NULL,          -- of that batch: no other journal has it, nor this one once it was set back
    token_no bigint NOT NULL,        -- whose token it was
    by       text NOT NULL,          -- what people call it
    note     text NOT NULL,          -- may say anything of anybody: it goes nowhere but to who may see what waits
    at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT waiting_acknowledgements_pkey PRIMARY KEY (kind, subject)
);
-- The newest event that is parked under a name.
CREATE INDEX parked_newest ON parked (kind, subject, recorded_at);

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
        GRANT SELECT, INSERT, UPDATE ON waiting_acknowledgements TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
