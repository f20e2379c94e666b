-- What is asked besides for who is bound. {contested} is that of reading/bounds.py.

-- name: is_contested
-- history_pkey, one range: whether the return was created for another retailer, too, and nobody has said which is right.
SELECT EXISTS (
    SELECT FROM (SELECT %(return_no)s::int8 AS return_no, %(retailer)s::text AS retailer) s WHERE EXISTS ({contested})
)

-- name: foreign_creations
-- history_pkey, one range: creations for other retailers, which are voided where the return is seen, and their labels.
SELECT source, id, data ->> 'carrier', data ->> 'tracking_number' FROM history
WHERE return_no = %(return_no)s::int8 AND type = %(created)s::text AND data ->> 'retailer' <> ALL (%(retailers)s::text[])

-- name: own_labels
-- history_pkey, one range: what the other creations name.
SELECT DISTINCT data ->> 'carrier', data ->> 'tracking_number' FROM history
WHERE return_no = %(return_no)s::int8 AND type = %(created)s::text AND data ->> 'retailer' = ANY (%(retailers)s::text[])
