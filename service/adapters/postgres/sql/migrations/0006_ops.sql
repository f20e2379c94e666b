-- What the operations desk keeps: who is logged in, and who did what.

-- One row a login. The id that the browser holds is not here, only its hash; the scopes are those of the token, looked
-- up with every request, so that a session ends with its token.
CREATE TABLE ops_sessions (
    session_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       bytea NOT NULL,
    token_no   bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,               -- whether it is used or not
    CONSTRAINT ops_sessions_hash_key UNIQUE (hash)
);
-- What is over is deleted by whoever logs in next.
CREATE INDEX ops_sessions_expires_at ON ops_sessions (expires_at);

-- Who did what, append-only: no role of the service may change or delete a row.
CREATE TABLE audit (
    audit_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    token_no bigint,                               -- null: a token that nobody knows
    label    text NOT NULL,                        -- the token's, as it was then
    action   text NOT NULL,
    subject  text,                                 -- what it was done to: a return_id, a connote, a letter's number
    detail   json NOT NULL                         -- closed keys, no payload
);
-- The log of one subject, newest first.
CREATE INDEX audit_subject ON audit (subject, audit_no) WHERE subject IS NOT NULL;

-- The desk's user is the API's; where there are no roles, one user does everything. `grant_roles` calls this too.
CREATE OR REPLACE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        RETURN;
    END IF;
    GRANT SELECT, INSERT, UPDATE (published_at) ON creations TO returns_web;
    GRANT INSERT ON returns, labels, history, connote_members, connote_deliveries, parked, batches TO returns_web;
    GRANT UPDATE (attempts, resolved_at, reason, error) ON dead_letters TO returns_web;
    GRANT SELECT, INSERT, UPDATE (used_at), DELETE ON ops_sessions TO returns_web;
    GRANT SELECT, INSERT ON audit TO returns_web;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
