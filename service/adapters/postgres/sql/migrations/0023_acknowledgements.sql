-- What people have seen of exceptions. Nothing of it is in the history, which is what happened to parcels: it stands beside
-- the search tables, and is held against them and the history whenever it is read.

-- One row an exception that somebody acknowledged, the last time. It holds for as long as the row of the history that it
-- names is the batch's that it names, and no exception of the return with this reason has begun in a later row.
CREATE TABLE acknowledgements (
    return_no bigint NOT NULL,
    reason    text NOT NULL,
    seq       integer NOT NULL,      -- of the newest row of the return's history that the lists reflected then
    batch_id  xid8 NOT NULL,         -- of that row: no other journal has it, nor this one once it was set back
    token_no  bigint NOT NULL,       -- whose token it was
    by        text NOT NULL,         -- what people call it
    note      text NOT NULL,         -- may say anything of anybody: it goes nowhere but to who may see the exception
    at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT acknowledgements_pkey PRIMARY KEY (return_no, reason)
);

-- The seq of the row of the history that an exception began with, which is not that of its event where several together
-- are one. Those that are there began before anybody acknowledged anything. A projector of the release before does not
-- say with which row: what it lists is never taken for something that was acknowledged.
ALTER TABLE search_exceptions ADD COLUMN begun_seq integer NOT NULL DEFAULT 0;
ALTER TABLE search_exceptions ALTER COLUMN begun_seq SET DEFAULT 2147483647;
-- Whether one has begun since it was acknowledged: the end of one range.
CREATE INDEX search_exceptions_begun ON search_exceptions (return_no, reason, begun_seq);

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_acknowledgements;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_acknowledgements();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT SELECT, INSERT, UPDATE ON acknowledgements TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
