-- What is asked besides for who is bound.

-- name: is_contested
-- history_pkey, one range: whether the return was created for another retailer, too.
SELECT EXISTS (
    SELECT FROM history
    WHERE return_no = %(return_no)s::int8 AND type = %(created)s::text AND data ->> 'retailer' <> %(retailer)s::text
)
