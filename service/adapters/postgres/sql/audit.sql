-- Who did what: at the operations desk, by way of the API, on the command line.

-- name: note
INSERT INTO audit (token_no, label, action, subject, detail) VALUES (%s, %s, %s, %s, %s)

-- name: note_command
-- Who works on the command line is known by the name at the database.
INSERT INTO audit (token_no, label, action, subject, detail)
SELECT NULL, 'command line: ' || session_user, %s, %s, %s

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
