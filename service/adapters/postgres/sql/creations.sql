-- Creations that a client may ask for again, with any token of its publisher: they are kept under the first one, {owner}.

-- name: keep
-- tokens_hash_key, tokens_publisher, returns_return_id_key; whoever is first wins: creations_pkey, creations_return_id_key
INSERT INTO creations (token_no, key, fingerprint, return_id, event)
SELECT {owner}, %(key)s, %(fingerprint)s, %(return_id)s, %(event)s FROM tokens
WHERE hash = %(hash)s AND NOT EXISTS (SELECT FROM returns WHERE return_id = %(return_id)s)
ON CONFLICT DO NOTHING

-- name: kept
-- tokens_hash_key, tokens_publisher, creations_pkey
SELECT fingerprint, return_id, event, published_at IS NOT NULL
FROM tokens JOIN creations ON creations.token_no = {owner}
WHERE tokens.hash = %(hash)s AND key = %(key)s

-- name: is_published
-- tokens_hash_key, tokens_publisher, creations_pkey
UPDATE creations SET published_at = now()
FROM tokens
WHERE tokens.hash = %(hash)s AND creations.token_no = {owner} AND creations.key = %(key)s
    AND published_at IS NULL
