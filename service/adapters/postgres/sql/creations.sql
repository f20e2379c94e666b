-- Creations that a client may ask for again, with any token of its publisher: they are kept under the first one, {owner}.
-- Those of the service itself (its pages', its command's) have number 0.

-- name: keep
-- tokens_hash_key, tokens_publisher, returns_return_id_key; whoever is first wins: creations_pkey, creations_return_id_key
INSERT INTO creations (token_no, key, fingerprint, return_id, event)
SELECT owner.token_no, %(key)s, %(fingerprint)s, %(return_id)s, %(event)s
FROM (SELECT {owner} AS token_no FROM tokens WHERE hash = %(hash)s::bytea UNION ALL SELECT 0 WHERE %(hash)s::bytea IS NULL) AS owner
WHERE NOT EXISTS (SELECT FROM returns WHERE return_id = %(return_id)s)
ON CONFLICT DO NOTHING

-- name: kept
-- tokens_hash_key, tokens_publisher, creations_pkey
SELECT fingerprint, return_id, event, published_at IS NOT NULL, cancelled_at IS NOT NULL
FROM creations
WHERE key = %(key)s AND token_no = coalesce((SELECT {owner} AS token_no FROM tokens WHERE hash = %(hash)s::bytea), 0)
    AND (%(hash)s::bytea IS NULL) = (token_no = 0)

-- name: is_published
-- tokens_hash_key, tokens_publisher, creations_pkey
UPDATE creations SET published_at = now()
WHERE key = %(key)s AND token_no = coalesce((SELECT {owner} AS token_no FROM tokens WHERE hash = %(hash)s::bytea), 0)
    AND (%(hash)s::bytea IS NULL) = (token_no = 0) AND published_at IS NULL

-- name: created
-- creations_return_id_key
SELECT fingerprint, return_id, event, published_at IS NOT NULL, cancelled_at IS NOT NULL
FROM creations WHERE return_id = %(return_id)s

-- name: is_cancelled
-- creations_pkey. Of our own pages: nobody else cancels here.
UPDATE creations SET cancelled_at = coalesce(cancelled_at, now()) WHERE token_no = 0 AND key = %(key)s
