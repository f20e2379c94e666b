-- name: allow_writing
-- The pool's sessions read only; this transaction is the exception, where the server itself does not say no. In the
-- others' isolation a client that asks twice at a time would fail instead of being answered. One round trip.
SET LOCAL default_transaction_read_only TO DEFAULT;
SHOW default_transaction_read_only;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE
