-- name: create_token
INSERT INTO tokens (hash, scopes, label, publisher) VALUES (%s, %s, %s, %s)

-- name: scopes_of
-- One probe of tokens_hash_key.
SELECT scopes FROM tokens WHERE hash = %s AND revoked_at IS NULL

-- name: tokens
-- All of them; there are as many as there are clients and people.
SELECT token_no, label, scopes, created_at, revoked_at FROM tokens ORDER BY token_no

-- name: revoke_token
-- tokens_pkey. Answers whether there is such a token; one that was revoked before keeps its time.
UPDATE tokens SET revoked_at = coalesce(revoked_at, now()) WHERE token_no = %s RETURNING token_no

-- name: publisher_of
-- One probe of tokens_hash_key.
SELECT coalesce(publisher, 'token-' || token_no) FROM tokens WHERE hash = %s AND revoked_at IS NULL
