-- What the HTTP API writes, and what its lists go by.

-- Creations that a client may ask for again: the same request gets the same event and the same answer, for ever.
CREATE TABLE creations (
    token_no     bigint NOT NULL,                          -- who asked: keys of two clients are no matter to each other
    key          text NOT NULL,                            -- the client's own, or its number for the return
    fingerprint  bytea NOT NULL,                           -- digest of the request
    return_id    text NOT NULL,
    event        bytea NOT NULL,                           -- the message for Kafka
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,                              -- null: not known to be in Kafka
    CONSTRAINT creations_pkey PRIMARY KEY (token_no, key),
    CONSTRAINT creations_return_id_key UNIQUE (return_id)  -- nobody creates it a second time
);

-- Lists of returns, newest first, by what they filter by.
CREATE INDEX search_returns_retailer_status ON search_returns (retailer, status, return_no);
CREATE INDEX search_returns_carrier ON search_returns (carrier, return_no);
CREATE INDEX search_returns_hub ON search_returns (hub, return_no);

-- Lists of exceptions, newest first.
CREATE INDEX search_exceptions_all_open ON search_exceptions (recorded_at, return_no, seq) WHERE resolved_at IS NULL;
CREATE INDEX search_exceptions_verdict ON search_exceptions (verdict, recorded_at, return_no, seq);
CREATE INDEX search_exceptions_reason ON search_exceptions (reason, recorded_at, return_no, seq);
CREATE INDEX search_exceptions_carrier ON search_exceptions (carrier, recorded_at, return_no, seq);
CREATE INDEX search_exceptions_code ON search_exceptions (code, recorded_at, return_no, seq) WHERE code IS NOT NULL;

-- Lists of dead letters, newest first.
CREATE INDEX dead_letters_recorded_at ON dead_letters (recorded_at, letter_no);
CREATE INDEX dead_letters_reason ON dead_letters (reason, recorded_at, letter_no);
CREATE INDEX dead_letters_topic ON dead_letters (topic, recorded_at, letter_no);
CREATE INDEX dead_letters_open_recorded_at ON dead_letters (recorded_at, letter_no) WHERE resolved_at IS NULL;

-- The API's user keeps creations, and records the event of a letter that is replayed. `grant_roles` calls this too.
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        RETURN;
    END IF;
    GRANT SELECT, INSERT, UPDATE (published_at) ON creations TO returns_web;
    GRANT INSERT ON returns, labels, history, connote_members, connote_deliveries, parked, batches TO returns_web;
    GRANT UPDATE (attempts, resolved_at, reason, error) ON dead_letters TO returns_web;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
