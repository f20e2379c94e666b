-- Tracking numbers from a carrier's own range.

-- name: next_serial
-- number_ranges_pkey. Waits for others that take of the same range until they have committed; no row: none is left.
INSERT INTO number_ranges AS known (carrier, form, next)
VALUES (%(carrier)s, %(form)s, %(first)s + 1)
ON CONFLICT (carrier, form) DO UPDATE SET next = greatest(known.next, %(first)s) + 1
WHERE greatest(known.next, %(first)s) <= %(last)s
RETURNING next - 1

-- name: give
-- numbers_given_pkey, labels_pkey. No row: it was given, or somebody made a label with it.
INSERT INTO numbers_given (carrier, tracking_number)
SELECT %(carrier)s, %(number)s
WHERE NOT EXISTS (SELECT FROM labels WHERE carrier = %(carrier)s AND tracking_number = %(number)s)
ON CONFLICT DO NOTHING
RETURNING tracking_number
