-- name: allow_writing
-- The pool's sessions read only; this transaction is the exception. In the others' isolation a client that asks twice
-- at a time would fail instead of being answered.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE
