-- What waits and is no return's, as subscribers are told of it: events that have been parked for an hour, by their return or
-- label, and connotes that were delivered an hour ago and have no members. One row a wait that is open.
CREATE TABLE told_waits (
    kind    text NOT NULL,               -- return, label or connote
    subject text NOT NULL,
    since   timestamptz NOT NULL,        -- when the first event of it was recorded that was looked at
    event   json NOT NULL,               -- that event, as messages name it
    told    boolean NOT NULL DEFAULT true,  -- false: it is to be told again, though it is open already
    CONSTRAINT told_waits_pkey PRIMARY KEY (kind, subject)
);

-- What became of them, in batches: the relay reads them with the batch that they are of.
CREATE TABLE wait_moves (
    batch_id    xid8 NOT NULL,
    kind        text NOT NULL,
    subject     text NOT NULL,
    state       text NOT NULL,           -- open or resolved
    since       timestamptz NOT NULL,
    event       json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT wait_moves_pkey PRIMARY KEY (batch_id, kind, subject)
);

-- How far looking is: of what came, up to when; of what is open, up to which wait, in circles. One row.
CREATE TABLE wait_looks (
    one        boolean NOT NULL DEFAULT true CHECK (one),
    parked     timestamptz NOT NULL DEFAULT 'epoch',
    deliveries timestamptz NOT NULL DEFAULT 'epoch',
    kind       text NOT NULL DEFAULT '',
    subject    text NOT NULL DEFAULT '',
    CONSTRAINT wait_looks_pkey PRIMARY KEY (one)
) WITH (fillfactor = 50);
INSERT INTO wait_looks DEFAULT VALUES;

ALTER FUNCTION grant_api() RENAME TO grant_api_before_waits;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_waits();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON told_waits TO returns_ingest;
        GRANT SELECT, INSERT ON wait_moves TO returns_ingest;
        GRANT SELECT, UPDATE ON wait_looks TO returns_ingest;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_relay') THEN
        GRANT SELECT ON wait_moves TO returns_relay;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
