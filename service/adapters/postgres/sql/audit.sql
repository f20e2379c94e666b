-- Who did what at the operations desk.

-- name: note
INSERT INTO audit (token_no, label, action, subject, detail) VALUES (%s, %s, %s, %s, %s)

-- name: entries
-- audit_pkey backwards, one range.
SELECT audit_no, at, token_no, label, action, subject, detail
FROM audit
WHERE audit_no < %(before)s::int8
ORDER BY audit_no DESC
LIMIT %(limit)s::int4

-- name: entries_of
-- audit_subject backwards, one range.
SELECT audit_no, at, token_no, label, action, subject, detail
FROM audit
WHERE subject = %(subject)s::text AND audit_no < %(before)s::int8
ORDER BY audit_no DESC
LIMIT %(limit)s::int4
