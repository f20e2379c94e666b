-- The journal: what ingestion writes. One append an event, one row a batch, nothing updated but the offsets.
-- No foreign keys between these tables: every row of history would pay for a check of what the one writer already
-- knows; `verify` looks for rows without their return instead.

-- One row a return, inserted with its first creation. return_no follows the order of creation.
CREATE TABLE returns (
    return_no   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    return_id   text NOT NULL,
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- the batch that wrote it, see batches
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT returns_return_id_key UNIQUE (return_id)  -- from a consignment number to its return
);
-- The sweep looks at what a batch created.
CREATE INDEX returns_xid ON returns (xid);

-- From a carrier's tracking number to the return that claimed it first.
CREATE TABLE labels (
    carrier         text NOT NULL,
    tracking_number text NOT NULL,
    return_no       bigint NOT NULL,
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT labels_pkey PRIMARY KEY (carrier, tracking_number)
);
-- The sweep looks at what a batch claimed.
CREATE INDEX labels_xid ON labels (xid);
-- Tracking numbers are searched without their carrier.
CREATE INDEX labels_tracking_number ON labels (tracking_number);

-- One row a distinct event of a return: the event, its verdict, what it changed, and the return's state after it.
CREATE TABLE history (
    return_no       bigint NOT NULL,
    seq             integer NOT NULL,                              -- 1, 2, 3, ... within the return
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),    -- the batch that wrote it, see batches
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    -- the event
    source          text NOT NULL,
    id              text NOT NULL,
    type            text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    zone_source     text NOT NULL,                                 -- event, or carrier_table for a time without offset
    code            text,                                          -- a scan's own code
    milestone       text,                                          -- what it asserts
    data            json NOT NULL,                                 -- as published, unknown members kept
    extensions      json,                                          -- further CloudEvents attributes
    topic           text NOT NULL,
    partition       integer NOT NULL,
    "offset"        bigint NOT NULL,
    published_at    timestamptz NOT NULL,                          -- Kafka's timestamp
    -- what it did
    verdict         text NOT NULL,
    reason          text,
    changes         json,                                          -- null: none
    -- the return after it
    version         integer NOT NULL,
    status          text NOT NULL,
    state           json NOT NULL,                                 -- the earliest event of each milestone, the attributes
    key             bytea NOT NULL,                                -- digest of (source, id)
    seen            bytea,                                         -- all keys up to here; null: too many, gather them
    -- Two workers that append to one return collide here; the later one reads the state again.
    CONSTRAINT history_pkey PRIMARY KEY (return_no, seq)
) PARTITION BY RANGE (return_no);
-- The relay and the projector read what a batch wrote.
CREATE INDEX history_xid ON history (xid);

-- Partitions of two million returns each; retention drops the oldest.
CREATE FUNCTION extend_history() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    width CONSTANT bigint := 2000000;
    ahead CONSTANT bigint := 2;
    newest bigint;
    made integer := 0;
BEGIN
    SELECT coalesce(max(return_no), 0) INTO newest FROM returns;
    FOR i IN 0 .. newest / width + ahead LOOP
        IF to_regclass(format('history_%s', i)) IS NULL AND (i + 1) * width > newest THEN
            EXECUTE format('CREATE TABLE history_%s PARTITION OF history FOR VALUES FROM (%s) TO (%s)',
                           i, i * width, (i + 1) * width);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
SELECT extend_history();

-- Which returns an export put under which connote. A later void does not take a row out: it is a way to find, no fact.
CREATE TABLE connote_members (
    connote   text NOT NULL,
    return_no bigint NOT NULL,
    xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT connote_members_pkey PRIMARY KEY (connote, return_no)
);
-- The sweep looks at what a batch exported.
CREATE INDEX connote_members_xid ON connote_members (xid);

-- Deliveries of connotes; each member has the event in its history too.
CREATE TABLE connote_deliveries (
    connote         text NOT NULL,
    source          text NOT NULL,
    id              text NOT NULL,
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    type            text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    zone_source     text NOT NULL,
    code            text,
    milestone       text,
    data            json NOT NULL,
    extensions      json,
    topic           text NOT NULL,
    partition       integer NOT NULL,
    "offset"        bigint NOT NULL,
    published_at    timestamptz NOT NULL,
    CONSTRAINT connote_deliveries_pkey PRIMARY KEY (connote, source, id)
);
CREATE INDEX connote_deliveries_xid ON connote_deliveries (xid);

-- Events whose return is unknown yet; a row leaves for the history when its return becomes known.
CREATE TABLE parked (
    kind            text NOT NULL,                                 -- return, or label
    subject         text NOT NULL,                                 -- return_id, or carrier/tracking_number
    source          text NOT NULL,
    id              text NOT NULL,
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    type            text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    zone_source     text NOT NULL,
    code            text,
    milestone       text,
    data            json NOT NULL,
    extensions      json,
    topic           text NOT NULL,
    partition       integer NOT NULL,
    "offset"        bigint NOT NULL,
    published_at    timestamptz NOT NULL,
    CONSTRAINT parked_pkey PRIMARY KEY (kind, subject, source, id)
);
-- The sweep looks at what a batch parked; lists show the oldest first.
CREATE INDEX parked_xid ON parked (xid);
CREATE INDEX parked_recorded_at ON parked (recorded_at);

-- Messages that are no events, byte for byte. attempts and resolved_at are a replay's to change.
CREATE TABLE dead_letters (
    letter_no    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    topic        text NOT NULL,
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,
    published_at timestamptz NOT NULL,
    key          bytea,
    value        bytea,
    headers      json NOT NULL,                                    -- [[name, base64 or null], ...]
    reason       text NOT NULL,
    error        text NOT NULL,                                    -- names the field, never echoes its value
    attempts     integer NOT NULL DEFAULT 1,
    resolved_at  timestamptz,
    CONSTRAINT dead_letters_coordinates_key UNIQUE (topic, partition, "offset")
);
CREATE INDEX dead_letters_xid ON dead_letters (xid);

-- One row a transaction. n is taken under an advisory lock just before COMMIT, so its order is the order of commits
-- and a reader that sees n sees all below it.
CREATE TABLE batches (
    n           bigint NOT NULL,
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT batches_pkey PRIMARY KEY (n)
);

-- How far each input partition is ingested; moved by compare-and-set in the transaction of the batch.
CREATE TABLE offsets (
    topic     text NOT NULL,
    partition integer NOT NULL,
    next      bigint NOT NULL,
    CONSTRAINT offsets_pkey PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);  -- room for updates in place

-- How far each reader of the batch log is.
CREATE TABLE cursors (
    name text NOT NULL,
    n    bigint NOT NULL,
    CONSTRAINT cursors_pkey PRIMARY KEY (name)
) WITH (fillfactor = 50);

-- API tokens, hashed.
CREATE TABLE tokens (
    token_no   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       bytea NOT NULL,
    scopes     text[] NOT NULL,
    label      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CONSTRAINT tokens_hash_key UNIQUE (hash)  -- every request asks by hash
);
