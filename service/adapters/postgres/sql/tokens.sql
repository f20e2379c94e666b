-- {caller} are the columns of whoever has a token, {valid} is which of them are.

-- name: create_token
INSERT INTO tokens (hash, scopes, label, publisher, retailers, carriers, hubs, rate, expires_at)
VALUES (%(hash)s, %(scopes)s, %(label)s, %(publisher)s, %(retailers)s, %(carriers)s, %(hubs)s, %(rate)s,
    now() + %(expires)s::interval)
RETURNING token_no

-- name: caller_of
-- One probe of tokens_hash_key.
SELECT {caller} FROM tokens WHERE hash = %s AND {valid}

-- name: tokens
-- All of them; there are as many as there are clients and people.
SELECT {caller}, created_at, revoked_at, expires_at, last_used_at FROM tokens ORDER BY token_no

-- name: valid_hashes
-- tokens_pkey, backwards; there are as many as there are clients and people.
SELECT hash FROM tokens WHERE {valid} ORDER BY token_no DESC LIMIT %s

-- name: revoke_token
-- tokens_pkey. Answers whether there is such a token; one that was revoked before keeps its time.
UPDATE tokens SET revoked_at = coalesce(revoked_at, now()) WHERE token_no = %s RETURNING token_no

-- name: note_use
-- tokens_pkey. Several processes tell of one token; it is written once a minute all the same.
UPDATE tokens SET last_used_at = used.at
FROM unnest(%(numbers)s::int8[], %(times)s::timestamptz[]) AS used (token_no, at)
WHERE tokens.token_no = used.token_no
    AND (tokens.last_used_at IS NULL OR tokens.last_used_at <= used.at - interval '1 minute')
