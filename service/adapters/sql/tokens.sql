-- name: create_token
INSERT INTO tokens (hash, scopes, label) VALUES (%s, %s, %s)

-- name: scopes_of
-- One probe of tokens_hash_key.
SELECT scopes FROM tokens WHERE hash = %s AND revoked_at IS NULL
