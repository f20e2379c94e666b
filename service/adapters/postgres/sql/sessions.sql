-- Who is logged in to the operations desk. {caller} and {valid} are those of tokens.sql.

-- name: forget
-- ops_sessions_expires_at
DELETE FROM ops_sessions WHERE expires_at < now()

-- name: open
-- tokens_hash_key
INSERT INTO ops_sessions (hash, token_no, expires_at)
SELECT %(hash)s, token_no, now() + %(longest)s::interval FROM tokens
WHERE hash = %(token)s AND {valid} AND 'ops' = ANY (scopes)

-- name: find
-- ops_sessions_hash_key, tokens_pkey. The last column tells that the use is to be noted; not every one is.
SELECT {caller}, used_at < now() - %(idle)s::interval / 20
FROM ops_sessions JOIN tokens USING (token_no)
WHERE ops_sessions.hash = %(hash)s AND ops_sessions.expires_at > now() AND used_at > now() - %(idle)s::interval
    AND {valid} AND 'ops' = ANY (scopes)

-- name: touch
-- ops_sessions_hash_key
UPDATE ops_sessions SET used_at = now() WHERE hash = %(hash)s

-- name: end
-- ops_sessions_hash_key
DELETE FROM ops_sessions WHERE hash = %(hash)s

-- name: whose
-- tokens_hash_key
SELECT token_no, label FROM tokens WHERE hash = %(token)s
