-- What a token may see and say, until when, and how often it may ask. Null: no bound of that kind, so every token that was
-- made before this goes on as it was. An empty list would look like no bound, and is none.
ALTER TABLE tokens
    ADD COLUMN retailers    text[] CONSTRAINT tokens_retailers CHECK (cardinality(retailers) > 0),
    ADD COLUMN carriers     text[] CONSTRAINT tokens_carriers CHECK (cardinality(carriers) > 0),
    ADD COLUMN hubs         text[] CONSTRAINT tokens_hubs CHECK (cardinality(hubs) > 0),
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN rate         integer CONSTRAINT tokens_rate CHECK (rate > 0),  -- requests a minute
    ADD COLUMN last_used_at timestamptz;                                      -- to the minute
-- The first token of a publisher, under which its creations are kept.
CREATE INDEX tokens_publisher ON tokens (publisher, token_no) WHERE publisher IS NOT NULL;

-- A request that comes again with another token of its publisher is the same request: creations belong to the first one.
UPDATE creations SET token_no = first.token_no
FROM tokens, LATERAL (SELECT min(token_no) AS token_no FROM tokens each WHERE each.publisher = tokens.publisher) first
WHERE tokens.token_no = creations.token_no AND first.token_no < creations.token_no
    AND NOT EXISTS (
        SELECT FROM creations other JOIN tokens others USING (token_no)
        WHERE others.publisher = tokens.publisher AND other.key = creations.key AND other.token_no <> creations.token_no
    );

-- `grant_roles` calls `grant_api`, whatever that grants by now: the web notes when a token was used, too, and `replay` who
-- replays.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_bounds;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_bounds();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT UPDATE (last_used_at) ON tokens TO returns_web;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT INSERT ON audit TO returns_ingest;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
