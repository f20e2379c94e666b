-- Creations that a client may ask for again.

-- name: keep
-- tokens_hash_key, returns_return_id_key; whoever is first wins: creations_pkey, creations_return_id_key
INSERT INTO creations (token_no, key, fingerprint, return_id, event)
SELECT token_no, %(key)s, %(fingerprint)s, %(return_id)s, %(event)s FROM tokens
WHERE hash = %(hash)s AND NOT EXISTS (SELECT FROM returns WHERE return_id = %(return_id)s)
ON CONFLICT DO NOTHING

-- name: kept
-- tokens_hash_key, creations_pkey
SELECT fingerprint, return_id, event, published_at IS NOT NULL
FROM creations JOIN tokens USING (token_no)
WHERE tokens.hash = %(hash)s AND key = %(key)s

-- name: is_published
-- tokens_hash_key, creations_pkey
UPDATE creations SET published_at = now()
FROM tokens
WHERE tokens.hash = %(hash)s AND creations.token_no = tokens.token_no AND creations.key = %(key)s
    AND published_at IS NULL
